"""Where the functions suite sends its events: into this process, into AWS's own runtime on the built tree, or to an endpoint.

Every target answers `invoke(function, event)` with the function's answer or raises FunctionFailed, as Lambda tells it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import samcli
from botocore import UNSIGNED
from botocore.config import Config
from samtranslator.yaml_helper import yaml_parse

from kinora import bootstrap
from tests.template.stack import properties

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"


class FunctionFailed(Exception):
    """The handler raised: `kind` is the name of its exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def local_environment(data: Path) -> dict[str, str]:
    """The drivers of one machine instead of the template's, so that no account is needed."""
    return {"KINORA_DRIVER": "local", "KINORA_DATA": str(data)}


class InProcess:
    """The handlers of this checkout, imported as Lambda imports them, each with the environment that it is given."""

    def __init__(self, environments: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.environments = environments
        self._monkeypatch = monkeypatch
        self._handlers: dict[str, Any] = {}
        self._entered = ""
        bootstrap.services.cache_clear()
        self._loop = asyncio.new_event_loop()  # Mangum asks for the thread's, which Lambda's runtime has
        asyncio.set_event_loop(self._loop)

    def invoke(self, function: str, event: Any) -> Any:
        self._enter(function)
        handler = self._handlers.get(function) or self._load(function)
        deadline = time.monotonic() + properties(f"{function}Function")["Timeout"]
        context = SimpleNamespace(
            aws_request_id="request",
            function_name=function,
            get_remaining_time_in_millis=lambda: int(1000 * (deadline - time.monotonic())),
        )
        try:
            answer = handler(json.loads(json.dumps(event)), context)
        except Exception as error:
            raise FunctionFailed(type(error).__name__, str(error)) from error
        return json.loads(json.dumps(answer))

    def close(self) -> None:
        self._leave()
        asyncio.set_event_loop(None)
        self._loop.close()

    def _enter(self, function: str) -> None:
        if function != self._entered:
            self._leave()
            self._handlers.pop(function, None)  # the API's door keeps its app, and that its services
            for name, value in self.environments[function].items():
                self._monkeypatch.setenv(name, value)
            self._entered = function

    def _leave(self) -> None:
        if bootstrap.services.cache_info().currsize:
            bootstrap.services().close()
        bootstrap.services.cache_clear()
        for name in self.environments.get(self._entered, ()):
            self._monkeypatch.delenv(name, raising=False)

    def _load(self, function: str) -> Any:
        path = ROOT / properties(f"{function}Function")["CodeUri"] / "handler.py"
        spec = importlib.util.spec_from_file_location(f"door_{function.lower()}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._handlers[function] = module.handler
        return module.handler


class Runtime:
    """AWS's runtime interface emulator and client on the tree that `sam build` made; nothing comes from this environment's
    packages but the client itself, which on Lambda belongs to the runtime."""

    def __init__(self, data: Path, scratch: Path) -> None:
        self._data, self._scratch = data, scratch
        self._processes: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
        self._client = scratch / "runtime"
        self._client.mkdir()
        packages = Path(importlib.util.find_spec("awslambdaric").origin).parent.parent
        for pattern in ("awslambdaric", "simplejson", "snapshot_restore_py*", "runtime_client*.so"):
            for found in packages.glob(pattern):
                (self._client / found.name).symlink_to(found)

    @staticmethod
    def why_not() -> str | None:
        if not (BUILD / "template.yaml").exists():
            return "there is no built tree; run `sam build`"
        built = yaml_parse((BUILD / "template.yaml").read_text())["Parameters"]["PythonRuntime"]["Default"]
        here = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return None if built == here else f"the tree is built for {built}, this is {here}"

    def invoke(self, function: str, event: Any) -> Any:
        process, address = self._processes.get(function) or self._start(function)
        request = urllib.request.Request(f"{address}/2015-03-31/functions/function/invocations", json.dumps(event).encode())
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(request, timeout=120) as response:
                    answer = json.loads(response.read())
                    break
            except (ConnectionError, urllib.error.URLError):
                log = (self._scratch / f"{function}.log").read_text()
                assert process.poll() is None, log
                assert time.monotonic() < deadline, log
                time.sleep(0.02)
        if isinstance(answer, dict) and "errorType" in answer:
            raise FunctionFailed(answer["errorType"].rsplit(".", 1)[-1], answer.get("errorMessage", ""))
        return answer

    def close(self) -> None:
        for process, _ in self._processes.values():
            process.terminate()
            process.wait(10)

    def _start(self, function: str) -> tuple[subprocess.Popen[bytes], str]:
        port, api_port = _free_port(), _free_port()
        machine = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
        emulator = Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"
        copy = self._scratch / "rie"
        if not copy.exists():
            copy.write_bytes(emulator.read_bytes())
            copy.chmod(0o700)
        command = [copy, "--log-level", "error", "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
                   "--runtime-api-address", f"127.0.0.1:{api_port}",
                   sys._base_executable, "-S", "-s", "-m", "awslambdaric", "handler.handler"]  # fmt: skip
        with (self._scratch / f"{function}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environment(function), cwd=BUILD / f"{function}Function", stdout=log, stderr=log
            )
        self._processes[function] = process, f"http://127.0.0.1:{port}"
        return self._processes[function]

    def _environment(self, function: str) -> dict[str, str]:
        settings = properties(f"{function}Function")
        layers = ["SharedLayer", *(one["Ref"] for one in settings.get("Layers", []))]
        path = [BUILD / f"{function}Function", *(BUILD / layer / "python" for layer in layers), self._client]
        return local_environment(self._data) | {
            "PATH": os.environ["PATH"],
            "HOME": str(self._scratch),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(BUILD / f"{function}Function"),
            "AWS_LAMBDA_FUNCTION_NAME": f"{function}Function",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(settings["Timeout"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings["MemorySize"]),
        }


class Endpoint:
    """`sam local start-lambda` (FUNCTIONS_ENDPOINT=http://127.0.0.1:3001) or a deployed stack (FUNCTIONS_STACK=kinora-dev)."""

    def __init__(self) -> None:
        address = os.environ.get("FUNCTIONS_ENDPOINT")
        self._stack = os.environ.get("FUNCTIONS_STACK")
        self._formation = boto3.client("cloudformation") if self._stack else None
        unsigned = Config(signature_version=UNSIGNED, region_name="us-east-1") if address else None
        self._lambda = boto3.client("lambda", endpoint_url=address, config=unsigned)

    @staticmethod
    def why_not() -> str | None:
        if os.environ.get("FUNCTIONS_ENDPOINT") or os.environ.get("FUNCTIONS_STACK"):
            return None
        return "neither FUNCTIONS_ENDPOINT nor FUNCTIONS_STACK says where functions run"

    def invoke(self, function: str, event: Any) -> Any:
        answer = self._lambda.invoke(FunctionName=self._name(f"{function}Function"), Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or (isinstance(payload, dict) and "errorType" in payload):
            raise FunctionFailed(payload["errorType"].rsplit(".", 1)[-1], payload.get("errorMessage", ""))
        return payload

    def close(self) -> None:
        self._lambda.close()

    def _name(self, logical: str) -> str:
        if self._formation is None:
            return logical
        found = self._formation.describe_stack_resource(StackName=self._stack, LogicalResourceId=logical)
        return found["StackResourceDetail"]["PhysicalResourceId"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
