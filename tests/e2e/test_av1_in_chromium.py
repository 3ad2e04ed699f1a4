"""A complete stream in H.264 and AV1, with I-frame playlists, in a real browser: hls.js plays and seeks in every level."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kinora.model import JobState
from kinora.object_keys import video_key
from tests.e2e.chromium import EXECUTABLE, chromium
from tests.e2e.test_tracks_in_chromium import HLS_JS, PAGE, SECONDS
from tests.house import house
from tests.unit.media.clips import clip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(EXECUTABLE is None or not HLS_JS.exists(), reason="needs Chromium and hls.js"),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("kinora")
    with house(data, ladder="108,72", codecs="h264,av1") as home:
        home.ingest(home.put("film.ts", clip("transport").read_bytes()))
        home.work()
        assert home.job().state is JobState.READY
        folder = data / "media" / video_key(home.job().hash, "")
    assert (folder / "master.m3u8").read_text().count("EXT-X-I-FRAME-STREAM-INF") == 4
    (folder / "index.html").write_text(PAGE)
    (folder / "hls.js").write_bytes(HLS_JS.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_level_plays_and_seeks(page, tmp_path):
    with chromium(tmp_path) as browser, browser.tab() as tab:
        tab.open(page)
        tab.wait_until("hls.levels.length > 0", SECONDS)
        codecs = tab.evaluate("hls.levels.map((one) => one.videoCodec)")
        assert {codec[:4] for codec in codecs} == {"avc1", "av01"}
        tab.evaluate("video.play(), 1")
        tab.wait_until("video.currentTime > 0.5", SECONDS)
        for level, _ in enumerate(codecs):
            height = tab.evaluate(f"hls.levels[{level}].height")
            tab.evaluate(f"hls.currentLevel = {level}, 1")
            for moment in (7, 1, 4):
                tab.evaluate(f"video.currentTime = {moment}, video.play(), 1")
                tab.wait_until(
                    f"video.currentTime > {moment} + 0.7 && !video.seeking && video.videoHeight === {height}", SECONDS
                )
        loaded = tab.evaluate("performance.getEntriesByType('resource').map((one) => one.name.split('/').slice(-2).join('/'))")
        assert {f"r{rung}_{codec}/seg_0.m4s" for rung in (108, 72) for codec in ("h264", "av1")} <= set(loaded)
        assert tab.evaluate("errors") == []
