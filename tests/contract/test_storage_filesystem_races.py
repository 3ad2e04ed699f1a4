"""The filesystem driver with many writers at once, killed writers and full disks."""

from __future__ import annotations

import multiprocessing
import shlex
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from kinora.errors import (
    AlreadyExists,
)
from kinora.model import Scope
from kinora.storage.base import PutMode
from kinora.storage.filesystem import FilesystemStorage
from tests.contract.storage_suite import MEDIA, BrokenStream, keys_of


@pytest.fixture
def storage(tmp_path):
    return FilesystemStorage({scope: tmp_path / scope.value for scope in Scope})


def test_sixteen_threads_create_and_one_wins(storage):
    for turn in range(20):
        barrier = threading.Barrier(16)

        def create(n, turn=turn, barrier=barrier):
            barrier.wait()
            try:
                storage.put(MEDIA, f"race/{turn}", f"writer {n}".encode(), PutMode.CREATE)
            except AlreadyExists:
                return None
            return f"writer {n}".encode()

        with ThreadPoolExecutor(16) as pool:
            winners = [winner for winner in pool.map(create, range(16)) if winner]
        assert len(winners) == 1
        assert storage.open(MEDIA, f"race/{turn}").read() == winners[0]


def create_many(root: str, writer: int) -> list[int]:
    storage = FilesystemStorage({MEDIA: Path(root)})
    won = []
    for n in range(60):
        with suppress(AlreadyExists):
            storage.put(MEDIA, f"race/{n}", str(writer).encode(), PutMode.CREATE)
            won.append(n)
    return won


def test_of_several_processes_one_wins_each_create(tmp_path):
    """The drivers start one after the other, so that each cleans up while the others write."""
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(create_many, [str(tmp_path)] * 4, range(4)))
    assert sorted(n for won in results for n in won) == list(range(60))
    storage = FilesystemStorage({MEDIA: tmp_path})
    for writer, won in enumerate(results):
        assert all(storage.open(MEDIA, f"race/{n}").read() == str(writer).encode() for n in won)


def test_puts_beside_deletes_keep_their_folders(storage):
    """Deleting removes empty folders at the moment in which another thread puts into them."""

    def put_and_delete(n):
        for turn in range(150):
            storage.put(MEDIA, f"a/b/c/{n}", str(turn).encode())
            assert storage.open(MEDIA, f"a/b/c/{n}").read() == str(turn).encode()
            storage.delete(MEDIA, f"a/b/c/{n}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put_and_delete, range(4)))
    assert keys_of(storage) == []


def test_readers_see_whole_objects_while_writers_replace_them(storage):
    storage.put(MEDIA, "k", b"0" * 500_000)
    done = threading.Event()

    def write():
        for turn in range(60):
            storage.put(MEDIA, "k", str(turn % 10).encode() * 500_000)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not done.is_set():
            with storage.open(MEDIA, "k") as reader:
                content = reader.read()
            assert content == content[:1] * 500_000
        writing.result()


# what a killed or starved writer leaves


WRITE_AND_WAIT = """
import sys, time
from pathlib import Path
from kinora.model import Scope
from kinora.storage.filesystem import FilesystemStorage

class Slow:
    def __init__(self):
        self.turn = 0
    def read(self, length):
        self.turn += 1
        if self.turn == 1:
            return b"x" * 100
        if self.turn == 2:
            print("writing", flush=True)
            sys.stdin.readline()
        return b""

FilesystemStorage({Scope.MEDIA: Path(sys.argv[1])}).put(Scope.MEDIA, "a/k", Slow())
"""


def slow_writer(root):
    writer = subprocess.Popen([sys.executable, "-c", WRITE_AND_WAIT, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"writing\n"
    return writer


def test_what_a_killed_writer_left_is_removed_at_start_and_a_living_one_goes_on(tmp_path):
    with slow_writer(tmp_path) as killed, slow_writer(tmp_path) as living:
        assert len(drafts_in(tmp_path)) == 2
        killed.kill()
        killed.wait()
        storage = FilesystemStorage({MEDIA: tmp_path})
        assert len(drafts_in(tmp_path)) == 1
        assert keys_of(storage) == []
        living.communicate(b"\n")
        assert living.returncode == 0
    assert drafts_in(tmp_path) == []
    assert storage.open(MEDIA, "a/k").read() == b"x" * 100


def drafts_in(root):
    return [path for path in (root / ".kinora").rglob("*") if path.is_file()]


def test_nothing_is_left_of_failed_puts(storage, tmp_path):
    with pytest.raises(ConnectionResetError):
        storage.put(MEDIA, "k", BrokenStream(5_000_000))
    storage.put(MEDIA, "k", b"x", PutMode.CREATE)
    with pytest.raises(AlreadyExists):
        storage.put(MEDIA, "k", b"x", PutMode.CREATE)
    assert drafts_in(tmp_path / "media") == []


WRITE_TOO_MUCH = """
import resource, sys
from pathlib import Path
from kinora.errors import NoSpace
from kinora.model import Scope
from kinora.storage.filesystem import FilesystemStorage

storage = FilesystemStorage({Scope.MEDIA: Path(sys.argv[1])})
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
storage.put(Scope.MEDIA, "k", b"before")
for key in ("k", "new/k"):
    try:
        storage.put(Scope.MEDIA, key, bytes(3_000_000))
    except NoSpace:
        print("no space", [info.key for info in storage.list(Scope.MEDIA)], storage.open(Scope.MEDIA, "k").read())
print(sum(path.is_file() for path in Path(sys.argv[1]).rglob("*")))
"""
NO_SPACE = "no space ['k'] b'before'\n" * 2 + "1\n"


def test_a_file_size_limit_is_no_space_and_changes_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", WRITE_TOO_MUCH, tmp_path, "limit"], capture_output=True, text=True, check=True)
    assert done.stdout == NO_SPACE


def test_a_full_disk_is_no_space_and_changes_nothing(tmp_path):
    mount = f"mount -t tmpfs -o size=1m none {tmp_path} && echo mounted"
    script = [*shlex.split("unshare --user --map-root-user --mount sh -c"), f'{mount} && exec "$@"', "sh"]
    done = subprocess.run(
        [*script, sys.executable, "-c", WRITE_TOO_MUCH, tmp_path, "disk"], capture_output=True, text=True, check=False
    )
    if not done.stdout.startswith("mounted"):
        pytest.skip("a small disk cannot be mounted here: " + done.stderr.strip())
    assert done.stdout == "mounted\n" + NO_SPACE
