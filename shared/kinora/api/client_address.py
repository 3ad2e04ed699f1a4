"""Where a request comes from: the connection's other end, or what as many proxies as the settings trust have noted."""

from __future__ import annotations

from fastapi import Request


def client_address(request: Request, trusted_proxies: int) -> str | None:
    """The client's address, or None if nobody knows.

    Each of `trusted_proxies` adds the address that it saw to the end of `X-Forwarded-For`; what stands before
    those is the client's own word and is not read. On AWS the connection's other end is the event's `sourceIp`.
    """
    if trusted_proxies == 0:
        return request.client.host if request.client else None
    noted = [one.strip() for line in request.headers.getlist("X-Forwarded-For") for one in line.split(",")]
    return noted[-trusted_proxies] if len(noted) >= trusted_proxies else None
