"""A Kinora whose pictures are made in this process, through the functions' own way in; for tests of `/img`."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi.testclient import TestClient
from httpx import Response

from kinora.api.access import Access
from kinora.api.app import create_app
from kinora.invoking.base import Request, is_made
from kinora.pipeline.tasks import perform
from kinora.services import Services
from tests.house import HOUR, House, house


class Direct:
    """A Maker without processes of its own; `asked` are the requests, `gate` holds them back while it is closed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.asked: list[Request] = []
        self.gate = threading.Event()
        self.gate.set()

    def use(self, services: Services) -> None:
        """Begin anew, with other services."""
        self._services = services
        self.asked = []

    def make(self, request: Request) -> bool:
        self.asked.append(request)
        self.gate.wait(10)
        return is_made(perform(self._services, request, lambda: HOUR))


class Pictures:
    """`get` asks for a picture with a signature, unless another one is given."""

    def __init__(self, home: House, client: TestClient, access: Access, maker: Direct) -> None:
        self.home = home
        self.client = client
        self.access = access
        self.maker = maker

    def take_in(self, name: str, data: bytes) -> str:
        """Upload and ingest; returns the hash."""
        self.home.ingest(self.home.put(name, data))
        original = self.home.services.catalog.original(f"uploads/{name}")
        assert original is not None
        return original.hash

    def address(self, options: str, name: str, signature: str | None = None) -> str:
        path = f"uploads/{name}"
        signature = self.access.sign("img", path, options=options) if signature is None else signature
        return f"/img/{signature}/{quote(options, safe=':,')}/{quote(path)}"

    def get(self, options: str, name: str, *, signature: str | None = None, method: str = "GET", **headers: str) -> Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.client.request(method, self.address(options, name, signature), headers=named)

    def cached(self) -> list[str]:
        return [key for key in self.home.objects() if key.startswith("cache/")]


@contextmanager
def pictures(folder: Path, **settings: str) -> Iterator[Pictures]:
    with house(folder, **settings) as home:
        maker = Direct(home.services)
        services = dataclasses.replace(home.services, on_demand=maker)
        with TestClient(create_app(services), follow_redirects=False) as client:
            yield Pictures(home, client, Access(services), maker)
