"""The files below a root in the order that S3 lists keys in: by the bytes of the whole key, not folder by folder.

Used by the filesystem driver only. Holds the names of one folder per level and looks at files only when they are due.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kinora.errors import InvalidKey
from kinora.object_keys import check_key
from kinora.storage.folders import open_folder

_BATCH = 500


def list_files(root: Path, prefix: str, after: str) -> Iterator[tuple[str, os.stat_result]]:
    """`(key, status)` of every regular file whose key starts with `prefix` and comes behind `after`.

    What no key can name (links, the working folder, names that are not UTF-8) is left out; what disappears meanwhile too.
    """
    base = prefix.rsplit("/", 1)[0] + "/" if "/" in prefix else ""
    return _walk(root, base, prefix, after)


def _walk(root: Path, base: str, prefix: str, after: str) -> Iterator[tuple[str, os.stat_result]]:
    entries = [entry for entry in _entries(root, base) if _is_due(entry, prefix, after)]
    for first in range(0, len(entries), _BATCH):
        batch = entries[first : first + _BATCH]
        found = _stat_files(root, base, batch)
        for entry in batch:
            if entry.endswith("/"):
                yield from _walk(root, entry, prefix, after)
            elif entry in found:
                yield entry, found[entry]


def _entries(root: Path, base: str) -> list[str]:
    """Keys of the files and, ending with `/`, of the folders in `base`. Sorting them with that ending is what makes the
    order that of whole keys: `a-b`, `a.txt`, `a/b`."""
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        open_folder(root, base.split("/")[:-1]) as folder,
        os.scandir(folder) as found,
    ):
        keys = [base + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "") for entry in found]
        return sorted(key for key in keys if _is_key(key.removesuffix("/")))
    return []


def _is_key(key: str) -> bool:
    try:
        return bool(check_key(key))
    except InvalidKey:
        return False


def _is_due(entry: str, prefix: str, after: str) -> bool:
    if entry.endswith("/"):
        return (entry.startswith(prefix) or prefix.startswith(entry)) and (entry > after or after.startswith(entry))
    return entry.startswith(prefix) and entry > after


def _stat_files(root: Path, base: str, entries: list[str]) -> dict[str, os.stat_result]:
    found = {}
    with suppress(FileNotFoundError, NotADirectoryError), open_folder(root, base.split("/")[:-1]) as folder:
        for key in entries:
            with suppress(FileNotFoundError):
                status = os.stat(key.removeprefix(base), dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found[key] = status
    return found
