"""Making one segment because somebody waits for it, and the first ones of a medium that is encoded only as it is watched.

Called by the video function when it is invoked directly, and by the task `first`. Several may ask for the same segment at
once: a lease lets one of them encode it; the others are told so at once and wait for the object, not for the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from kinora.errors import CorruptMedia, InvalidEvent, NotFound
from kinora.invoking.base import Request
from kinora.media import audio, segment
from kinora.media.plan import Plan
from kinora.model import Job, JobState, Kind, SegmentId, StageName, StageState
from kinora.pipeline.collect import jobs_of
from kinora.pipeline.encryption import adopt_segment
from kinora.pipeline.leases import FIRST_SEGMENTS, lease, segment_lease
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import is_planned, load_plan
from kinora.pipeline.segments import is_stored, store_segment
from kinora.pipeline.work import settle, update, with_stages
from kinora.services import Services
from kinora.storage.base import Reader


def make_requested(services: Services, request: Request) -> bool:
    """Make what a `segment_request` names, as `make_segment` does; raises InvalidEvent, too."""
    content_hash, track, n = request.get("hash"), request.get("track"), request.get("n")
    if not isinstance(content_hash, str) or not isinstance(track, str):
        raise InvalidEvent(f"no track is named by {request}")
    if isinstance(n, bool) or not isinstance(n, int | None):
        raise InvalidEvent(f"no segment is named by {request}")
    return make_segment(services, content_hash, track, n)


def make_segment(services: Services, content_hash: str, track: str, n: int | None) -> bool:
    """Encode and store segment `n` of `track` (its init segment if `n` is None) unless it exists, and mark it.

    False if somebody else is making it. Raises NotFound if it is not planned or the work was canceled, OriginalGone,
    CorruptMedia.
    """
    plan = load_plan(services, content_hash)
    if not is_planned(plan, track, n):
        raise NotFound(f"the plan of {content_hash} has no segment {n} of {track}")
    jobs = _jobs_at_work(services, content_hash)
    name, tracks = segment_lease(services, plan, track, n)
    with lease(services, name) as is_held:
        if not is_held:
            return False
        missing = [one for one in tracks if not _has(services, content_hash, one, n)]
        made = missing if track in missing else []
        if made:
            with open_original(services, jobs[0]) as original:
                segments = list(_encode(original, plan, made, n))
            jobs = _jobs_at_work(services, content_hash)  # the medium may have been removed meanwhile
            for one, data in segments:
                store_segment(services, content_hash, one, n, data)
    _mark(services, jobs, made or [track], n)
    return True


def make_first_segments(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> None:
    """Make what a player asks for first: the lowest rung and the default sound. The job rests when all else is done.

    Raises CorruptMedia, OriginalGone.
    """
    del task, remaining
    plan = load_plan(services, job.hash)
    tracks = [one.track for one in plan.audio_tracks if one.default or not plan.renditions]
    lowest = [one.track for one in plan.renditions if one.codec == "h264"][-1:]
    for track in [*tracks, *lowest]:
        for n in range(min(FIRST_SEGMENTS, plan.segment_count(track))):
            make_segment(services, job.hash, track, n)
    update(services, job.id, _waiting)
    settle(services, job.id)


def _encode(original: Reader, plan: Plan, tracks: Sequence[str], n: int | None) -> Iterable[tuple[str, bytes]]:
    """Segment `n` of the tracks: one of sound, or any of pictures."""
    names = {track.split("/")[1] for track in tracks}
    if tracks[0].startswith("audio/"):
        (track,) = tracks
        return [(track, audio.init_segment(original, plan, track) if n is None else audio.encode(original, plan, track, n))]
    if n is None:
        return [one for one in segment.init_segments(original, plan) if one[0] in tracks]
    return [(track, data) for track, _, data in segment.encode_batch(original, plan, n, n + 1, names)]


def _has(services: Services, content_hash: str, track: str, n: int | None) -> bool:
    return is_stored(services, content_hash, track, n) or adopt_segment(services, content_hash, track, n)


def _jobs_at_work(services: Services, content_hash: str) -> list[Job]:
    """The jobs whose segments may be made, newest first; never none: raises NotFound, or CorruptMedia as they did."""
    jobs = [job for job in jobs_of(services, content_hash) if job.kind in {Kind.VIDEO, Kind.AUDIO}]
    jobs = [job for job in jobs if job.state is not JobState.CANCELED]
    if not jobs:
        raise NotFound(
            f"no job for {content_hash} is at work", public_message="The work for this was canceled.", code="canceled"
        )
    if jobs[0].error is not None and jobs[0].error.code == CorruptMedia.code:
        raise CorruptMedia(f"job {jobs[0].id} has failed")
    return jobs


def _mark(services: Services, jobs: list[Job], tracks: Sequence[str], n: int | None) -> None:
    if n is None:
        return
    stage = StageName.AUDIO if tracks[0].startswith("audio/") else StageName.VIDEO
    for job in jobs:
        with suppress(NotFound):  # deleted meanwhile
            services.jobs.mark_segments(job.id, stage, [SegmentId(track, n) for track in tracks], services.clock())
            settle(services, job.id)


def _waiting(job: Job) -> Job | None:
    """The stages of segments are under way no longer: what is left of them waits until it is asked for."""
    running = [name for name in job.segments_planned if job.stages[name].state is StageState.RUNNING]
    return with_stages(job, StageState.PENDING, *running) if job.state is JobState.PLAYABLE and running else None
