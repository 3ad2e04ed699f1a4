"""Asking for a stream to be encrypted, or encrypted anew under another content key. Called by ingest and the API; encrypts nothing.

What is encrypted is private from the moment it is asked for: playlists, posters and everything else need a playback token. It
never becomes clear again: of an upload that asks for encryption and one of the same bytes that does not, the first wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from kinora.errors import InvalidKey, NotFound, StaleState, UnsupportedMedia
from kinora.model import Blob, BlobState, ContentKey, Export, Failure, Kind, MediaAccess, Scope
from kinora.object_keys import encrypt_mark
from kinora.pipeline.export_states import open_exports, send_exports
from kinora.pipeline.exports import newest_job
from kinora.pipeline.revisions import Revisions, is_retired, is_revision, number_of, revision_name, revisions_in
from kinora.pipeline.work import job_id, recipe_of
from kinora.queues.base import QueueName
from kinora.services import Services
from kinora.storage.base import ObjectInfo

_STREAMED = {Kind.VIDEO, Kind.AUDIO}


@dataclass(frozen=True, slots=True)
class RevisionState:
    """One encrypted revision: `state` is pending, ready, failed or retired; `key` is None before its first segment."""

    revision: int
    state: str
    error: Failure | None
    key: ContentKey | None


@dataclass(frozen=True, slots=True)
class Encryption:
    """`served` is the revision that players get, 0 while that is the clear one."""

    served: int
    revisions: tuple[RevisionState, ...]

    @property
    def is_settled(self) -> bool:
        return all(one.state != "pending" for one in self.revisions)


def look_at_encryption(services: Services, content_hash: str) -> Encryption:
    """Raises NotFound for media that are not known."""
    _blob(services, content_hash)
    exports = [one for one in services.catalog.exports(content_hash) if is_revision(one)]
    keys = {key.revision: key for key in services.content_keys.list(content_hash)}
    states = [_state(one, keys.get(number_of(one))) for one in exports]
    return Encryption(revisions_in(exports).served, tuple(sorted(states, key=lambda one: one.revision)))


def request_encryption(services: Services, content_hash: str, revision: int | None = None) -> Encryption:
    """Have `revision` of the stream written and served: 1 encrypts it, the number after the newest one changes its content key;
    None is the newest, or 1. Asking for one that exists changes nothing, unless it has failed: then it is tried again.

    Raises NotFound, UnsupportedMedia for what is no stream, StaleState for a number that is not next, or while the one before
    is still being written.
    """
    blob = _blob(services, content_hash)
    if blob.kind not in _STREAMED:
        raise UnsupportedMedia(public_message="Only video and audio can be encrypted.")
    revisions = revisions_in(services.catalog.exports(content_hash))
    wanted = revision or max(revisions.newest, 1)
    if not _may_be_written(revisions, wanted):
        raise StaleState(
            f"revision {wanted} of {content_hash} after {revisions}",
            public_message=f"The newest revision is {revisions.newest}, and {revisions.served} is served: {wanted} is not next.",
        )
    opened = _open(services, content_hash, wanted, newest_job(services, content_hash).id, retry=wanted >= revisions.newest)
    if opened:
        send_exports(services, opened, opened[0].task)
    return look_at_encryption(services, content_hash)


def asks_for_encryption(services: Services, original: ObjectInfo) -> bool:
    """Whether the installation's setting, the upload's metadata or a mark beside it wants the content encrypted."""
    if services.settings.encrypt == "all" or original.encrypt:
        return True
    if services.presigner is not None:  # a store with metadata needs no marks
        return False
    try:
        return bool(services.storage.head(Scope.SOURCE, encrypt_mark(original.key)))
    except (NotFound, InvalidKey):
        return False


def mark_for_encryption(services: Services, key: str) -> None:
    """Before an original is stored where objects have no metadata: what lies at `key` shall be encrypted. Raises InvalidKey."""
    services.storage.put(Scope.SOURCE, encrypt_mark(key), b"")


def forget_mark(services: Services, key: str) -> None:
    """The original is gone, and another one at its key makes its own wishes."""
    if services.presigner is None:
        with suppress(InvalidKey):
            services.storage.delete(Scope.SOURCE, encrypt_mark(key))


def encrypt_upload(services: Services, content_hash: str, kind: Kind) -> list[Export]:
    """Have content that is taken in just now encrypted, unless it is already. What is returned has still to be sent, by
    `send_encryption`, if the content was known: its stream may be prepared by then."""
    if kind not in _STREAMED or revisions_in(services.catalog.exports(content_hash)).newest:
        return []
    return _open(services, content_hash, 1, job_id(content_hash, recipe_of(services.settings, kind)), retry=False)


def send_encryption(services: Services, opened: list[Export]) -> None:
    if opened:
        send_exports(services, opened, opened[0].task)


def _may_be_written(revisions: Revisions, wanted: int) -> bool:
    return wanted <= revisions.newest or (wanted == revisions.newest + 1 and revisions.served == revisions.newest)


def _open(services: Services, content_hash: str, revision: int, job: str, *, retry: bool) -> list[Export]:
    services.catalog.set_access(content_hash, MediaAccess.TOKEN)  # first: nothing encrypted is ever public
    task: Mapping[str, object] = {"task": "encrypt", "job": job, "revision": revision}
    return open_exports(services, content_hash, QueueName.ENCODE, {revision_name(revision): task}, retry=retry)


def _state(export: Export, key: ContentKey | None) -> RevisionState:
    state = "retired" if is_retired(export) else export.state.value
    return RevisionState(number_of(export), state, None if is_retired(export) else export.error, key)


def _blob(services: Services, content_hash: str) -> Blob:
    blob = services.catalog.blob(content_hash)
    if blob is None or blob.state is BlobState.CONDEMNED:
        raise NotFound(f"no blob {content_hash}")
    return blob
