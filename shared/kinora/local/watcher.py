"""Turns changes of the source folder into S3 events: by hand or through the API, everything that lands there is noticed.

Started by `house`. Notifications of the system only wake it up; what counts is the comparison with what is known, so a
restart neither forgets nor repeats anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinora.errors import InvalidKey, KinoraError, NotFound
from kinora.local.known_files import CREATED, CREATED_OF_PARTS, KnownFiles
from kinora.local.source_folder import files_below, is_being_written, signature_of
from kinora.model import Scope
from kinora.storage.base import Storage
from kinora.upload_names import is_unfinished

SETTLE_SECONDS = 0.2  # a file that looks the same for so long may be complete
TICK_SECONDS = 0.1
RESCAN_SECONDS = 15.0  # safety net for changes that the system did not report
BLIND_RESCAN_SECONDS = 1.0  # where it cannot report any

_logger = logging.getLogger("kinora.local")


@dataclass(frozen=True, slots=True)
class _Look:
    signature: str | None
    since: float


class Watcher:
    """Watches `root`, the folder of the source scope, from `start` to `stop`. `was_joined` tells of an ETag whether the object
    was uploaded in parts."""

    def __init__(
        self, root: Path, storage: Storage, known: KnownFiles, was_joined: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._root = root.resolve()
        self._storage = storage
        self._table = known
        self._was_joined = was_joined
        self._known: dict[str, str] = {}
        self._pending: dict[str, _Look] = {}
        self._unsayable: set[str] = set()
        self._touched: set[Path] = set()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._blind = False
        self._threads = [
            threading.Thread(target=self._listen, name="watch-notices"),
            threading.Thread(target=self._work, name="watch"),
        ]

    def start(self) -> None:
        """Begin. Files that came, changed or went while nobody watched are told about first."""
        self._known = self._table.all()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._news.set()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        from watchfiles import watch

        try:
            for changes in watch(
                self._root, watch_filter=None, debounce=100, step=20, stop_event=self._stopping, rust_timeout=500
            ):
                with self._lock:
                    self._touched.update(Path(path) for _, path in changes)
                self._news.set()
        except Exception as error:  # noqa: BLE001 - no inotify, too few watches: looking often is slower but right
            _logger.warning("the system does not report changes of %s (%s); looking every second", self._root, error)
            self._blind = True

    def _work(self) -> None:
        next_scan = 0.0
        first_scan = True
        while not self._stopping.is_set():
            try:
                if time.monotonic() >= next_scan:
                    next_scan = self._scan_again(soon=first_scan)
                    first_scan = False
                self._take_notices()
                self._look_at_pending()
            except KinoraError as error:
                _logger.error("watcher: %s", error)  # noqa: TRY400 - a full disk or a locked database, not our bug
                self._stopping.wait(1.0)
            except Exception:
                _logger.exception("watcher")
                self._stopping.wait(1.0)
            self._news.wait(TICK_SECONDS if self._pending else BLIND_RESCAN_SECONDS)
            self._news.clear()

    def _scan_again(self, *, soon: bool) -> float:
        """Compare everything with what is known; returns when to do it again, later where it takes long. The second scan
        is soon: changes may have come before the system began to report."""
        begun = time.monotonic()
        self._scan(self._root)
        took = time.monotonic() - begun
        wait = BLIND_RESCAN_SECONDS if soon or self._blind else RESCAN_SECONDS
        return time.monotonic() + max(wait, 20 * took)

    def _scan(self, folder: Path) -> None:
        if not self._root.is_dir():
            _logger.error("the source folder %s is gone; nothing is taken as removed", self._root)
            return
        prefix = "" if folder == self._root else f"{folder.relative_to(self._root).as_posix()}/"
        found = set(files_below(self._root, folder))
        gone = {key for key in self._known if key.startswith(prefix)} - found
        for key in found | gone:
            self._consider(key)

    def _take_notices(self) -> None:
        with self._lock:
            touched, self._touched = self._touched, set()
        for path in touched:
            key = path.relative_to(self._root).as_posix()
            if path != self._root and is_unfinished(key):
                continue
            if path.is_dir() or not (key in self._known or path.exists()):  # a folder, here or gone as a whole
                self._scan(path)
            self._consider(key)

    def _consider(self, key: str) -> None:
        if not _is_unicode(key):
            self._refuse(key)
            return
        signature = self._signature(key)
        if signature != self._known.get(key) and key not in self._pending:
            self._pending[key] = _Look(signature, time.monotonic())

    def _signature(self, key: str) -> str | None:
        """As it is now; where that cannot be told (an unreadable folder), as it was: nothing is taken as removed."""
        try:
            return signature_of(self._root / key)
        except OSError as error:
            _logger.warning("%s", error)
            return self._known.get(key)

    def _refuse(self, key: str) -> None:
        """A name that is not UTF-8 cannot be the key of an object, on AWS neither."""
        if key not in self._unsayable:
            self._unsayable.add(key)
            _logger.warning("ignored %r: its name is not UTF-8", key)

    def _look_at_pending(self) -> None:
        if not self._root.is_dir():
            return
        for key, before in list(self._pending.items()):
            signature = self._signature(key)
            if signature == self._known.get(key):
                del self._pending[key]
            elif signature is None:
                self._table.removed(key)
                del self._known[key], self._pending[key]
                _logger.info("removed %s", key)
            elif signature != before.signature:
                self._pending[key] = _Look(signature, time.monotonic())
            elif time.monotonic() - before.since >= SETTLE_SECONDS and not is_being_written(self._root / key):
                self._tell(key, signature)

    def _tell(self, key: str, signature: str) -> None:
        size = int(signature.split("-")[1])
        etag = signature
        try:
            info = self._storage.head(Scope.SOURCE, key)
            size, etag = info.size, info.etag
        except NotFound:  # just gone, or below a link: the next scan tells
            del self._pending[key]
            return
        except InvalidKey as error:  # the ingest function refuses it in a way that everybody sees
            _logger.warning("%s", error)
        name = CREATED_OF_PARTS if self._was_joined(etag) else CREATED
        self._table.created(key, signature, size=size, etag=etag, name=name)
        self._known[key] = signature
        del self._pending[key]
        _logger.info("found %s (%d bytes)", key, size)


def _is_unicode(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
