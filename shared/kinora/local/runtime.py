"""What AWS's Python runtime does around a handler: loads it by path, gives it an event and a context, turns its answer or
its exception into JSON. Used inside worker processes only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_ANSWER_BYTES = 6_291_556  # the documented quota of a synchronous answer

Handler = Callable[[Any, "LambdaContext"], Any]


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The members of AWS's context object that handlers and Powertools read; `deadline` is on the monotonic clock."""

    function_name: str
    memory_limit_in_mb: int
    aws_request_id: str
    deadline: float
    function_version: str = "$LATEST"
    log_stream_name: str = "local"
    identity: None = None
    client_context: None = None

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline - time.monotonic()) * 1000))


class Runtime:
    """Runs any function of the plan in this process. Every function sees just its own environment."""

    def __init__(self) -> None:
        self._base = dict(os.environ)
        self._current: dict[str, str] = {}
        self._handlers: dict[tuple[str, str], Handler] = {}

    def invoke(self, request: dict[str, Any]) -> bytes:
        """Run one request and return the frame to answer with: `{"response": …}` or `{"error": {errorType, …}}`."""
        try:
            self._enter(request)
            handler = self._handler(request["code"], request["handler"])
            context = LambdaContext(
                function_name=request["name"],
                memory_limit_in_mb=request["memory"],
                aws_request_id=request["request_id"],
                deadline=time.monotonic() + request["timeout"],
            )
            answer = handler(request["event"], context)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its answer, even SystemExit
            traceback.print_exc()
            return _error(type(error).__name__, str(error), traceback.format_tb(error.__traceback__))
        return _answer(answer)

    def _enter(self, request: dict[str, Any]) -> None:
        """Take on the function's environment; services that were built for another one are not reused."""
        environment: dict[str, str] = request["environment"]
        if environment == self._current:
            return
        os.environ.clear()
        os.environ.update(self._base | environment)
        bootstrap = sys.modules.get("kinora.bootstrap")
        if bootstrap is not None:
            bootstrap.services.cache_clear()
        self._current = environment

    def _handler(self, code: str, name: str) -> Handler:
        """The function object of `handler.handler` below the folder `code`, under a module name of its own."""
        if (code, name) not in self._handlers:
            module_name, attribute = name.rsplit(".", 1)
            path = Path(code, *module_name.split(".")).with_suffix(".py")
            spec = importlib.util.spec_from_file_location(f"kinora_function_{path.parent.name}", path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path} cannot be loaded")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self._handlers[code, name] = getattr(module, attribute)
        return self._handlers[code, name]


def _answer(answer: object) -> bytes:
    try:
        frame = json.dumps({"response": answer}).encode()
    except (TypeError, ValueError) as error:
        return _error("Runtime.MarshalError", f"Unable to marshal response: {error}", [])
    size = len(frame) - len(b'{"response": }')
    if size > MAX_ANSWER_BYTES:
        message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MAX_ANSWER_BYTES} bytes)."
        return _error("Function.ResponseSizeTooLarge", message, [])
    return frame


def _error(kind: str, message: str, trace: list[str]) -> bytes:
    return json.dumps({"error": {"errorType": kind, "errorMessage": message, "stackTrace": trace}}).encode()
