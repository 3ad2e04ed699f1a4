"""The command line: `kinora up`, `put`, `jobs`, `rm`, `sign`, `token`, `keys`, `plan`, `invoke`. Each is a module of `commands`.

What goes wrong on purpose is one line on standard error and an exit code other than 0.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from kinora import __version__
from kinora.errors import KinoraError, Unavailable
from kinora.local.context import Context

COMMANDS = {
    "up": "run everything on this machine",
    "put": "put files in and wait until they are ready",
    "jobs": "list jobs, or show one",
    "rm": "remove everything derived from a content",
    "sign": "make a temporary address of an original or a picture",
    "token": "make a playback token",
    "keys": "list or replace the keys that wrap content keys",
    "plan": "show the wiring that template.yaml states",
    "invoke": "run one function with one event",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    given = list(sys.argv[1:] if arguments is None else arguments)
    parsed = _parser(given).parse_args(given)
    context = Context(Path(parsed.data).absolute(), parsed.json, parsed.template)
    try:
        signal.signal(signal.SIGTERM, _end)
        return int(_module(parsed.command).run(context, parsed))
    except KinoraError as error:
        return _failed(context, error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it at exit does not fail again
        return 1
    except OSError as error:
        return _failed(context, Unavailable(str(error)))
    except KeyboardInterrupt:
        return 130


def _end(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _module(command: str) -> Any:
    return import_module(f"kinora.local.commands.{command}")


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Only the module of the command that is wanted is imported; `kinora jobs` needs no web server."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", default=os.environ.get("KINORA_DATA", "kinora-data"), metavar="DIR", help="data folder")
    common.add_argument("--json", action="store_true", help="one JSON object for each result")
    common.add_argument("--template", metavar="PATH", help="template.yaml to use instead of the checkout's")
    parser = argparse.ArgumentParser(prog="kinora", description="Media in, thumbnails and streams out.")
    parser.add_argument("--version", action="version", version=f"kinora {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, about in COMMANDS.items():
        subparser = commands.add_parser(name, parents=[common], help=about, description=about)
        if name == wanted:
            _module(name).add_arguments(subparser)
    return parser


def _failed(context: Context, error: KinoraError) -> int:
    detail = str(error)
    message = error.public_message if detail in {"", error.public_message} else f"{error.public_message} ({detail})"
    print(f"kinora: {message}", file=sys.stderr)
    if context.as_json:
        print(json.dumps({"error": {"code": error.code, "message": error.public_message}}))
    return 1


if __name__ == "__main__":
    sys.exit(main())
