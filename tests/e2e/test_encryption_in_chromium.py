"""An encrypted stream in a real browser with hls.js, from another origin: with a token it plays, without one or with a wrong key
no picture is shown, and a change of the key is not noticed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.chromium import EXECUTABLE, Tab, chromium
from tests.e2e.instance import Instance, kinora_up
from tests.unit.media import clips

HLS_JS = Path(__file__).parents[2] / "shared/kinora/api/static/vendor/hls.min.js"
LENGTH = 14
PAGE = b"""<!doctype html><meta charset="utf-8"><title>player</title><link rel="icon" href="data:,">
<video muted playsinline></video><script src="hls.js"></script><script>
const video = document.querySelector("video"), errors = [], asked = [];
function play(source, setUp) {
  const hls = window.hls = new Hls({ xhrSetup(xhr, url) { asked.push(url); setUp?.(xhr, url); }, maxBufferLength: 4 });
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) errors.push(data.details); });
  hls.loadSource(source); hls.attachMedia(video); video.play();
}
const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(EXECUTABLE is None or not HLS_JS.exists(), reason="needs Chromium and hls.js"),
]


class Pages(BaseHTTPRequestHandler):
    """The page, hls.js and a key that is none."""

    def do_GET(self) -> None:
        body = {"/hls.js": HLS_JS.read_bytes(), "/wrong.key": bytes(16)}.get(self.path, PAGE)
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if self.path == "/hls.js" else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def kinora(tmp_path_factory) -> Iterator[Instance]:
    with kinora_up(tmp_path_factory.mktemp("kinora"), KINORA_ENCRYPT="all", KINORA_LADDER="90") as running:
        yield running


@pytest.fixture(scope="module")
def content_hash(kinora, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = f"-f lavfi -i testsrc2=s=160x90:r=15:d={LENGTH} -c:v libx264 -preset ultrafast -g 15"
    clips.ffmpeg(*f"-f lavfi -i sine=r=48000:d={LENGTH} -c:a aac {picture}".split(), str(path))
    job = kinora.wait_for(kinora.upload("film.mp4", path.read_bytes()), "ready")
    return str(job["hash"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def token(kinora, content_hash) -> str:
    text: str = kinora.client.post(f"/api/media/{content_hash}/tokens").json()["token"]
    return text


def master(kinora: Instance, content_hash: str) -> str:
    return f"{kinora.url.rstrip('/')}/stream/{content_hash}/master.m3u8"


@contextmanager
def playing(browser, pages: str, kinora: Instance, content_hash: str, query: str = "", set_up: str = "null") -> Iterator[Tab]:
    with browser.tab() as tab:
        tab.open(pages)
        tab.evaluate(f"play({json.dumps(master(kinora, content_hash) + query)}, {set_up})")
        yield tab


def test_with_a_token_in_the_address_it_plays_to_its_end(browser, pages, kinora, content_hash, token):
    with playing(browser, pages, kinora, content_hash, f"?token={token}") as tab:
        tab.wait_until("frames() > 20 && video.currentTime > 1")
        tab.evaluate("video.currentTime = 12")
        tab.wait_until("video.ended")
        assert tab.evaluate("errors") == []
        keys = [one for one in tab.evaluate("asked") if "/keys/" in one]
        assert keys
        assert all("token=" in one for one in keys)


def test_with_a_bearer_it_plays_after_a_preflight(browser, pages, kinora, content_hash, token):
    bare = "xhr.open('GET', url.split('?')[0], true)"
    header = f"(xhr, url) => {{ {bare}; xhr.setRequestHeader('Authorization', 'Bearer {token}'); }}"
    with playing(browser, pages, kinora, content_hash, set_up=header) as tab:
        tab.wait_until("frames() > 20 && video.currentTime > 1")
        assert tab.evaluate("errors") == []


def test_without_a_token_nothing_is_shown(browser, pages, kinora, content_hash):
    with playing(browser, pages, kinora, content_hash) as tab:
        tab.wait_until("errors.length")
        assert tab.evaluate("[errors[0], frames()]") == ["manifestLoadError", 0]


def test_whoever_has_segments_and_no_key_sees_nothing(browser, pages, kinora, content_hash, token):
    stripped = "(xhr, url) => { if (url.includes('/keys/')) xhr.open('GET', url.split('?')[0], true); }"
    with playing(browser, pages, kinora, content_hash, f"?token={token}", stripped) as tab:
        tab.wait_until("errors.length", seconds=60)
        assert tab.evaluate("[errors[0], frames()]") == ["keyLoadError", 0]


def test_a_wrong_key_yields_no_frame(browser, pages, kinora, content_hash, token):
    wrong = f"(xhr, url) => {{ if (url.includes('/keys/')) xhr.open('GET', '{pages}wrong.key', true); }}"
    with playing(browser, pages, kinora, content_hash, f"?token={token}", wrong) as tab:
        tab.wait_until("errors.length", seconds=60)
        assert tab.evaluate("frames()") == 0


def test_the_key_changes_while_it_plays(browser, pages, kinora, content_hash, token):
    place = f"/api/media/{content_hash}/encryption"
    with playing(browser, pages, kinora, content_hash, f"?token={token}") as tab:
        tab.wait_until("frames() > 5")
        assert kinora.client.put(place, json={"revision": 2}).status_code == 202
        deadline = time.monotonic() + 30
        while kinora.client.get(place).json()["revision"] != 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        tab.evaluate("video.currentTime = 10")
        tab.wait_until("video.ended", seconds=60)
        assert tab.evaluate("errors") == []
        assert tab.evaluate("asked.filter(one => one.includes('/rev_2/')).length") == 0
    with playing(browser, pages, kinora, content_hash, f"?token={token}") as tab:
        tab.wait_until("frames() > 20")
        assert tab.evaluate("asked.filter(one => one.includes('/rev_2/')).length") > 0
