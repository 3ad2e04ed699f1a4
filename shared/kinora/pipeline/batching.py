"""Cutting the encoding of one plan into tasks: what is needed first comes first, and no task is too long for its function."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from kinora.media.plan import Plan, Rendition
from kinora.model import Job, SegmentId
from kinora.pipeline.leases import FIRST_SEGMENTS
from kinora.pipeline.side_stages import side_tasks
from kinora.queues.base import QueueName
from kinora.services import Services

# x264 veryfast with its scaling and decoding, SVT-AV1 with the attempts that come out too large; measured, see benchmarks
CPU_SECONDS_PER_PIXEL = {"h264": 2.4e-8, "av1": 3e-8}
DECODE_SECONDS_PER_PIXEL = 5e-9  # of the source: 10-bit HEVC, the slowest of what is common; H.264 takes a quarter of it
AUDIO_SEGMENTS_PER_TASK = 150
COPIED_SEGMENTS_PER_TASK = 60
COPIED, ENCODED = "copied", "encoded"
_FIRST_SOUND = 10  # segments of sound in the first task


def send_encode_tasks(services: Services, job: Job, plan: Plan) -> None:
    """Send tasks for everything that is not done yet: the first segments, all that are only copied, what lies beside the stream,
    then the rest."""
    marked = services.jobs.segments(job.id)
    sound: list[dict[str, object]] = []
    for track in (one.track for one in plan.audio_tracks):
        missing = [n for n in range(plan.segment_count(track)) if SegmentId(track, n) not in marked]
        for first, stop in batches(missing, AUDIO_SEGMENTS_PER_TASK, start=_FIRST_SOUND):
            sound.append({"task": "audio", "job": job.id, "track": track, "first": first, "stop": stop})
    copied = _picture_tasks(job, plan, marked, COPIED, COPIED_SEGMENTS_PER_TASK)
    pictures = _picture_tasks(job, plan, marked, ENCODED, _segments_per_task(plan, services.settings.task_seconds))
    beginning = [*pictures[:1], *sound[:1], *copied[:1], *pictures[1:FIRST_SEGMENTS]]
    rest = [*copied[1:], *side_tasks(job), *sound[1:], *pictures[FIRST_SEGMENTS:]]
    services.queues.send(QueueName.ENCODE, [*beginning, *rest])


def renditions_of(plan: Plan, kind: object) -> list[Rendition]:
    """The renditions of an encode task: those that are `COPIED` or `ENCODED`, or all."""
    return [one for one in plan.renditions if kind not in (COPIED, ENCODED) or one.copied == (kind == COPIED)]


def _picture_tasks(job: Job, plan: Plan, marked: Collection[SegmentId], kind: str, longest: int) -> list[dict[str, object]]:
    tracks = [one.track for one in renditions_of(plan, kind)]
    missing = [n for n in range(len(plan.timeline) - 1) if any(SegmentId(track, n) not in marked for track in tracks)]
    runs = batches(missing, longest, start=1)
    return [{"task": "encode", "job": job.id, "first": first, "stop": stop, "renditions": kind} for first, stop in runs]


def send_first_tasks(services: Services, job: Job) -> None:
    """Send tasks for what is made before anybody watches when segments are made on demand."""
    services.queues.send(QueueName.ENCODE, [{"task": "first", "job": job.id}, *side_tasks(job)])


def batches(numbers: Sequence[int], longest: int, start: int | None = None) -> Iterator[tuple[int, int]]:
    """Half-open runs of consecutive numbers of at most `longest`. With `start`, the first two runs are that long and every
    second one doubles: the beginning of a video is done soon and by several workers."""
    size = longest if start is None else min(start, longest)
    first = 0
    count = 0
    for position in range(1, len(numbers) + 1):
        full = position - first >= size
        if position == len(numbers) or full or numbers[position] != numbers[position - 1] + 1:
            yield numbers[first], numbers[position - 1] + 1
            first = position
            count += 1
            if start is not None and count % 2 == 0:
                size = min(size * 2, longest)


def _segments_per_task(plan: Plan, task_seconds: int) -> int:
    """As many as hold `task_seconds` of work, reckoned from all that is decoded and all that is encoded."""
    source = plan.probe.video
    if not plan.renditions or source is None:
        return 1
    decoded = source.width * source.height * max(one.frame_rate for one in plan.renditions)
    cost = decoded * DECODE_SECONDS_PER_PIXEL
    cost += sum(
        one.width * one.height * one.frame_rate * CPU_SECONDS_PER_PIXEL[one.codec] for one in renditions_of(plan, ENCODED)
    )
    seconds = float((plan.timeline[-1] - plan.timeline[0]) * source.time_base) / (len(plan.timeline) - 1)
    return max(1, int(task_seconds / max(cost * seconds, 1e-6)))
