"""`kinora keys`: which keys wrap content keys, and replacing them. With KINORA_DRIVER=aws it works on the deployed installation."""

from __future__ import annotations

import argparse
import os

from kinora.bootstrap import build
from kinora.errors import InvalidInput
from kinora.local.context import Context
from kinora.pipeline.rotation import add_version, rewrap_all, versions_in_use
from kinora.services import Services
from kinora.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    about = "list: the versions and how many content keys each wraps; rotate: wrap all of them by a new version"
    parser.add_argument("action", choices=["list", "rotate"], help=about)
    parser.add_argument("--resume", action="store_true", help="rotate: go on with the newest version, make no other")


def run(context: Context, arguments: argparse.Namespace) -> int:
    services = build(Settings.from_env(os.environ)) if os.environ.get("KINORA_DRIVER") == "aws" else context.services()
    return _rotate(context, services, arguments.resume) if arguments.action == "rotate" else _list(context, services)


def _list(context: Context, services: Services) -> int:
    current = services.key_wrapping.current_version()
    for version, count in ({current: 0} | versions_in_use(services)).items():
        is_current = version == current
        text = f"{version}  wraps {count} content key{'' if count == 1 else 's'}{'  (current)' if is_current else ''}"
        context.result({"version": version, "content_keys": count, "current": is_current}, text)
    return 0


def _rotate(context: Context, services: Services, resume: bool) -> int:
    if services.settings.kms_key and not resume:
        raise InvalidInput(public_message="KMS rotates its keys by itself; --resume wraps by the key of KINORA_KMS_KEY.")
    if not resume:
        add_version(services)
    done = rewrap_all(services)
    text = f"{done.version} wraps all content keys now: {done.rewrapped} wrapped anew, {done.left} left as they were"
    context.result({"version": done.version, "rewrapped": done.rewrapped, "left": done.left}, text)
    return 0
