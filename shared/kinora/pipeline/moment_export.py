"""Exporting one version of a moment: stored segments where the range covers them whole, its edges encoded from the original.

Called for `moment` tasks. Killed anywhere, delivered twice or overtaken by an edit it does no harm: an object is complete
before the pointer flips to it, and the pointer flips only to the version that is wanted then.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial

from kinora.errors import NotFound
from kinora.media import segment
from kinora.media.cutting import Cut, cut_sound, cut_video
from kinora.media.plan import Plan, Rendition
from kinora.media.progressive import ProgressiveMovie
from kinora.media.sample_table import OpenSegment, Track
from kinora.model import Job, Moment, MomentState, Scope
from kinora.object_keys import moment_path, video_key
from kinora.pipeline.completing import complete_segments
from kinora.pipeline.encode import MARGIN
from kinora.pipeline.exports import best_rendition, best_sound
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.moments import keep_waiting, update_moment
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.segments import open_segment
from kinora.queues.base import QueueName
from kinora.services import Services


def export_moment(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Store the task's `version` of its `moment`, if that is still wanted; hands itself back while segments are missing.

    Raises CorruptMedia, OriginalGone.
    """
    moment = services.catalog.moment(job.hash, str(task.get("moment")))
    if moment is None or moment.state is not MomentState.PENDING or moment.version != task.get("version"):
        return
    plan = load_plan(services, job.hash)
    rendition, sound = best_rendition(plan), best_sound(plan)
    cut = cut_video(plan, moment.start, moment.end) if rendition else None
    window = cut.window if cut else (Fraction(moment.start), Fraction(moment.end))
    heard = cut_sound(plan, sound, window) if sound else range(0)
    wanted: list[tuple[str, int | None]] = [(sound.track, n) for n in (None, *heard)] if sound else []
    if rendition and cut:
        wanted += [(rendition.track, n) for n in (None, *(whole for whole, _ in cut.pieces if whole is not None))]
    allowance = remaining() * MARGIN
    wait = complete_segments(services, job, wanted, lambda: remaining() < allowance)
    if wait is not None:
        services.queues.send(QueueName.ENCODE, [task], delay=wait)
        keep_waiting(services, moment)
        return
    tracks = [_pictures(services, job, plan, rendition, cut)] if rendition and cut else []
    tracks += [_stored(services, job, sound.track, heard)] if sound and heard else []
    movie = ProgressiveMovie(tracks, window)
    key = video_key(job.hash, moment_path(moment.id, moment.version))
    put_media(services, moment.hash, key, movie.open())
    _flip(services, moment, key)


def _pictures(services: Services, job: Job, plan: Plan, rendition: Rendition, cut: Cut) -> Track:
    """The rendition's segments, with the edges held in memory: there are two of them at most."""
    segments: list[OpenSegment] = []
    for whole, n in cut.pieces:
        if whole is None:
            with open_original(services, job) as original:
                segments.append(partial(io.BytesIO, segment.encode(original, cut.plan, rendition.name, n)))
        else:
            segments.append(partial(open_segment, services, plan.hash, rendition.track, whole))
    return Track(_init(services, job, rendition.track), segments)


def _stored(services: Services, job: Job, track: str, numbers: range) -> Track:
    return Track(_init(services, job, track), [partial(open_segment, services, job.hash, track, n) for n in numbers])


def _init(services: Services, job: Job, track: str) -> bytes:
    with open_segment(services, job.hash, track, None) as reader:
        return reader.read()


def _flip(services: Services, exported: Moment, key: str) -> None:
    """Let viewers get the new object. What it replaces, or the object itself if it is no longer wanted, is left to the sweep."""

    def change(moment: Moment) -> Moment | None:
        due = services.clock() + services.settings.grace_seconds
        if moment.version != exported.version or moment.state is MomentState.REMOVED:
            return None if moment.state is MomentState.PENDING else replace(moment, due_at=due)
        if moment.served == exported.version:
            return None
        due_at = due if moment.version > 1 else None
        return replace(moment, state=MomentState.READY, served=moment.version, key=key, error=None, due_at=due_at)

    try:
        update_moment(services, exported.hash, exported.id, change)
    except NotFound:  # the media were removed meanwhile
        services.storage.delete(Scope.MEDIA, key)
