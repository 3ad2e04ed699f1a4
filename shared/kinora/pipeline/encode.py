"""Encode tasks: a batch of segments, all renditions of a segment from one decode; and batches of one audio track.

What exists is not encoded again; what is stored is marked; a task that runs out of time hands its rest back to the queue, and
so does one that was interrupted before: its attempts count anew, so that only an attempt without any progress is one.
So does one that meets somebody else at the same work (a message is delivered twice, viewers are ahead).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kinora.errors import InvalidEvent
from kinora.media import audio, segment
from kinora.media.plan import Plan
from kinora.model import Job, SegmentId, StageName
from kinora.observability import logger
from kinora.pipeline.batching import batches, renditions_of
from kinora.pipeline.leases import LEASE_SECONDS, lease, segment_lease
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.segments import is_stored, store_segment
from kinora.pipeline.work import settle
from kinora.queues.base import QueueName
from kinora.services import Services
from kinora.storage.base import Reader

MARGIN = 0.35  # of the time a task began with is kept back: no segment may take longer than that
GIVE_WAY_SECONDS = 60  # to somebody who does the same work: one segment in that time is done twice

Encoded = Iterator[tuple[str, int, bytes]]
Make = Callable[[Reader, int, int, Collection[str]], Encoded]


def encode_video(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Encode segments `first` to `stop` of every rendition, or only of those that are copied, or of the others."""
    plan = load_plan(services, job.hash)
    renditions = renditions_of(plan, task.get("renditions"))

    def make(original: Reader, first: int, stop: int, tracks: Collection[str]) -> Encoded:
        return segment.encode_batch(original, plan, first, stop, {one.name for one in renditions if one.track in tracks})

    tracks = [one.track for one in renditions]
    numbers = _planned(plan, task, len(plan.timeline) - 1)
    _give_way(services, plan, tracks, numbers[0])
    _perform(_Batch(services, job, task, StageName.VIDEO, tracks, make), numbers, remaining)


def encode_audio(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Encode segments `first` to `stop` of the audio track `track`."""
    plan = load_plan(services, job.hash)
    track = str(task.get("track"))
    if track not in {one.track for one in plan.audio_tracks}:
        raise InvalidEvent(f"the plan has no track {track!r}")

    def make(original: Reader, first: int, stop: int, _: Collection[str]) -> Encoded:
        return audio.encode_batch(original, plan, track, first, stop)

    batch = _Batch(services, job, task, StageName.AUDIO, [track], make)
    _perform(batch, _planned(plan, task, plan.segment_count(track)), remaining)


def _give_way(services: Services, plan: Plan, tracks: Sequence[str], n: int) -> None:
    """Wait while the first segments are made for a viewer, who on the other hand never waits for the background."""
    for name, together in (segment_lease(services, plan, track, n) for track in tracks):
        if len(together) > 1:
            with lease(services, name, wait=LEASE_SECONDS):
                return


def _planned(plan: Plan, task: Mapping[str, object], count: int) -> range:
    first, stop = task.get("first"), task.get("stop")
    if not isinstance(first, int) or not isinstance(stop, int) or not 0 <= first < stop <= count:
        raise InvalidEvent(f"segments {first!r} to {stop!r} of {count} are not in the plan of {plan.hash}")
    return range(first, stop)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What all segments of one task have in common."""

    services: Services
    job: Job
    task: Mapping[str, object]
    stage: StageName
    tracks: Sequence[str]
    make: Make

    def is_stored(self, n: int) -> bool:
        return all(is_stored(self.services, self.job.hash, track, n) for track in self.tracks)

    def mark(self, n: int) -> None:
        """Segment `n` is stored in every track."""
        marked = [SegmentId(track, n) for track in self.tracks]
        self.services.jobs.mark_segments(self.job.id, self.stage, marked, self.services.clock())

    def incomplete_tracks(self, numbers: range) -> list[str]:
        def has_all(track: str) -> bool:
            return all(is_stored(self.services, self.job.hash, track, n) for n in numbers)

        return [track for track in self.tracks if not has_all(track)]

    def hand_back(self, numbers: Sequence[int], delay: int) -> None:
        rest: list[dict[str, object]] = [
            {**self.task, "first": first, "stop": stop} for first, stop in batches(numbers, len(numbers) or 1)
        ]
        if rest:
            self.services.queues.send(QueueName.ENCODE, rest, delay=delay)
            logger.info("task handed its rest back", extra={"rest": rest, "delay": delay})


def _perform(batch: _Batch, numbers: range, remaining: Callable[[], int]) -> None:
    allowance = remaining() * MARGIN
    missing, delay = [], 0
    for n in numbers:
        if batch.is_stored(n):
            batch.mark(n)
        else:
            missing.append(n)
    if len(missing) == len(numbers):
        with open_original(batch.services, batch.job) as original:
            reached, delay = _store(batch, original, numbers, lambda: remaining() < allowance)
        missing = list(range(reached + 1, numbers.stop))
    batch.hand_back(missing, delay)
    settle(batch.services, batch.job.id)


def _store(batch: _Batch, original: Reader, numbers: range, is_late: Callable[[], bool]) -> tuple[int, int]:
    """Store and mark segments as they come, until time is up or somebody else turns out to be at work on them. Returns the last
    complete one and the seconds after which the rest is to be looked at."""
    tracks = batch.incomplete_tracks(numbers)
    if not tracks:  # somebody was faster; the next attempt finds all there
        return numbers.start - 1, 0
    fresh: dict[int, list[bool]] = {}
    for track, n, data in batch.make(original, numbers.start, numbers.stop, tracks):
        fresh.setdefault(n, []).append(store_segment(batch.services, batch.job.hash, track, n, data))
        if len(fresh[n]) < len(tracks):
            continue
        batch.mark(n)
        if not any(fresh[n]):
            return n, GIVE_WAY_SECONDS
        if is_late() or batch.services.jobs.get(batch.job.id).state.is_final:
            return n, 0
        if n + 1 < numbers.stop and batch.is_stored(n + 1):
            return n, 0
    return numbers.stop - 1, 0
