"""The folder of the source scope as the watcher sees it: which files count, under which key, and whether they are complete.

It only looks: nothing is opened for writing, nothing is changed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

from kinora.upload_names import is_unfinished


def signature_of(path: Path) -> str | None:
    """A text that changes with every change of the file; None if there is no regular file (links are none)."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def files_below(root: Path, folder: Path) -> Iterator[str]:
    """The keys, relative to `root`, of all regular files in `folder` and below that are not ignored."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = os.path.relpath(parent, root)
        for name in names:
            key = name if relative == "." else f"{relative}/{name}"
            if not is_unfinished(key) and not Path(parent, name).is_symlink():
                yield key


def is_being_written(path: Path) -> bool:
    """Whether any process has the file open for writing. Where the system cannot tell, False.

    A read lease (fcntl(2), F_SETLEASE) is granted only on a file that nobody has open for writing. A writer that comes in
    the moment the lease exists would send SIGIO, which ends a process: SIGURG, which is ignored, is asked for instead.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
