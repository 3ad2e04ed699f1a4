"""Playback tokens: a signature over one content hash, and behind a further point the limits that it covers (docs/signatures.md).

Made and read by the API and the command line. A limit that this version does not know makes a token useless, never wider.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from dataclasses import asdict, dataclass

from kinora.errors import InvalidInput, SignatureInvalid
from kinora.signing import Keyring, sign, verify

ROUTE = "playback"

_TOKEN = re.compile(r"([^.]+\.[^.]+\.[^.]+)(?:\.([A-Za-z0-9_-]{2,1024}))?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAPPED = 96  # bits in front of an IPv4 address that is written as an IPv6 one (RFC 4291 §2.5.5.2)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a token allows less than everything of its medium; an empty field is no limit.

    `network` is the CIDR prefix that the viewer's address must lie in, `rendition` the only one that may be seen, `session`
    the name under which the one session of this token is claimed.
    """

    network: str = ""
    rendition: str = ""
    session: str = ""

    def hold_for(self, address: str | None) -> bool:
        """Whether a viewer at `address` is inside the network."""
        if not self.network:
            return True
        try:
            viewer = ipaddress.ip_address((address or "").partition("%")[0])
        except ValueError:
            return False
        mapped = viewer.ipv4_mapped if isinstance(viewer, ipaddress.IPv6Address) else None
        return (mapped or viewer) in ipaddress.ip_network(self.network)


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class PlaybackToken:
    """What a true token says; `expires_at` in seconds since the Unix epoch."""

    expires_at: int
    limits: Limits


def make_token(keyring: Keyring, content_hash: str, *, expires_at: int, limits: Limits = NO_LIMITS) -> str:
    """A URL-safe token that allows to play one medium: its playlists, segments, pictures and content keys.

    Raises InvalidInput for limits that cannot be.
    """
    written = _write(limits)
    signature = sign(keyring, ROUTE, content_hash, expires_at=expires_at, options=written)
    return f"{signature}.{written}" if written else signature


def read_token(keyring: Keyring, token: str, content_hash: str, *, now: float) -> PlaybackToken:
    """Raises SignatureInvalid or SignatureExpired unless `token` allows to play `content_hash` at `now`, within its limits."""
    found = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if found is None:
        raise SignatureInvalid("malformed playback token")
    expires_at = verify(keyring, found[1], ROUTE, content_hash, now=now, options=found[2] or "")
    return PlaybackToken(expires_at, _read(found[2] or ""))


def network_of(text: str) -> str:
    """A CIDR prefix, or a single address, in the one form in which it is signed. Raises InvalidInput."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InvalidInput(public_message=f"{text!r} is no address and no CIDR prefix.") from error
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= _MAPPED:
        return f"{mapped}/{network.prefixlen - _MAPPED}"
    return str(network)


def _write(limits: Limits) -> str:
    """Canonical JSON (sorted, no spaces, only what is set) in base64url without padding; nothing if there is no limit."""
    fields = {name: value for name, value in asdict(limits).items() if value}
    if any(not _NAME.fullmatch(value) for name, value in fields.items() if name != "network"):
        raise InvalidInput(public_message="A rendition or session has 1 to 64 letters, digits, - and _.")
    if limits.network:
        fields["network"] = network_of(limits.network)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":")) if fields else ""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(written: str) -> Limits:
    """Only called with what was signed."""
    if not written:
        return Limits()
    try:
        limits = Limits(**json.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))))
        is_known = _write(limits) == written
    except (ValueError, TypeError, AttributeError, InvalidInput) as error:
        raise SignatureInvalid("the token has limits that are not known here") from error
    if not is_known:
        raise SignatureInvalid("the token's limits are not in canonical form")
    return limits
