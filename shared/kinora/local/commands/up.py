"""`kinora up`: runs everything on this machine until it is stopped: the functions, the API with its page, the source folder."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import socket
import threading
from pathlib import Path
from types import FrameType

from kinora.errors import Unavailable
from kinora.local.context import Context
from kinora.local.house import LOG_FILE, House, Options
from kinora.local.lock import InstanceLock
from kinora.local.logs import WithoutCredentials, log_to_terminal
from kinora.local.putting import Putting
from kinora.local.sources.base import Chaos
from kinora.model import Scope
from kinora.secrets.base import SecretName
from kinora.secrets.files import FileSecrets

DEFAULT_PORT = 8700
_PATIENCE_SECONDS = 5.0  # workers of a killed instance hold its lock until they have noticed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, help=f"port to listen on (default {DEFAULT_PORT}, or a free one if it is taken)")
    parser.add_argument("--workers", type=int, default=0, help="how many encode at the same time (default: one per core)")
    parser.add_argument("--sample", action="append", default=[], metavar="FILE", help="put this file after the start")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what functions and requests log")
    parser.add_argument("--deliver-twice", action="store_true", help="invoke functions twice for each event, as AWS may")
    parser.add_argument("--shuffle", action="store_true", help="deliver S3 events in any order, as AWS may")


def run(context: Context, arguments: argparse.Namespace) -> int:
    log_to_terminal(logging.DEBUG if arguments.verbose else logging.INFO)
    chaos = Chaos(deliver_twice=arguments.deliver_twice, shuffle=arguments.shuffle)
    options = Options(workers=max(0, arguments.workers), verbose=arguments.verbose, chaos=chaos)
    plan = context.plan()
    with InstanceLock(context.data).acquire(_PATIENCE_SECONDS) as lock:
        listener = _listen(arguments.host, arguments.port)
        secrets = FileSecrets(context.data)
        api_key, is_new = secrets.ensure(SecretName.API_KEY)
        secrets.ensure(SecretName.SIGNING_KEYS)
        secrets.ensure(SecretName.WEBHOOK_KEY)
        secrets.ensure(SecretName.KEY_ENCRYPTION_KEYS)
        with listener, House(plan, lock, context.data, os.environ, options) as house:
            url = _url_of(listener)
            lock.announce(url)
            _greet(context, house, url, api_key if is_new else None)
            samples = threading.Thread(target=_put_samples, args=(context, house, url, arguments.sample), daemon=True)
            samples.start()
            _serve(house, listener, verbose=arguments.verbose)
    return 0


def _listen(host: str, port: int | None) -> socket.socket:
    """A listening socket; the port 0 or none given means that any free one may be taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, DEFAULT_PORT if port is None else port), family=family)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _listen(host, 0)
        raise Unavailable(public_message=f"{host}:{port} cannot be listened on: {error.strerror}.") from error
    except OverflowError:
        raise Unavailable(public_message="--port must be 0 to 65535.") from None
    # Accepted sockets inherit it, and asyncio sets it only on those that say they are TCP, which these do not: without it the body
    # of each answer waits 40 ms for the client to confirm the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greet(context: Context, house: House, url: str, new_api_key: str | None) -> None:
    settings = house.services.settings
    folder = Path(settings.scopes[Scope.SOURCE].root, settings.upload_prefix)
    page = f"{url}/#key={new_api_key}" if new_api_key else f"{url}/"
    key = f"{new_api_key} (shown this once; kept in {context.data / 'secrets' / SecretName.API_KEY})"
    lines = [
        f"page      {page}",
        f"API       {url}/docs",
        f"drop into {folder}",
        f"log       {context.data / LOG_FILE}",
        *([f"API key   {key}"] if new_api_key else []),
    ]
    value: dict[str, object] = {"url": url, "page": page, "docs": f"{url}/docs", "uploads": str(folder), "pid": os.getpid()}
    context.result(value | ({"api_key": new_api_key} if new_api_key else {}), "\n".join(lines))


def _put_samples(context: Context, house: House, url: str, files: list[str]) -> None:
    try:
        Putting(context, house.services, url, early=True).put([Path(name) for name in files])
    except Exception:
        logging.getLogger("kinora.local").exception("samples")


def _serve(house: House, listener: socket.socket, *, verbose: bool) -> None:
    """Serve HTTP until SIGINT or SIGTERM."""
    import uvicorn

    from kinora.api.app import create_app

    app = create_app(house.services)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="info" if verbose else "warning",
        access_log=verbose,
        timeout_graceful_shutdown=2,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe any process of this machine; KINORA_TRUSTED_PROXIES says whom to believe
    )

    logging.getLogger("uvicorn.access").addFilter(WithoutCredentials())

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            threading.Thread(target=house.stop_on_demand).start()  # whoever waits for a segment would hold up the end
            app.state.listeners.close()
            super().handle_exit(sig, frame)

    server = Server(config)

    # uvicorn raises the signal that ended it once more for whoever handled it before: that is us, and we go on to clean up.
    def stop(_number: int, _frame: object) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.run(sockets=[listener])
