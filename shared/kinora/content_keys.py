"""Content keys: making them, wrapping them with AES-256-GCM, and encrypting finished segments with AES-128-CBC.

Called by the key-wrapping driver and by the pipeline; never stores or logs a key. The library is imported by the functions that
need it, so that doors which encrypt nothing do without it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from kinora.errors import ContentKeyDamaged, InvalidSetting, Unavailable

KEY_BYTES = 16  # AES-128, as EXT-X-KEY prescribes (RFC 8216 §4.3.2.4)
NONCE_BYTES = 12
_KEK_BYTES = 32
_DOMAIN = b"kinora-content-key-v1"
_IV_DOMAIN = b"kinora-segment-iv-v1"
_LONE_VERSION = "v1"
_ENTRY = re.compile(r"(?:([A-Za-z0-9_-]{1,32}):)?([A-Za-z0-9_-]{43}=?)")


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """What a content key is for; bound to its wrapping, so that no row can be put in another's place."""

    key_id: str
    hash: str
    revision: int


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped content key with what is needed, besides its identity, to unwrap it."""

    wrapped: bytes
    nonce: bytes
    kek_version: str


@dataclass(frozen=True, slots=True, repr=False)
class KekRing:
    """Key encryption keys by version; `current` wraps, all unwrap. Has no repr, so that no log shows a key."""

    current: str
    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> KekRing:
        """Read `version:base64url` entries of 32 bytes, separated by commas or newlines; the first one wraps. An entry without
        a version is `v1`. Raises InvalidSetting, which never quotes the text."""
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(filter(None, (part.strip() for part in re.split(r"[,\n]", text))), start=1):
            match = _ENTRY.fullmatch(entry)
            version = (match[1] or _LONE_VERSION) if match else ""
            if match is None or version in keys:
                raise InvalidSetting(f"key encryption key {position} is not a new version:base64url of {_KEK_BYTES} bytes")
            keys[version] = base64.urlsafe_b64decode(match[2].rstrip("=") + "=")
        if not keys:
            raise InvalidSetting("there is no key encryption key")
        return cls(next(iter(keys)), keys)


def new_kek(version: str) -> str:
    """A fresh entry of the ring."""
    return f"{version}:{base64.urlsafe_b64encode(secrets.token_bytes(_KEK_BYTES)).decode().rstrip('=')}"


def next_version(ring: KekRing) -> str:
    """A version that the ring does not have: `v` and the next number."""
    numbers = [int(match[1]) for version in ring.keys if (match := re.fullmatch(r"v([0-9]{1,9})", version))]
    return f"v{max(numbers, default=0) + 1}"


def wrap(ring: KekRing, plain: bytes, identity: KeyIdentity, nonce: bytes) -> Wrapped:
    """Wrap `plain` under the ring's current key. A nonce (12 bytes) must never be used twice with one key: take random ones."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data = associated_data(identity, ring.current)
    return Wrapped(AESGCM(ring.keys[ring.current]).encrypt(nonce, plain, data), nonce, ring.current)


def unwrap(ring: KekRing, wrapped: Wrapped, identity: KeyIdentity) -> bytes:
    """Raises ContentKeyDamaged if anything differs from what was wrapped, Unavailable if the ring lacks the version."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    kek = ring.keys.get(wrapped.kek_version)
    if kek is None:
        raise Unavailable(f"content key {identity.key_id} is wrapped by {wrapped.kek_version}, which the ring lacks")
    if len(wrapped.nonce) != NONCE_BYTES:
        raise ContentKeyDamaged(f"content key {identity.key_id} has a nonce of {len(wrapped.nonce)} bytes")
    try:
        return AESGCM(kek).decrypt(wrapped.nonce, wrapped.wrapped, associated_data(identity, wrapped.kek_version))
    except InvalidTag as error:
        raise ContentKeyDamaged(f"content key {identity.key_id} does not unwrap") from error


def associated_data(identity: KeyIdentity, kek_version: str) -> bytes:
    """What the wrapping binds, each field with its length before it: no two different sets make the same bytes."""
    fields = [_DOMAIN, *(text.encode() for text in (identity.hash, str(identity.revision), identity.key_id, kek_version))]
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def segment_iv(key_id: str, track: str, n: int) -> bytes:
    """The explicit initialisation vector of segment `n` of `track`: no two segments under one key share it, and everybody who
    makes the segment, or writes its playlist, finds the same without knowing the key."""
    fields = [_IV_DOMAIN, key_id.encode(), track.encode(), str(n).encode()]
    return hashlib.sha256(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()[:16]


def encrypt_segment(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-128-CBC with PKCS#7 padding (RFC 8216 §4.3.2.4)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    padder, encryptor = PKCS7(128).padder(), Cipher(algorithms.AES128(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def decrypt_segment(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Undo `encrypt_segment`. Raises ContentKeyDamaged for what this key has not encrypted, as far as the padding shows it."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor, unpadder = Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor(), PKCS7(128).unpadder()
    try:
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise ContentKeyDamaged("a segment does not decrypt") from error
