"""Webhooks over HTTPS with the standard library's client. Built by bootstrap; called by the delivering use case.

The name is resolved once, every address is checked, and the connection goes to a checked address while the certificate is
checked against the name. No proxy, no redirect, no cookie, no more than 64 KiB of the answer.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from kinora.webhooks.base import Answer
from kinora.webhooks.targets import Target, may_connect

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024
_MAX_ADDRESSES = 4
_CHUNK = 8192

Resolve = Callable[[str, int], Sequence[str]]


def system_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, by the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[4][0]) for place in found))


class HttpsSender:
    """Implements `webhooks.base.WebhookSender`. `total` is the time in seconds from the connection to the end of the answer."""

    def __init__(
        self,
        *,
        resolve: Resolve = system_addresses,
        may: Callable[[Target, str], bool] = may_connect,
        tls: ssl.SSLContext | None = None,
        total: float = TOTAL_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._may = may
        self._tls = tls
        self._total = total

    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            addresses = self._resolve(target.host, target.port)
        except OSError:
            return Answer(None, "The host name cannot be resolved.")
        if not addresses or not all(self._may(target, address) for address in addresses):
            return Answer(None, "The host name leads to an address that webhooks may not go to.")
        try:
            return self._exchange(target, addresses, headers, body)
        except ssl.SSLCertVerificationError as error:
            return Answer(None, f"The certificate is not valid: {error.verify_message}.")
        except TimeoutError:
            return Answer(None, f"There was no answer within {self._total:g} seconds.")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(None, f"The request failed: {type(error).__name__}.")

    def _exchange(self, target: Target, addresses: Sequence[str], headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises TimeoutError also for what went wrong because the time was over."""
        late = threading.Event()
        try:
            with self._connected(target, addresses, late) as connection:
                connection.request("POST", target.path, body, {"Host": target.authority, **headers})
                return Answer(_status(connection, late))
        except (OSError, http.client.HTTPException, ValueError) as error:
            if late.is_set():
                raise TimeoutError from error
            raise

    @contextlib.contextmanager
    def _connected(
        self, target: Target, addresses: Sequence[str], late: threading.Event
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection to one of the checked addresses, which is cut off when the time is over, whatever it does then."""
        line = _connect(addresses[:_MAX_ADDRESSES], target.port)
        line.settimeout(self._total)
        if target.scheme == "https":
            line = self._context().wrap_socket(line, server_hostname=target.host, do_handshake_on_connect=False)
        watch = threading.Timer(self._total, _cut, (line, late))
        watch.daemon = True
        watch.start()
        try:
            if isinstance(line, ssl.SSLSocket):
                line.do_handshake()
            connection = http.client.HTTPConnection(target.host, target.port)
            connection.sock = line
            yield connection
        finally:
            watch.cancel()
            line.close()

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    """Connect to the first address that answers. Raises OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), CONNECT_SECONDS)
    return socket.create_connection((addresses[-1], port), CONNECT_SECONDS)


def _status(connection: http.client.HTTPConnection, late: threading.Event) -> int:
    """The status of the answer, whose body is read as far as allowed and dropped."""
    answer = connection.getresponse()
    if late.is_set():  # the headers were cut off
        raise TimeoutError
    left = MAX_ANSWER_BYTES
    begun = time.monotonic()
    with contextlib.suppress(OSError, http.client.HTTPException):  # the status is what counts
        while left > 0 and not late.is_set() and time.monotonic() - begun < CONNECT_SECONDS:
            chunk = answer.read1(min(left, _CHUNK))
            if not chunk:
                break
            left -= len(chunk)
    return answer.status


def _cut(line: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)  # the TLS layer, which another thread reads from, stays as it is
