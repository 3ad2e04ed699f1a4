"""Where a webhook may go: which URLs are taken, and which addresses may be connected to. Called when a webhook is made or changed
and again before every attempt; resolves no name and connects to nothing itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from kinora.errors import InvalidInput

MAX_URL = 2048
_LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LOOKS_LIKE_A_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
# Global by the registries, and yet ways to an address inside (IPv4 in IPv6, relays), or not given to anybody.
_ROUNDABOUT = [
    ipaddress.ip_network(network)
    for network in ("192.88.99.0/24", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16", "3fff::/20")
]
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be sent to. `path` includes the query. `is_loopback`: this machine itself, by one of its fixed names."""

    scheme: str
    host: str
    port: int
    path: str
    is_loopback: bool

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, *, ports: Collection[int], loopback: bool) -> Target:
    """The target of `url`; raises InvalidInput with what is wrong. `loopback` lets `http` and any port through for this machine."""
    if len(url) > MAX_URL or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise _refused(f"must be at most {MAX_URL} characters of ASCII without spaces")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise _refused("is not valid") from error
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("must hold neither credentials nor a fragment")
    is_loopback = loopback and host in _LOOPBACK_HOSTS
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        raise _refused("must begin with https://")
    _check_host(host, is_loopback)
    port = port if port is not None else {"https": 443, "http": 80}[parts.scheme]
    if not is_loopback and port not in ports:
        raise _refused(f"must use one of the ports {', '.join(map(str, sorted(ports)))}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, is_loopback)


def may_connect(target: Target, address: str) -> bool:
    """Whether `address`, which the target's host resolves to, may be connected to."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_loopback if target.is_loopback else is_public(found)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one host of the public internet: not private, link-local, shared, multicast or reserved, and not
    IPv4 written as IPv6."""
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address not in _GLOBAL_UNICAST):
        return False
    if any(address.version == network.version and address in network for network in _ROUNDABOUT):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_private)


def _check_host(host: str, is_loopback: bool) -> None:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        last = host.rsplit(".", 1)[-1]
        if len(host) > 253 or not _NAME.fullmatch(host) or _LOOKS_LIKE_A_NUMBER.fullmatch(last):
            raise _refused("must name a host") from None
        if not is_loopback and last == "localhost":
            raise _refused("must not lead to this machine") from None
        return
    if not is_loopback and not is_public(literal):
        raise _refused("must not lead to a private address")


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"webhook URL {why}", public_message=f"The URL {why}.", code="webhook-url")
