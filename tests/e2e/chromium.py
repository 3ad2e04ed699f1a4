"""A small client of the DevTools protocol: starts headless Chromium, opens tabs in fresh profiles, listens to their troubles.

For tests of the page only; speaks the protocol over one WebSocket, without threads.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

EXECUTABLE = shutil.which("chromium")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--autoplay-policy=no-user-gesture-required",
]
_START_SECONDS = 60
_ANSWER_SECONDS = 60
_LOOK_SECONDS = 0.1
_TROUBLES = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Audits.issueAdded"}


class Chromium:
    """The protocol's connection to one running browser."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, suppress_origin=True, timeout=_ANSWER_SECONDS)
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Send one command and return its result; events that come meanwhile are kept. Raises RuntimeError."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._socket.send(json.dumps(command))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                break
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        result: dict[str, Any] = message["result"]
        return result

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A blank tab with a profile of its own, closed afterwards."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        try:
            yield Tab(self, session)
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)

    def close(self) -> None:
        self.call("Browser.close")
        self._socket.close()


class Tab:
    """One page: evaluate, wait, point, look."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Audits", "DOM", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The JSON-compatible value of an expression or of its promise. Raises AssertionError if it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]["exception"].get("description")
        return answer["result"].get("value")

    def wait_until(self, expression: str, seconds: float = 30.0) -> None:
        """Wait until the expression is truthy."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < deadline, self._what_is_wrong(f"{expression} did not come true within {seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    def choose_files(self, selector: str, *files: Path) -> None:
        """Give files to an input, as its file dialog would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        x, y = self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)}); found.scrollIntoView({{ block: 'center' }});"
            " const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _what_is_wrong(self, claim: str) -> str:
        return "\n".join([claim, *self.troubles(), self.evaluate("document.body.innerText")])

    def troubles(self) -> list[str]:
        """Uncaught errors, console errors, failed requests and violations of the content security policy so far."""
        self.evaluate("1")  # whatever was on its way has arrived after an answer
        events = [one for one in self._browser.events if one.get("sessionId") == self._session]
        return [text for one in events if one["method"] in _TROUBLES and (text := _trouble(one["method"], one["params"]))]


def _trouble(method: str, parameters: dict[str, Any]) -> str | None:
    """The event as a line if it tells of a trouble."""
    if method == "Runtime.consoleAPICalled" and parameters["type"] not in {"error", "assert"}:
        return None
    if method == "Log.entryAdded" and parameters["entry"]["level"] != "error":
        return None
    if method == "Audits.issueAdded" and parameters["issue"]["code"] != "ContentSecurityPolicyIssue":
        return None
    return f"{method}: {json.dumps(parameters)}"


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """A running Chromium whose profile lies in `folder`."""
    assert EXECUTABLE is not None
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen([EXECUTABLE, *_FLAGS, f"--user-data-dir={folder / 'profile'}"], stdout=log, stderr=log)
    try:
        browser = Chromium(_address(folder / "profile" / "DevToolsActivePort", process))
        try:
            yield browser
        finally:
            browser.close()
            process.wait(_START_SECONDS)
    finally:
        process.kill()
        process.wait()


def _address(announced: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the browser's WebSocket, which it writes into its profile when it listens: port and path in two lines."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        lines = announced.read_text().splitlines() if announced.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(_LOOK_SECONDS)
    raise AssertionError(f"Chromium did not start; its exit code is {process.poll()}")
