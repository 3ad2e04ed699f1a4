"""Worker processes seen from local mode: each runs one invocation at a time and is killed at the function's timeout.

A crash, an endless loop or an oversized answer costs one process, which the next invocation replaces. Used by the dispatcher
and by `kinora invoke`.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from kinora.local.plan import Function
from kinora.local.wire import receive_frame, send_frame

_START_SECONDS = 30.0
_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended: `response`, or `error` in the form of Lambda's error answers (`errorType`, `errorMessage`).
    `abandoned` means that local mode itself was stopping, `killed` that somebody else killed the process (SIGKILL), which says
    nothing about the work."""

    response: Any = None
    error: Mapping[str, Any] | None = None
    abandoned: bool = False
    killed: bool = False

    @property
    def is_ok(self) -> bool:
        return self.error is None


class WorkerProcess:
    """One process. `invoke` is for one thread; `close` may come from another and ends an invocation under way."""

    def __init__(self, *, log: IO[Any], niceness: int = 0, keep_open: Sequence[int] = ()) -> None:
        """Output goes to `log`. The process holds the descriptors `keep_open`, too."""
        self._log = log
        self._niceness = niceness
        self._keep_open = tuple(keep_open)
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None else None

    def invoke(self, function: Function, event: object, environment: Mapping[str, str]) -> Outcome:
        """Run `function` with `event`, as Lambda would. Never raises for what the function does."""
        request_id = str(uuid.uuid4())
        request = {
            "code": str(function.code),
            "handler": function.handler,
            "name": function.name,
            "memory": function.memory,
            "timeout": function.timeout,
            "request_id": request_id,
            "environment": dict(environment),
            "event": event,
        }
        with self._busy:
            return self._exchange(json.dumps(request).encode(), request_id, function.timeout)

    def _exchange(self, request: bytes, request_id: str, timeout: int) -> Outcome:
        try:
            channel = self._ready_channel()
            channel.settimeout(timeout)
            send_frame(channel, request)
            answer = receive_frame(channel)
        except TimeoutError:
            self._kill()
            return _failed("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout}.00 seconds")
        except (EOFError, OSError):
            code = self._ended()
            if self._closed:
                return Outcome(error={"errorType": "Local.Stopped", "errorMessage": "local mode was stopped"}, abandoned=True)
            ended = _failed("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with {_ending(code)}")
            return replace(ended, killed=code == -signal.SIGKILL)
        return Outcome(response=answer.get("response"), error=answer.get("error"))

    def close(self) -> None:
        """Kill the process, if there is one, and start no other. An invocation under way ends as abandoned."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
        with self._busy:
            self._kill()

    def _ready_channel(self) -> socket.socket:
        """The channel to a process that has started: starting does not count against a function's timeout."""
        with self._lock:
            if self._closed:
                raise EOFError
            if self._channel is not None and self._process is not None and self._process.poll() is None:
                return self._channel
        self._kill()  # one that died while it had nothing to do costs no invocation
        with self._lock:
            if self._closed:
                raise EOFError
            channel = self._start()
        channel.settimeout(_START_SECONDS)
        receive_frame(channel)
        return channel

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "kinora.local.worker", str(theirs.fileno()), str(self._niceness)],
                pass_fds=(theirs.fileno(), *self._keep_open),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
            )
        self._channel = ours
        return ours

    def _ended(self) -> int:
        """The exit code of the process that has closed its channel, which it does by ending."""
        with self._lock:
            process = self._process
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
        return self._kill()

    def _kill(self) -> int:
        """End the process for good and return its exit code."""
        with self._lock:
            process, channel = self._process, self._channel
            self._process = self._channel = None
        if channel is not None:
            channel.close()
        if process is None:
            return 0
        process.kill()
        return process.wait()


def _failed(kind: str, message: str) -> Outcome:
    return Outcome(error={"errorType": kind, "errorMessage": message})


def _ending(code: int) -> str:
    return f"error: signal: {signal.Signals(-code).name}" if code < 0 else f"error: exit status {code}"
