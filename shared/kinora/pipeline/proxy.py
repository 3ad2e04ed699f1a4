"""Making the progressive MP4 of a video from its finished segments. Called for `proxy` tasks, which the API sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from kinora.errors import InvalidEvent
from kinora.media.plan import Plan
from kinora.media.progressive import ProgressiveMovie
from kinora.media.sample_table import Track
from kinora.model import Job
from kinora.object_keys import proxy_path, video_key
from kinora.pipeline.completing import complete_segments
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.encode import MARGIN
from kinora.pipeline.export_states import complete_exports, keep_waiting
from kinora.pipeline.exports import best_sound, made_proxy, proxy_name, rendition_named
from kinora.pipeline.plans import load_plan
from kinora.pipeline.segments import open_segment
from kinora.queues.base import QueueName
from kinora.services import Services


def make_proxy(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Store the proxy of the task's `rendition`; hands itself back to the queue while segments are missing.

    Raises InvalidEvent, NotFound, and what making a segment raises.
    """
    name = task.get("rendition")
    if not isinstance(name, str):
        raise InvalidEvent(f"no rendition in {task}")
    if made_proxy(services, job.hash, name) is None and not _store_proxy(services, job, task, name, remaining):
        keep_waiting(services, job.hash, task)
        return
    complete_exports(services, job.hash, task)


def _store_proxy(services: Services, job: Job, task: Mapping[str, object], name: str, remaining: Callable[[], int]) -> bool:
    """False if the task has sent itself again."""
    plan = load_plan(services, job.hash)
    rendition, sound = rendition_named(plan, name), best_sound(plan)
    tracks = [rendition.track, *([sound.track] if sound else [])]
    wanted = [(track, n) for track in tracks for n in (None, *range(plan.segment_count(track)))]
    allowance = remaining() * MARGIN
    wait = complete_segments(services, job, wanted, lambda: remaining() < allowance)
    if wait is not None:
        services.queues.send(QueueName.ENCODE, [task], delay=wait)
        return False
    movie = ProgressiveMovie([stored_track(services, plan, track) for track in tracks])
    store_derivative(
        services,
        job,
        proxy_name(name),
        video_key(job.hash, proxy_path(name)),
        movie.open(),
        width=rendition.width,
        height=rendition.height,
        duration=movie.duration,
    )
    return True


def stored_track(services: Services, plan: Plan, track: str) -> Track:
    """A track whose segments are all stored. Raises NotFound without its init segment."""
    with open_segment(services, plan.hash, track, None) as reader:
        init = reader.read()
    return Track(init, [partial(open_segment, services, plan.hash, track, n) for n in range(plan.segment_count(track))])
