"""Encode tasks: a batch of segments, all renditions of a segment from one decode; and batches of one audio track.

What exists is not encoded again; what is stored is marked; a task that runs out of time hands its rest back to the queue, and
so does one that was interrupted before: its attempts count anew, so that only an attempt without any progress is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

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

Encoded = Iterator[tuple[str, int, bytes]]


def encode_video(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Encode segments `first` to `stop` of every rendition, or only of those that are copied, or of the others."""
    plan = load_plan(services, job.hash)
    renditions = renditions_of(plan, task.get("renditions"))

    def make(original: Reader, first: int, stop: int) -> Encoded:
        return segment.encode_batch(original, plan, first, stop, {one.name for one in renditions})

    tracks = [one.track for one in renditions]
    numbers = _planned(plan, task, len(plan.timeline) - 1)
    with _first_lease(services, plan, tracks, numbers[0]):
        _encode(services, job, task, StageName.VIDEO, tracks, numbers, make, remaining)


def encode_audio(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Encode segments `first` to `stop` of the audio track `track`."""
    plan = load_plan(services, job.hash)
    track = str(task.get("track"))
    if track not in {one.track for one in plan.audio_tracks}:
        raise InvalidEvent(f"the plan has no track {track!r}")

    def make(original: Reader, first: int, stop: int) -> Encoded:
        return audio.encode_batch(original, plan, track, first, stop)

    _encode(services, job, task, StageName.AUDIO, [track], _planned(plan, task, plan.segment_count(track)), make, remaining)


@contextmanager
def _first_lease(services: Services, plan: Plan, tracks: Sequence[str], n: int) -> Iterator[None]:
    """For the segment that a viewer asks for first: while the work for one of them is under way it is not done twice."""
    leases = [segment_lease(services, plan, track, n) for track in tracks]
    name = next((name for name, together in leases if len(together) > 1), None)
    if name is None:
        yield
        return
    with lease(services, name, wait=LEASE_SECONDS):
        yield


def _planned(plan: Plan, task: Mapping[str, object], count: int) -> range:
    first, stop = task.get("first"), task.get("stop")
    if not isinstance(first, int) or not isinstance(stop, int) or not 0 <= first < stop <= count:
        raise InvalidEvent(f"segments {first!r} to {stop!r} of {count} are not in the plan of {plan.hash}")
    return range(first, stop)


def _encode(
    services: Services,
    job: Job,
    task: Mapping[str, object],
    stage: StageName,
    tracks: Collection[str],
    numbers: range,
    make: Callable[[Reader, int, int], Encoded],
    remaining: Callable[[], int],
) -> None:
    allowance = remaining() * MARGIN
    missing = []
    for n in numbers:
        if all(is_stored(services, job.hash, track, n) for track in tracks):
            services.jobs.mark_segments(job.id, stage, [SegmentId(track, n) for track in tracks], services.clock())
        else:
            missing.append(n)
    if missing == list(numbers):
        first, stop = numbers[0], numbers[-1] + 1
        with open_original(services, job) as original:
            reached = _store(services, job, stage, len(tracks), make(original, first, stop), lambda: remaining() < allowance)
        missing = [] if reached is None else list(range(reached + 1, stop))
    rest: list[dict[str, object]] = [
        {**task, "first": first, "stop": stop} for first, stop in batches(missing, len(missing) or 1)
    ]
    if rest:
        services.queues.send(QueueName.ENCODE, rest)
        logger.info("task handed its rest back", extra={"rest": rest})
    settle(services, job.id)


def _store(
    services: Services, job: Job, stage: StageName, renditions: int, encoded: Encoded, is_late: Callable[[], bool]
) -> int | None:
    """Store and mark segments as they come. Returns the last complete one if time ran out after it, else None."""
    stored: dict[int, list[SegmentId]] = {}
    for track, n, data in encoded:
        store_segment(services, job.hash, track, n, data)
        stored.setdefault(n, []).append(SegmentId(track, n))
        if len(stored[n]) == renditions:
            services.jobs.mark_segments(job.id, stage, stored[n], services.clock())
            if is_late() or services.jobs.get(job.id).state.is_final:
                return n
    return None
