"""Subtitles that are handed in for a medium, one for each language and use (all that is said, or only forced texts).

Called by the API, which stores the text and its row; the task that it sends publishes them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from kinora.errors import InvalidInput, LimitExceeded, NotFound, StaleState
from kinora.media.subtitle_file import read_subtitles
from kinora.model import BlobState, Job, Kind, Sidecar
from kinora.object_keys import SUBTITLES_FOLDER, text_path, video_key
from kinora.pipeline.exports import newest_job
from kinora.pipeline.media_objects import put_media
from kinora.queues.base import QueueName
from kinora.services import Services

_ATTEMPTS = 20
_MOST = 64  # of one medium


def put_subtitles(
    services: Services, content_hash: str, language: str, data: bytes, *, title: str, default: bool, forced: bool
) -> Sidecar:
    """Store subtitles in the place of those with the same language and use.

    Raises NotFound, InvalidInput for media without a timeline, UnsupportedMedia and LimitExceeded for what is no subtitle
    file, and StaleState while the media are removed.
    """
    job = _job_of(services, content_hash)
    text = read_subtitles(data).webvtt()
    wanted = Sidecar(
        id=_id(language, forced=forced),
        hash=content_hash,
        track=store_text(services, content_hash, language, text),
        language=language,
        title=title,
        default=default and not forced,
        forced=forced,
        role="",
        updated_at=services.clock(),
    )
    return _replace(services, job, wanted)


def remove_subtitles(services: Services, content_hash: str, language: str, *, forced: bool) -> None:
    """Remove subtitles that were handed in. Raises NotFound, also for those of files and of the original."""
    job = _job_of(services, content_hash)
    known = _stored(services, content_hash, _id(language, forced=forced))
    if known is None or known.removed:
        message = "There are no such subtitles that were handed in here. A file beside the original is removed there."
        raise NotFound(f"no subtitles {language} of {content_hash}", public_message=message)
    _replace(services, job, replace(known, removed=True, updated_at=services.clock()))


def store_text(services: Services, content_hash: str, language: str, webvtt: bytes) -> str:
    """Store a text under a name that nobody has used; returns its track. Raises NotFound if the blob was removed."""
    track = f"{SUBTITLES_FOLDER}{language}_{uuid.uuid4().hex[:16]}"
    put_media(services, content_hash, video_key(content_hash, text_path(track)), webvtt)
    return track


def request_sidecars(services: Services, job: Job, dropped: Sequence[str] = ()) -> None:
    """Have the subtitles beside the media looked at and published. It is a short task: it does not wait behind segments."""
    task: dict[str, object] = {"task": "sidecars", "job": job.id}
    services.queues.send(QueueName.PREPARE, [task | {"drop": list(dropped)} if dropped else task])


def _replace(services: Services, job: Job, wanted: Sidecar) -> Sidecar:
    """Store the row whoever else does the same; the last one stays."""
    for _ in range(_ATTEMPTS):
        known = _stored(services, job.hash, wanted.id)
        try:
            saved = services.catalog.save_sidecar(replace(wanted, revision=known.revision if known else 0))
        except StaleState:
            continue
        request_sidecars(services, job, [known.track] if known else [])
        return saved
    raise StaleState(f"subtitles {wanted.id} of {job.hash} are too contended")


def _stored(services: Services, content_hash: str, identifier: str) -> Sidecar | None:
    rows = [one for one in services.catalog.sidecars(content_hash) if not one.source]
    known = next((one for one in rows if one.id == identifier), None)
    if known is None and sum(not one.removed for one in rows) >= _MOST:
        raise LimitExceeded(public_message=f"One medium can have {_MOST} subtitles that were handed in.")
    return known


def _id(language: str, *, forced: bool) -> str:
    return f"api-{language}{'-forced' if forced else ''}"


def _job_of(services: Services, content_hash: str) -> Job:
    blob = services.catalog.blob(content_hash)
    if blob is None or blob.state is BlobState.CONDEMNED:
        raise NotFound(f"no blob {content_hash}")
    if blob.kind not in {Kind.VIDEO, Kind.AUDIO}:
        raise InvalidInput(public_message="Only video and sound can have subtitles.")
    return newest_job(services, content_hash)
