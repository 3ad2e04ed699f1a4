"""Making a video or audio original playable: plan, init segments and all playlists; then its encode tasks are sent.

Called for `prepare` tasks. Killed at any point and started again it comes to the same end: the stored plan is the one that
everybody uses, and objects are created, never replaced, except playlists, which are the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

from kinora.errors import NotFound
from kinora.media import audio, hls, segment
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from kinora.media.sniff import sniff
from kinora.model import Job, JobState, StageName, StageState
from kinora.object_keys import playlist_path, video_key
from kinora.pipeline.batching import send_encode_tasks, send_first_tasks
from kinora.pipeline.encryption import serve_first, store_playlists
from kinora.pipeline.fingerprint import read_head
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan, store_plan
from kinora.pipeline.segments import store_segment
from kinora.pipeline.side_stages import absent_stages
from kinora.pipeline.sidecars import follow_files
from kinora.pipeline.stream import publish_stream
from kinora.pipeline.work import settle, update, with_stages
from kinora.services import Services


def prepare(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> None:
    """Bring the job to `playable` and, unless segments are made on demand, to `encoding`; a task with `repair` sends lost
    tasks again.

    Raises CorruptMedia, UnsupportedMedia, LimitExceeded, OriginalGone.
    """
    del remaining
    if job.state in {JobState.QUEUED, JobState.PREPARING}:
        update(services, job.id, _begin)
        plan = _publish(services, job)
        job = update(services, job.id, lambda current: _playable(services, current, plan))
    if job.state is JobState.PLAYABLE and services.settings.encode == "on_demand":
        send_first_tasks(services, job)
    elif job.state is JobState.PLAYABLE or (job.state is JobState.ENCODING and task.get("repair")):
        send_encode_tasks(services, job, load_plan(services, job.hash))
        update(services, job.id, _encoding)
        settle(services, job.id)  # every task may have ended before the state was set


def _publish(services: Services, job: Job) -> Plan:
    """Store plan, init segments, media playlists and, last, the multivariant playlist."""
    with open_original(services, job) as original:
        plan = _agree_on_plan(services, job, original)
        for track in (one.track for one in plan.audio_tracks):
            store_segment(services, job.hash, track, None, audio.init_segment(original, plan, track))
        if plan.renditions:
            for track, data in segment.init_segments(original, plan):
                store_segment(services, job.hash, track, None, data)
    store_playlists(services, plan)
    for track in (one.track for one in plan.subtitles):
        playlist = hls.media_playlist(plan, track).encode()
        put_media(services, job.hash, video_key(job.hash, playlist_path(track)), playlist)
    follow_files(services, job.hash)
    serve_first(services, job.hash)
    publish_stream(services, job, plan)
    return plan


def _agree_on_plan(services: Services, job: Job, original: BinaryIO) -> Plan:
    """The stored plan, or a new one; of two who make one at the same time the first to store it decides."""
    try:
        return load_plan(services, job.hash)
    except NotFound:
        settings = services.settings
        demuxer = sniff(read_head(original)).demuxer or ""
        plan = make_plan(
            original,
            demuxer,
            job.hash,
            ladder=settings.ladder,
            max_duration=settings.max_duration,
            max_pixels=settings.max_pixels,
            codecs=settings.codecs,
            audio_codecs=settings.audio_codecs,
        )
        return store_plan(services, plan)


def _begin(job: Job) -> Job | None:
    if job.state is not JobState.QUEUED:
        return None
    return replace(with_stages(job, StageState.RUNNING, StageName.PROBE, StageName.PLAN), state=JobState.PREPARING)


def _playable(services: Services, job: Job, plan: Plan) -> Job | None:
    if job.state is not JobState.PREPARING:
        return None
    planned = {
        StageName.AUDIO: sum(plan.segment_count(one.track) for one in plan.audio_tracks),
        StageName.VIDEO: sum(plan.segment_count(one.track) for one in plan.renditions),
    }
    changed = with_stages(job, StageState.READY, StageName.PROBE, StageName.PLAN)
    absent = [stage for stage, count in planned.items() if count == 0]
    changed = with_stages(changed, StageState.SKIPPED, *absent, *absent_stages(plan))
    wanted = {stage: count for stage, count in planned.items() if count}
    changed = with_stages(
        changed, StageState.RUNNING, *(name for name in wanted if job.stages[name].state is StageState.PENDING)
    )
    playable_at = job.playable_at or services.clock()
    return replace(changed, state=JobState.PLAYABLE, segments_planned=wanted, playable_at=playable_at)


def _encoding(job: Job) -> Job | None:
    if job.state is not JobState.PLAYABLE:
        return None
    return replace(job, state=JobState.ENCODING)
