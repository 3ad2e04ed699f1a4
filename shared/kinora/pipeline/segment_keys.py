"""The content keys of a stream's revisions: made when the first segment needs one, unwrapped for those who encrypt or serve them.

Called by the pipeline and the API. Plain keys stay in this process's memory and are never logged or stored.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from threading import Lock

from kinora.content_keys import KEY_BYTES, KeyIdentity, Wrapped
from kinora.errors import AlreadyExists, NotFound, StaleState
from kinora.model import BlobState, ContentKey
from kinora.services import Services

_ATTEMPTS = 5
_KEPT = 256
_lock = Lock()
_kept: OrderedDict[ContentKey, bytes] = OrderedDict()  # by whole rows; KMS would be asked for every segment otherwise


def content_key(services: Services, content_hash: str, revision: int) -> ContentKey:
    """The key of a revision (1 or more), made if there is none; of several makers one wins.

    Raises NotFound if the blob was removed meanwhile, Unavailable.
    """
    for _ in range(_ATTEMPTS):
        known = stored_key(services, content_hash, revision)
        if known is not None:
            return known
        made = _new_key(services, content_hash, revision)
        try:
            services.content_keys.create(made)
        except AlreadyExists:
            continue
        blob = services.catalog.blob(content_hash)
        if blob is None or blob.state is BlobState.CONDEMNED:
            services.content_keys.delete(content_hash)
            raise NotFound(f"{content_hash} was removed while its content key was made")
        return made
    raise StaleState(f"the content keys of {content_hash} change all the time")


def stored_key(services: Services, content_hash: str, revision: int) -> ContentKey | None:
    return next((one for one in services.content_keys.list(content_hash) if one.revision == revision), None)


def plain_key(services: Services, key: ContentKey) -> bytes:
    """Raises ContentKeyDamaged, Unavailable."""
    with _lock:
        plain = _kept.get(key)
    if plain is None:
        plain = services.key_wrapping.unwrap(Wrapped(key.wrapped, key.nonce, key.kek_version), identity_of(key))
        with _lock:
            _kept[key] = plain
            while len(_kept) > _KEPT:
                _kept.popitem(last=False)
    return plain


def identity_of(key: ContentKey) -> KeyIdentity:
    return KeyIdentity(key.key_id, key.hash, key.revision)


def _new_key(services: Services, content_hash: str, revision: int) -> ContentKey:
    identity = KeyIdentity(secrets.token_hex(16), content_hash, revision)
    wrapped = services.key_wrapping.wrap(secrets.token_bytes(KEY_BYTES), identity)
    return ContentKey(
        key_id=identity.key_id,
        hash=content_hash,
        revision=revision,
        wrapped=wrapped.wrapped,
        nonce=wrapped.nonce,
        kek_version=wrapped.kek_version,
        created_at=services.clock(),
    )
