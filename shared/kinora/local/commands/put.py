"""`kinora put`: puts files into the source scope and waits for what becomes of them, with a progress bar.

With an instance running on the data folder it does the work; with none, this process does it and ends.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from pathlib import Path

from kinora.bootstrap import build
from kinora.local.context import Context
from kinora.local.environment import local_settings
from kinora.local.house import House, Options
from kinora.local.lock import InstanceLock, Running, running_instance
from kinora.local.logs import log_to_terminal
from kinora.local.putting import LOOK_SECONDS, Putting
from kinora.secrets.base import SecretName
from kinora.secrets.files import FileSecrets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", type=Path, help="photo, video or audio file")
    parser.add_argument("--workers", type=int, default=0, help="how many encode at the same time (default: one per core)")


def run(context: Context, arguments: argparse.Namespace) -> int:
    log_to_terminal(logging.ERROR)
    running = _wait_for_listener(context.data)
    if running is not None:
        services = build(local_settings(context.plan(), context.data, os.environ))
        putting = Putting(context, services, running.url, is_alive=lambda: running_instance(context.data) == running)
        return 0 if putting.put(arguments.file) else 1
    plan = context.plan()
    options = Options(workers=max(0, arguments.workers))
    with InstanceLock(context.data).acquire(patience=5.0) as lock:
        for name in (SecretName.SIGNING_KEYS, SecretName.KEY_ENCRYPTION_KEYS, SecretName.WEBHOOK_KEY):
            FileSecrets(context.data).ensure(name)
        with House(plan, lock, context.data, os.environ, options) as house:
            return 0 if Putting(context, house.services, None).put(arguments.file) else 1


def _wait_for_listener(data: Path) -> Running | None:
    """The instance that listens, or None when nobody has the folder. Who has it and does not listen is about to, or is
    another `put`, which ends."""
    while (running := running_instance(data)) is not None and running.url is None:
        time.sleep(LOOK_SECONDS)
    return running
