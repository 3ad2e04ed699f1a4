"""The beginning of the way of one upload: S3 events → catalog and job → first task. Called by the ingest function only.

Every step may be repeated: duplicates, late and reordered events end in the same rows and the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping

from kinora.errors import InvalidKey, KinoraError, LimitExceeded, NotFound, PreconditionFailed, UnsupportedMedia
from kinora.events import ObjectEvent, object_events
from kinora.metadata import sequencers
from kinora.model import UNHASHED, AttachOutcome, Blob, Failure, Kind, Original, Scope
from kinora.object_keys import check_key
from kinora.observability import logger
from kinora.pipeline.encryption_requests import asks_for_encryption, encrypt_upload, send_encryption
from kinora.pipeline.fingerprint import Fingerprint, fingerprint
from kinora.pipeline.sidecars import announce_change
from kinora.pipeline.start import refuse, start
from kinora.pipeline.work import failure_of
from kinora.services import Services
from kinora.storage.base import ObjectInfo


def ingest_event(services: Services, event: Mapping[str, object]) -> dict[str, object]:
    """Take in every record of an S3 notification. A record that fails does not keep its neighbours from being taken in;
    the first error is raised at the end, so that the event is delivered again."""
    outcomes: list[str] = []
    errors: list[Exception] = []
    for record in object_events(event):
        try:
            outcome = ingest_object(services, record)
        except Exception as error:  # noqa: BLE001 - one record must not stop the next; raised below
            errors.append(error)
            outcome = failure_of(error).code
        outcomes.append(outcome)
        logger.info("ingest", extra={"key": record.key, "event": record.name, "outcome": outcome})
    if errors:
        raise errors[0]
    return {"outcomes": outcomes}


def ingest_object(services: Services, record: ObjectEvent) -> str:
    """Take in one record and say what became of it: started, known, subtitles, refused, detached, stale, gone, replaced or
    ignored."""
    if not record.key.startswith(services.settings.upload_prefix) or record.key.endswith("/"):
        return "ignored"
    try:
        check_key(record.key)
    except InvalidKey as error:
        refuse(services, record.key, UNHASHED, record.etag or record.sequencer, failure_of(error))
        return "refused"
    known = services.catalog.original(record.key)
    if sequencers.outcome(known, record.sequencer) is AttachOutcome.STALE:
        return "stale"
    try:
        info = services.storage.head(Scope.SOURCE, record.key)
    except NotFound:
        outcome = _detach(services, record)
    else:
        try:
            outcome = _register(services, record, info, known)
        except (NotFound, PreconditionFailed):
            return "replaced"  # while it was read; the event of the replacement is on its way
    announce_change(services, record.key, known)
    return outcome


def _detach(services: Services, record: ObjectEvent) -> str:
    """Nothing lies at the key any more. A creation that comes too late is left to the event of the removal."""
    if record.created:
        return "gone"
    attachment = services.catalog.detach(record.key, record.sequencer, services.clock())
    return "stale" if attachment.outcome is AttachOutcome.STALE else "detached"


def _register(services: Services, record: ObjectEvent, info: ObjectInfo, known: Original | None) -> str:
    """Something lies at the key: after a creation, or after a removal that uncovered an older version."""
    try:
        _check_size(services, info)
    except LimitExceeded as error:
        if services.catalog.detach(record.key, record.sequencer, services.clock()).outcome is AttachOutcome.STALE:
            return "stale"
        refuse(services, record.key, UNHASHED, info.etag, failure_of(error))
        return "refused"  # what lay at the key before does not lie there any more
    print_of = fingerprint(services, info, known)
    refusal = _refusal(services, print_of)
    kind = Kind.OTHER if refusal or print_of.sniffed is None else print_of.sniffed.kind
    media_type = print_of.sniffed.media_type if print_of.sniffed else print_of.text_type or "application/octet-stream"
    now = services.clock()
    original = Original(record.key, print_of.hash, info.size, info.etag, record.sequencer, info.version, changed_at=now)
    blob = Blob(print_of.hash, info.size, media_type, kind, created_at=now, changed_at=now)
    if services.catalog.attach(original, blob).outcome is AttachOutcome.STALE:
        return "stale"
    if refusal is not None:
        refuse(services, record.key, print_of.hash, info.etag, refusal)
        return "refused"
    if print_of.text_type:
        return "subtitles"  # they wait for media beside them, or these are told
    opened = encrypt_upload(services, print_of.hash, kind) if asks_for_encryption(services, info) else []
    outcome = start(services, print_of.hash, kind, record.key)
    if outcome == "known":  # its stream may be prepared already; else whoever prepares it sees what was opened
        send_encryption(services, opened)
    return outcome


def _check_size(services: Services, info: ObjectInfo) -> None:
    limit = services.settings.max_bytes
    if info.size > limit:
        raise LimitExceeded(public_message=f"The file has {info.size} bytes; {limit} are allowed.")


def _refusal(services: Services, print_of: Fingerprint) -> Failure | None:
    """Why content of this type is not processed, or None."""
    error: KinoraError | None = print_of.unsupported
    if print_of.sniffed is not None and print_of.sniffed.media_type == "image/svg+xml" and not services.settings.allow_svg:
        error = UnsupportedMedia(public_message="SVG is not accepted by this installation.")
    return failure_of(error) if error else None
