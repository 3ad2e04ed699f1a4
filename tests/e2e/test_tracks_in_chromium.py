"""Sound in two languages, stereo, surround and Opus, and texts, in hls.js: every choice plays in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kinora.media import audio, hls, segment
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from kinora.media.subtitles import make_subtitles
from kinora.object_keys import init_path, playlist_path, segment_path, text_path
from tests.e2e.chromium import EXECUTABLE, chromium
from tests.unit.media.sound import ffmpeg

HLS_JS = Path(__file__).parents[2] / "shared/kinora/api/static/vendor/hls.min.js"
SECONDS = 30
PAGE = """<!doctype html><meta charset="utf-8"><title>tracks</title><link rel="icon" href="data:,">
<video muted playsinline></video><script src="hls.js"></script><script>
const video = document.querySelector("video"), hls = new Hls(), errors = [];
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal || !["aborted", "bufferStalledError"].includes(data.details)) errors.push(data.details); });
hls.loadSource("master.m3u8"); hls.attachMedia(video);
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(EXECUTABLE is None or not HLS_JS.exists(), reason="needs Chromium and hls.js"),
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


def original(folder: Path) -> Path:
    (folder / "t.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello & <i>welcome</i>\n")
    tones = "|".join(f"0.2*sin(2*PI*{300 + 100 * n}*t)" for n in range(6))
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=12", "-f", "lavfi", "-i", f"aevalsrc={tones}:c=5.1:s=48000:d=12"),
        *(
            "-f",
            "lavfi",
            "-i",
            "sine=f=900:r=44100:d=12",
            "-i",
            folder / "t.srt",
            "-map",
            "0",
            "-map",
            "1",
            "-map",
            "2",
            "-map",
            "3",
        ),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "40", "-c:a", "aac", "-c:s", "mov_text"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre", "-metadata:s:s:0", "language=ger"),
        folder / "film.mp4",
    )
    return folder / "film.mp4"


def write_stream(path: Path, folder: Path) -> Plan:
    def write(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    with path.open("rb") as file:
        limits = {"max_duration": 100, "max_pixels": 10**6}
        plan = make_plan(file, "mov", "0" * 64, ladder=(90,), **limits, audio_codecs=("aac", "opus"))
        for track, data in segment.init_segments(file, plan):
            write(init_path(track), data)
        for track, n, data in segment.encode_batch(file, plan, 0, len(plan.timeline) - 1):
            write(segment_path(track, n), data)
        for one in plan.audio_tracks:
            write(init_path(one.track), audio.init_segment(file, plan, one.track))
            for track, n, data in audio.encode_batch(file, plan, one.track, 0, plan.segment_count(one.track)):
                write(segment_path(track, n), data)
        for text in plan.subtitles:
            write(text_path(text.track), make_subtitles(file, plan, text.track))
    for track in (*plan.tracks(), *(one.track for one in plan.subtitles)):
        write(playlist_path(track), hls.media_playlist(plan, track).encode())
    write("master.m3u8", hls.multivariant_playlist(plan).encode())
    write("index.html", PAGE.encode())
    write("hls.js", HLS_JS.read_bytes())
    return plan


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("stream")
    plan = write_stream(original(tmp_path_factory.mktemp("film")), folder)
    assert {(one.codec, one.channels, one.copied) for one in plan.audio_tracks} == {
        *(("aac", 2, False), ("aac", 6, True), ("aac", 1, True), ("opus", 2, False), ("opus", 1, False)),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_choice_plays_and_seeks(page: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser, browser.tab() as tab:
        tab.open(page)
        tab.wait_until("hls.levels.length > 0", SECONDS)
        levels = tab.evaluate("hls.levels.map((one) => one.audioGroups[0])")
        assert set(levels) == {"aac-stereo", "aac-surround", "opus-stereo"}
        assert tab.evaluate("MediaSource.isTypeSupported('audio/mp4; codecs=\"opus\"')")
        tab.evaluate("video.play(), 1")
        tab.wait_until("video.currentTime > 0.5", SECONDS)
        for level, group in enumerate(levels):
            tab.evaluate(f"hls.currentLevel = {level}, 1")
            for choice in (1, 0):
                tab.wait_until(f"hls.audioTracks.length === 2 && hls.audioTracks[0].groupId === '{group}'", SECONDS)
                tab.evaluate(f"hls.audioTrack = {choice}, video.currentTime = 5 + {choice}, video.play(), 1")
                tab.wait_until(f"video.currentTime > 6.5 + {choice} && !video.seeking", SECONDS)
                assert tab.evaluate("hls.audioTracks[hls.audioTrack].lang") == ("fr" if choice else "en")
        assert tab.evaluate("video.webkitAudioDecodedByteCount") > 0
        assert tab.evaluate("errors") == []


def test_texts_appear_at_their_time(page: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser, browser.tab() as tab:
        tab.open(page)
        tab.wait_until("hls.subtitleTracks.length === 1", SECONDS)
        tab.evaluate("hls.subtitleTrack = 0, hls.subtitleDisplay = true, video.play(), 1")
        tab.wait_until("video.textTracks[0]?.cues?.length > 0", SECONDS)
        cue = "video.textTracks[0].cues[0]"
        assert tab.evaluate(f"[{cue}.startTime, {cue}.endTime, {cue}.text]") == [1, 2, "Hello &amp; welcome"]
        assert tab.evaluate("[video.textTracks[0].language, hls.subtitleTracks[0].lang]") == ["de", "de"]
        assert tab.evaluate("errors") == []
