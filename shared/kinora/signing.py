"""Signatures in URLs: HMAC-SHA256 (RFC 2104) under a ring of keys, so that keys can be rotated.

Called by the API, the CLI and `playback_tokens`; docs/signatures.md states the form. A signature is `{kid}.{expires}.{mac}` with
`expires` in seconds since the Unix epoch and the MAC in base64url without padding (RFC 4648 §5).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kinora.errors import InvalidInput, InvalidSetting, SignatureExpired, SignatureInvalid

_VERSION = "kinora-v1"
_METHOD = "GET"  # HEAD asks for no more than GET and is verified as GET
_LONE_KID = "k1"
_MIN_KEY_BYTES = 32

_KEY = re.compile(r"(?:([A-Za-z0-9_-]{1,32}):)?([A-Za-z0-9_-]{2,}={0,2})")
_SIGNATURE = re.compile(r"([A-Za-z0-9_-]{1,32})\.(0|[1-9][0-9]{0,14})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Signing keys by key id; `current` signs, all verify. Has no repr, so that no log shows a key."""

    current: str
    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `kid:base64url` entries separated by commas or newlines; the first one signs.

        An entry without a key id is called `k1`. Keys have 32 bytes or more. Raises InvalidSetting, which never quotes
        the text.
        """
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(filter(None, (part.strip() for part in re.split(r"[,\n]", text))), start=1):
            match = _KEY.fullmatch(entry)
            kid = (match[1] or _LONE_KID) if match else ""
            key = _decode(match[2]) if match else b""
            if len(key) < _MIN_KEY_BYTES or kid in keys:
                raise InvalidSetting(f"signing key {position} is not a new kid:base64url of {_MIN_KEY_BYTES} bytes or more")
            keys[kid] = key
        if not keys:
            raise InvalidSetting("there is no signing key")
        return cls(next(iter(keys)), keys)


def sign(keyring: Keyring, route: str, subject: str, *, expires_at: int, options: str = "") -> str:
    """Sign a GET of `subject` (the decoded key) on `route` (`original`, `thumb`, `img`) until `expires_at`.

    `options` are the canonical processing options, where the route has some. Raises InvalidInput for what no URL can say.
    """
    expires = str(int(expires_at))
    try:
        mac = _mac(keyring.keys[keyring.current], route, keyring.current, expires, subject, options)
    except UnicodeEncodeError as error:
        raise InvalidInput("what is to be signed is not valid Unicode") from error
    signature = f"{keyring.current}.{expires}.{mac}"
    if not _SIGNATURE.fullmatch(signature):
        raise InvalidInput(f"not a time to expire at: {expires}")
    return signature


def verify(keyring: Keyring, signature: str, route: str, subject: str, *, now: float, options: str = "") -> int:
    """Accept exactly what `sign` returned for the same arguments, until it expires; returns when that is.

    Raises SignatureInvalid for anything else, whatever it is, and SignatureExpired for a true signature from
    `expires_at` on. The comparison takes the same time wherever the first difference lies.
    """
    match = _SIGNATURE.fullmatch(signature) if isinstance(signature, str) else None
    key = keyring.keys.get(match[1]) if match else None
    if match is None or key is None:
        raise SignatureInvalid("malformed signature or unknown key id")
    try:
        expected = _mac(key, route, match[1], match[2], subject, options)
    except (UnicodeEncodeError, AttributeError) as error:
        raise SignatureInvalid("the signed fields are not text") from error
    # Text is compared, not decoded bytes: of all encodings of a MAC only the canonical one is accepted.
    if not hmac.compare_digest(expected, match[3]):
        raise SignatureInvalid("wrong signature")
    expires_at = int(match[2])
    if now >= expires_at:
        raise SignatureExpired(f"expired at {expires_at}")
    return expires_at


def _mac(key: bytes, route: str, kid: str, expires: str, subject: str, options: str) -> str:
    fields = (field.encode() for field in (_VERSION, route, _METHOD, kid, expires, subject, options))
    # A length before each field: no two different sets of fields make the same message.
    message = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).decode().rstrip("=")


def _decode(text: str) -> bytes:
    bare = text.rstrip("=")
    if len(bare) % 4 == 1:
        return b""
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
