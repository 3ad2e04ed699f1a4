"""Asking for files that are made on request: which media they are of, what is there already, and sending the task.

Called by the API; imports nothing that encodes.
"""

from __future__ import annotations

from kinora.errors import NotFound
from kinora.media.plan import AudioTrack, Plan, Rendition
from kinora.model import Derivative, Job, JobState, Kind
from kinora.pipeline.collect import jobs_of
from kinora.pipeline.export_states import Requested, look, open_exports, send_exports
from kinora.pipeline.plans import load_plan
from kinora.queues.base import QueueName
from kinora.services import Services


def request_proxy(
    services: Services, content_hash: str, rendition: str | None, *, retry: bool = False
) -> tuple[str, Requested]:
    """Have the proxy of `rendition` (None: the largest in H.264) made. Its rendition's name, and what became of it.

    Asking again is harmless: what exists or is under way is not made again; what has failed only with `retry`. Raises NotFound
    if there is no such rendition, or no plan yet.
    """
    job = newest_job(services, content_hash)
    rendition = rendition_named(load_plan(services, content_hash), rendition).name
    name = proxy_name(rendition)
    task = {"task": "proxy", "job": job.id, "rendition": rendition}
    opened = open_exports(services, content_hash, QueueName.ENCODE, {name: task}, retry=retry)
    if opened:
        send_exports(services, opened, task)
    return rendition, look(services, content_hash, [name])[0]


def made_proxy(services: Services, content_hash: str, rendition: str) -> Derivative | None:
    return next((one for one in services.catalog.derivatives(content_hash) if one.name == proxy_name(rendition)), None)


def proxy_name(rendition: str) -> str:
    """The name of the derivative."""
    return f"proxy/{rendition}"


def newest_job(services: Services, content_hash: str, *kinds: Kind) -> Job:
    """The newest job for media of `kinds` (none: video and audio), which their plan was made by. Raises NotFound."""
    kinds = kinds or (Kind.VIDEO, Kind.AUDIO)
    jobs = (job for job in jobs_of(services, content_hash) if job.kind in kinds and job.state is not JobState.CANCELED)
    job = next(jobs, None)
    if job is None:
        raise NotFound(f"no job for {content_hash}")
    return job


def rendition_named(plan: Plan, name: str | None) -> Rendition:
    """The rendition of that name, or the best one. Raises NotFound."""
    found = best_rendition(plan) if name is None else next((one for one in plan.renditions if one.name == name), None)
    if found is None:
        raise NotFound(f"no rendition {name!r}", public_message="There is no such rendition.")
    return found


def best_rendition(plan: Plan) -> Rendition | None:
    """The largest one that every player decodes."""
    return next((one for one in plan.renditions if one.codec == "h264"), None)


def best_sound(plan: Plan) -> AudioTrack | None:
    """The default track in the codec and with the channels that every player takes."""
    ordered = sorted(plan.audio_tracks, key=lambda one: (one.codec != "aac", one.channels > 2, not one.default))
    return next(iter(ordered), None)
