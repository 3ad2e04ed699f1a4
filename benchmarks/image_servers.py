"""Pictures over HTTP: `/img` of a running Kinora beside thumbor, made for the first time and asked for again."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks.image_peers import install_thumbor
from benchmarks.report import Report
from kinora.signing import Keyring, sign

_CLIENTS = 2
_PATIENCE = 60.0  # seconds


def run(report: Report, folder: Path, photos: Sequence[Path], count: int) -> None:
    """`count` pictures of each photo, each of another width."""
    rows: list[list[object]] = []
    with _kinora(folder / "images", photos) as (base, address):
        rows += _measure("kinora", base, address, photos, count)
    try:
        port = _free_port()
        command = install_thumbor(folder, folder, port)
        with _server(command, f"http://127.0.0.1:{port}") as base:
            rows += _measure(
                "thumbor", base, lambda photo, width: f"/unsafe/{width}x200/filters:format(webp)/{photo.name}", photos, count
            )
        peers = "thumbor keeps its results in files, too"
    except (subprocess.SubprocessError, OSError, TimeoutError) as error:
        peers = f"thumbor could not be run ({type(error).__name__})"
    report.table(
        "Pictures over HTTP",
        f"{count} widths from 300 pixels on, 200 high, filled and cut, WebP of quality 80, {_CLIENTS} clients; {peers}. The goal is 3 × "
        "thumbor's throughput.",
        ["server", "photo", "first time images/s", "first time median ms", "again images/s", "again median ms"],
        rows,
    )


def _measure(
    who: str, base: str, address: Callable[[Path, int], str], photos: Sequence[Path], count: int
) -> list[list[object]]:
    rows: list[list[object]] = []
    for photo in photos:
        paths = [address(photo, 300 + n) for n in range(count)]
        _fetch_all(base, [address(photo, 299)])  # processes start when they are first needed
        rows.append([who, photo.stem, *_fetch_all(base, paths), *_fetch_all(base, paths)])
    return rows


def _fetch_all(base: str, paths: Sequence[str]) -> tuple[float, float]:
    """Pictures in a second, and the median of milliseconds for one."""
    start = time.perf_counter()
    with ThreadPoolExecutor(_CLIENTS) as threads:
        seconds = sorted(
            one
            for part in threads.map(_fetch, [base] * _CLIENTS, [paths[n::_CLIENTS] for n in range(_CLIENTS)])
            for one in part
        )
    return len(paths) / (time.perf_counter() - start), 1000 * seconds[len(seconds) // 2]


def _fetch(base: str, paths: Sequence[str]) -> list[float]:
    seconds = []
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=_PATIENCE)
    for path in paths:
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or not body:
            raise OSError(f"{path}: {answer.status} {body[:200]!r}")
        seconds.append(time.perf_counter() - start)
    connection.close()
    return seconds


@contextmanager
def _kinora(data: Path, photos: Sequence[Path]) -> Iterator[tuple[str, Callable[[Path, int], str]]]:
    """An instance that knows the photos; its address, and where a picture of a photo is."""
    uploads = data / "source" / "uploads"
    uploads.mkdir(parents=True)
    for photo in photos:
        shutil.copy(photo, uploads)
    port = _free_port()
    command = [sys.executable, "-m", "kinora.local.cli", "up", "--data", str(data), "--port", str(port)]
    with _server(command, f"http://127.0.0.1:{port}") as base:
        for photo in photos:
            _wait_until_ready(base, data, hashlib.sha256(photo.read_bytes()).hexdigest())
        keyring = Keyring.parse((data / "secrets" / "signing-keys").read_text())

        def address(photo: Path, width: int) -> str:
            options, subject = f"w:{width},h:200,fit:cover", f"uploads/{photo.name}.webp"
            signature = sign(keyring, "img", subject, expires_at=int(time.time()) + 3600, options=options)
            return f"/img/{signature}/{options}/{quote(subject)}"

        yield base, address


def _wait_until_ready(base: str, data: Path, content_hash: str) -> None:
    key = (data / "secrets" / "api-key").read_text().strip()
    request = urllib.request.Request(f"{base}/api/media/{content_hash}", headers={"X-Api-Key": key})
    _until(lambda: any(job["state"] == "ready" for job in json.load(urllib.request.urlopen(request, timeout=30))["jobs"]))


@contextmanager
def _server(command: Sequence[str], base: str) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            _until(lambda: socket.create_connection((urlsplit(base).hostname, urlsplit(base).port), 1).close() is None)
            yield base
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # its processes, too
            try:
                server.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + _PATIENCE
    while True:
        try:
            if holds():
                return
        except OSError:  # not there yet
            pass
        if time.perf_counter() > deadline:
            raise TimeoutError("it does not start")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
