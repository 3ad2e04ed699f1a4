"""`kinora invoke`: runs one function with one event in a worker process, as Lambda would, and prints its answer."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from kinora.errors import InvalidInput
from kinora.local.context import Context
from kinora.local.environment import function_environment
from kinora.local.pool import WorkerProcess


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("function", help="logical name or folder: ImageFunction or image")
    parser.add_argument("-e", "--event", required=True, help="file with the event as JSON, or - for standard input")


def run(context: Context, arguments: argparse.Namespace) -> int:
    plan = context.plan()
    function = plan.function(arguments.function)
    event = _event(arguments.event)
    context.data.mkdir(parents=True, exist_ok=True)
    worker = WorkerProcess(log=sys.stderr)
    try:
        outcome = worker.invoke(function, event, function_environment(function, context.data, os.environ))
    finally:
        worker.close()
    answer = outcome.response if outcome.error is None else dict(outcome.error)
    print(json.dumps(answer, ensure_ascii=False, indent=None if context.as_json else 2))
    return 0 if outcome.is_ok else 1


def _event(source: str) -> object:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput(public_message=f"The event {source} cannot be read: {error}.") from error
