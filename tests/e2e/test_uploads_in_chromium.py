"""Large files from a real browser: paused, gone on with, gone on with after a reload, and never shown before they are whole."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.e2e.chromium import EXECUTABLE, chromium
from tests.e2e.instance import kinora_up
from tests.e2e.test_page_in_chromium import open_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine"),
]

SIZE = 48_000_000  # six parts, three at once
BAR = "document.querySelector('#uploads progress')"
STATE = "document.querySelector('#uploads .state')?.textContent"


@pytest.fixture(scope="module")
def kinora(tmp_path_factory):
    with kinora_up(tmp_path_factory.mktemp("kinora")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def tab(browser):
    with browser.tab() as one:
        yield one


def slow_down(tab, bytes_per_second):
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
    tab.call("Network.emulateNetworkConditions", **limits)


def large_file(folder, seed):
    path = folder / f"large {seed} é.bin"
    path.write_bytes(random.Random(seed).randbytes(SIZE))
    return path


def press(tab, text):
    tab.evaluate(f"[...document.querySelectorAll('#uploads button')].find((one) => one.textContent === '{text}').click()")


def pause_in_the_middle(tab):
    tab.wait_until(f"{BAR} && {BAR}.value > 0.6", 60)
    press(tab, "Pause")
    tab.wait_until(f"{STATE} === 'paused'")


def stored(kinora, path):
    found = kinora.data / "source" / "uploads" / path.name
    return hashlib.sha256(found.read_bytes()).hexdigest() if found.exists() else None


def test_an_upload_is_paused_left_and_gone_on_with(kinora, tab, tmp_path):
    path = large_file(tmp_path, 1)
    open_page(tab, kinora)
    slow_down(tab, 16_000_000)
    tab.choose_files("#files", path)
    pause_in_the_middle(tab)
    assert stored(kinora, path) is None
    press(tab, "Resume")
    tab.wait_until(f"{STATE} === 'uploading'")
    pause_in_the_middle(tab)

    tab.call("Page.reload")
    tab.wait_until(f"document.readyState === 'complete' && {STATE} === 'interrupted'")
    tab.evaluate(
        "(() => { window.sent = 0; const send = XMLHttpRequest.prototype.send;"
        " XMLHttpRequest.prototype.send = function (body) { window.sent += body.size; return send.call(this, body); }; })()"
    )
    slow_down(tab, -1)
    tab.choose_files("#files", path)
    tab.wait_until("document.querySelector('#uploads').children.length === 0", 60)
    assert stored(kinora, path) == hashlib.sha256(path.read_bytes()).hexdigest()
    sent = tab.evaluate("window.sent")
    assert 0 < sent < SIZE, "parts that were stored are not sent again"
    assert tab.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('kinora-upload:')).length") == 0
    assert kinora.wait_for(f"uploads/{path.name}", "failed")["error"]["code"] == "unsupported-media"
    assert tab.troubles() == []


def test_what_is_discarded_leaves_nothing_and_holds_nobody_up(kinora, tab, tmp_path):
    dropped, kept = large_file(tmp_path, 2), large_file(tmp_path, 3)
    open_page(tab, kinora)
    slow_down(tab, 16_000_000)
    tab.choose_files("#files", dropped, kept)
    pause_in_the_middle(tab)
    press(tab, "Discard")
    slow_down(tab, -1)
    tab.wait_until("document.querySelector('#uploads').children.length === 0", 60)
    assert stored(kinora, dropped) is None
    assert stored(kinora, kept) == hashlib.sha256(kept.read_bytes()).hexdigest()
    left = [path.name for path in (kinora.data / "source" / ".kinora" / "uploads").glob("*/0*")]
    assert left == []
