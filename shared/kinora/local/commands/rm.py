"""`kinora rm`: removes everything derived from contents, and their originals if that is asked for."""

from __future__ import annotations

import argparse

from kinora.local.context import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hash", nargs="+", help="SHA-256 of the content, as `kinora put` prints it")
    parser.add_argument("--originals", action="store_true", help="delete the originals, too")


def run(context: Context, arguments: argparse.Namespace) -> int:
    from kinora.pipeline.remove import remove_media

    services = context.services()
    complete = True
    for content_hash in arguments.hash:
        done = remove_media(services, content_hash.lower(), originals=arguments.originals)
        complete = complete and bool(done["complete"])
        rest = "" if done["complete"] else " (work for it was under way; run this again)"
        context.result(done, f"removed {content_hash}{rest}")
    return 0 if complete else 1
