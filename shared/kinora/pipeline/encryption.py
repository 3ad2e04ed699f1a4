"""Writing a new revision of a stream: what is stored is encrypted anew, the multivariant playlist flips last, and after a grace
period the older revisions go.

Called for `encrypt` tasks, by prepare for the first revision, and for segments of older revisions that somebody waits for.
Killed anywhere and started again it comes to the same end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from kinora.errors import InvalidEvent, NotFound, StaleState
from kinora.media import hls
from kinora.media.plan import Plan
from kinora.model import Export, ExportState, Failure, Job, JobState, Scope
from kinora.object_keys import playlist_path, revision_folder, revision_path, video_key
from kinora.observability import logger
from kinora.pipeline.encode import MARGIN
from kinora.pipeline.export_states import keep_waiting
from kinora.pipeline.finish import publish_measured
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.plans import load_plan
from kinora.pipeline.revisions import (
    RETIRED,
    Revisions,
    is_retired,
    is_revision,
    number_of,
    revision_name,
    revisions_of,
)
from kinora.pipeline.segments import Place, open_at, open_segment, place_of, store_at, store_segment
from kinora.pipeline.stream import publish_stream
from kinora.queues.base import QueueName
from kinora.services import Services

_ATTEMPTS = 10
_WAIT_SECONDS = 15  # until a stream that is being prepared is looked at again
_STORED = re.compile(r"(?:(init)\.mp4|seg_([0-9]+)\.m4s)")
_TRACKS = ("video/", "audio/")
_RETIRED = Failure(RETIRED, "A newer content key has taken its place.")


def encrypt_stream(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> None:
    """Bring the task's `revision` to be served; hands itself back to the queue when time runs out. Of a revision that is served
    for longer than the grace period already the older ones are deleted.

    Raises InvalidEvent, NotFound, ContentKeyDamaged.
    """
    revision = task.get("revision")
    if isinstance(revision, bool) or not isinstance(revision, int) or revision < 1:
        raise InvalidEvent(f"no revision in {task}")
    export = services.catalog.export(job.hash, revision_name(revision))
    if export is None or export.state is ExportState.FAILED:
        return
    if export.state is ExportState.PENDING:
        allowance = remaining() * MARGIN
        wait = _write(services, job, revision, lambda: remaining() < allowance)
        if wait is not None:
            services.queues.send(QueueName.ENCODE, [task], delay=wait)
            keep_waiting(services, job.hash, task)
            return
        serve(services, job.hash, revision)
    if job.state is JobState.READY:
        publish_measured(services, job)
    else:
        publish_stream(services, job, load_plan(services, job.hash))
    _retire_older(services, job.hash, revision)


def store_playlists(services: Services, plan: Plan) -> None:
    """The media playlists of sound and pictures, in every revision that is live."""
    for revision in revisions_of(services, plan.hash).live:
        _store_playlists(services, plan, place_of(services, plan.hash, revision))


def serve_first(services: Services, content_hash: str) -> None:
    """A stream that is prepared just now is encrypted from the beginning, if that was asked for: nobody has seen another."""
    revisions = revisions_of(services, content_hash)
    if revisions.newest and not revisions.served:
        serve(services, content_hash, revisions.newest)


def serve(services: Services, content_hash: str, revision: int) -> None:
    """Let the multivariant playlist name `revision` from now on; the sweep comes back to it after the grace period."""
    now = services.clock()

    def ready(export: Export) -> Export | None:
        if export.state is ExportState.READY:
            return None
        due = now + services.settings.grace_seconds
        return replace(export, state=ExportState.READY, error=None, repairs=0, updated_at=now, due_at=due)

    _change(services, content_hash, revision, ready)


def adopt_segment(services: Services, content_hash: str, track: str, n: int | None) -> bool:
    """Store in all revisions what one of them has; False if none has it."""
    try:
        with open_segment(services, content_hash, track, n) as reader:
            data = reader.read()
    except NotFound:
        return False
    store_segment(services, content_hash, track, n, data)
    return True


def _write(services: Services, job: Job, revision: int, is_late: Callable[[], bool]) -> int | None:
    """Store playlists and everything that another revision has. None when done, else the seconds after which to go on.

    What is stored elsewhere meanwhile comes here too: the revision is live since it was asked for.
    """
    if job.state in {JobState.QUEUED, JobState.PREPARING}:
        return _WAIT_SECONDS
    plan = load_plan(services, job.hash)
    place = place_of(services, job.hash, revision)
    revisions = revisions_of(services, job.hash)
    for track in plan.tracks():
        stored = set(_stored(services, job.hash, revision, track))
        for source in _sources(revisions, revision):
            for n in _stored(services, job.hash, source, track):
                if n in stored:
                    continue
                if is_late():
                    return 0
                with open_at(services, job.hash, source, track, n) as reader:
                    store_at(services, job.hash, place, track, n, reader.read())
                stored.add(n)
    _store_playlists(services, plan, place)
    return None


def _sources(revisions: Revisions, target: int) -> list[int]:
    return [one for one in sorted({*revisions.live, revisions.served}, reverse=True) if one != target]


def _stored(services: Services, content_hash: str, revision: int, track: str) -> Iterator[int | None]:
    """Numbers of the stored segments, and None if there is an init segment."""
    for info in services.storage.list(Scope.MEDIA, video_key(content_hash, revision_path(revision, f"{track}/"))):
        found = _STORED.fullmatch(info.key.rsplit("/", 1)[1])
        if found:
            yield None if found[1] else int(found[2])


def _store_playlists(services: Services, plan: Plan, place: Place) -> None:
    for track in plan.tracks():
        playlist = hls.media_playlist(plan, track, place.key.key_id if place.key else None).encode()
        put_media(services, plan.hash, video_key(plan.hash, revision_path(place.revision, playlist_path(track))), playlist)


def _retire_older(services: Services, content_hash: str, revision: int) -> None:
    """Delete what came before `revision` when that has been served for the grace period, and let the sweep rest then."""
    export = services.catalog.export(content_hash, revision_name(revision))
    if export is None or export.updated_at + services.settings.grace_seconds > services.clock():
        return
    older = [one for one in services.catalog.exports(content_hash) if is_revision(one) and number_of(one) < revision]
    for one in older:
        _change(services, content_hash, number_of(one), _retired)  # first, so that nothing is stored there any more
    for folder in [*(revision_folder(number_of(one)) for one in older), *_TRACKS]:
        services.storage.delete_prefix(Scope.MEDIA, video_key(content_hash, folder))
    _change(services, content_hash, revision, lambda known: replace(known, due_at=None) if known.due_at is not None else None)
    logger.info("older revisions deleted", extra={"hash": content_hash, "revision": revision})


def _retired(export: Export) -> Export | None:
    return None if is_retired(export) else replace(export, state=ExportState.FAILED, error=_RETIRED, due_at=None)


def _change(services: Services, content_hash: str, revision: int, change: Callable[[Export], Export | None]) -> None:
    for _ in range(_ATTEMPTS):
        export = services.catalog.export(content_hash, revision_name(revision))
        if export is None:
            raise NotFound(f"{content_hash} was removed while it was encrypted")
        changed = change(export)
        if changed is None:
            return
        with suppress(StaleState):
            services.catalog.save_export(changed)
            return
    raise StaleState(f"revision {revision} of {content_hash} is too contended")
