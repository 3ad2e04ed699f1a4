"""The subtitles that lie beside an original become renditions of its stream, and go with their files.

Called for `sidecars` tasks and by prepare. It compares what lies there with the rows and looks again after every change, so
that it may run twice at once, be overtaken or be killed: the last one to look leaves the rows as they must be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from kinora.errors import LimitExceeded, NotFound, PreconditionFailed, StaleState, UnsupportedMedia
from kinora.media.subtitle_file import is_subtitle_name, read_subtitles
from kinora.model import BlobState, Job, JobState, Original, Scope, Sidecar
from kinora.object_keys import SUBTITLES_FOLDER, video_key
from kinora.observability import logger
from kinora.pipeline.exports import newest_job
from kinora.pipeline.finish import publish_measured
from kinora.pipeline.plans import load_plan
from kinora.pipeline.sidecar_files import SidecarFile, files_of, media_at, media_beside
from kinora.pipeline.stream import load_rates, publish_stream, sidecars_of
from kinora.pipeline.subtitle_uploads import request_sidecars, store_text
from kinora.services import Services

_ATTEMPTS = 20
_FORGOTTEN_SECONDS = 3600  # a text without a row that is older belongs to somebody who was killed


def announce_change(services: Services, key: str, before: Original | None) -> None:
    """Something came to `key` of the source scope or went: send a task to all media whose subtitles that may change.

    `before` is what was known of the key until now. Sending twice is harmless.
    """
    if before is None and not is_subtitle_name(key) and media_at(services, key) is None:
        return
    hashes = media_beside(services, key)
    if before is not None and not before.removed and not _refers_to(services, key, before.hash):
        hashes.add(before.hash)
    for content_hash in sorted(hashes):
        with suppress(NotFound):  # no job: its first one will look
            request_sidecars(services, newest_job(services, content_hash))


def _refers_to(services: Services, key: str, content_hash: str) -> bool:
    original = services.catalog.original(key)
    return original is not None and not original.removed and original.hash == content_hash


def make_sidecars(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> None:
    """Bring rows, texts and playlists into line with the files; texts named by the task to `drop` go, too."""
    del remaining
    dropped = follow_files(services, job.hash)
    named = task.get("drop")
    dropped |= {str(one) for one in named} if isinstance(named, list) else set()
    if any(one.name == "stream" for one in services.catalog.derivatives(job.hash)):  # else prepare publishes it
        if job.state is JobState.READY and load_rates(services, job.hash) is None:
            publish_measured(services, job)
        else:
            publish_stream(services, job, load_plan(services, job.hash))
    _drop_texts(services, job.hash, dropped)


def follow_files(services: Services, content_hash: str) -> set[str]:
    """Make the rows say what lies beside the originals now; returns the tracks that were given up on the way.

    Files that hold no subtitles are left out: ingest has refused them. Raises StaleState if they change all the time.
    """
    dropped: set[str] = set()
    useless: set[SidecarFile] = set()
    for _ in range(_ATTEMPTS):
        blob = services.catalog.blob(content_hash)
        if blob is None or blob.state is BlobState.CONDEMNED:
            return dropped
        files = {_id(one.key): one for one in files_of(services, content_hash) if one not in useless}
        rows = {one.id: one for one in services.catalog.sidecars(content_hash) if one.source}
        surplus = [one for one in rows.values() if not one.removed and one.id not in files]
        changed = [(one, rows.get(name)) for name, one in files.items() if not _is_shown(one, rows.get(name))]
        if not surplus and not changed:
            return dropped
        with suppress(StaleState):  # somebody else was faster: look again
            for row in surplus:
                services.catalog.save_sidecar(replace(row, removed=True, updated_at=services.clock()))
                dropped.add(row.track)
            for file, known in changed:
                text = _read_text(services, content_hash, file)
                if text is None:
                    useless.add(file)
                    continue
                track = store_text(services, content_hash, file.parts.language, text)
                dropped.add(track)  # unless a row names it in the end
                services.catalog.save_sidecar(_row(services, content_hash, file, track, known))
                dropped |= {known.track} if known else set()
    raise StaleState(f"the files beside {content_hash} change all the time")


def _id(key: str) -> str:
    return f"file-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _is_shown(file: SidecarFile, row: Sidecar | None) -> bool:
    if row is None or row.removed:
        return False
    parts = file.parts
    says = (parts.language, parts.forced, parts.default and not parts.forced, parts.for_deaf)
    return row.etag == file.etag and says == (row.language, row.forced, row.default, bool(row.role))


def _read_text(services: Services, content_hash: str, file: SidecarFile) -> bytes | None:
    """The file as WebVTT; None if there are no subtitles in it, or not any more."""
    try:
        with services.storage.open(Scope.SOURCE, file.key, etag=file.etag) as reader:
            return read_subtitles(reader.read()).webvtt()
    except (NotFound, PreconditionFailed, UnsupportedMedia, LimitExceeded) as error:
        logger.info("no subtitles", extra={"key": file.key, "hash": content_hash, "reason": str(error)})
        return None


def _row(services: Services, content_hash: str, file: SidecarFile, track: str, known: Sidecar | None) -> Sidecar:
    parts = file.parts
    return Sidecar(
        id=_id(file.key),
        hash=content_hash,
        track=track,
        language=parts.language,
        title=f"{parts.language} SDH" if parts.for_deaf else "",
        default=parts.default and not parts.forced,
        forced=parts.forced,
        role="captions" if parts.for_deaf else "",
        updated_at=services.clock(),
        source=file.key,
        etag=file.etag,
        revision=known.revision if known else 0,
    )


def _drop_texts(services: Services, content_hash: str, dropped: set[str]) -> None:
    """Delete texts that were replaced or removed. A track's name is never used twice, so nobody can want it again."""
    try:
        planned = {one.track for one in load_plan(services, content_hash).subtitles}
    except NotFound:
        return
    kept = planned | {one.track for one in sidecars_of(services, content_hash)}
    folder = video_key(content_hash, SUBTITLES_FOLDER)
    forgotten = services.clock() - _FORGOTTEN_SECONDS
    for info in list(services.storage.list(Scope.MEDIA, folder)):
        track = SUBTITLES_FOLDER + info.key[len(folder) :].partition("/")[0]
        if track not in kept and (track in dropped or info.modified_at < forgotten):
            services.storage.delete(Scope.MEDIA, info.key)
