"""FFmpeg as a player over HTTP: every frame arrives, tokens reach the children, and what is not made yet is made for who asks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import imageio_ffmpeg
import m3u8
import pytest

from tests.e2e.instance import kinora_up

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FILM = Path(__file__).parents[1] / "media" / "bigbuckbunny.mp4"
ENCODING_SECONDS = 120


@pytest.fixture(scope="module", params=["public", "token"])
def kinora(request, tmp_path_factory):
    with kinora_up(tmp_path_factory.mktemp("kinora"), KINORA_STREAM_ACCESS=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def stream(kinora):
    """The absolute address of the film's stream, with its token if it needs one."""
    key = kinora.upload("film.mp4", FILM.read_bytes())
    job = kinora.wait_for(key, "ready", seconds=ENCODING_SECONDS)
    return urljoin(kinora.url, kinora.client.get(job["media_url"]).json()["stream_url"])


def decoded_frames(source: str, *options: str) -> int:
    """How many frames FFmpeg decodes; any complaint on the way fails."""
    command = [
        FFMPEG,
        "-hide_banner",
        "-nostdin",
        "-xerror",
        "-v",
        "warning",
        "-stats",
        "-i",
        source,
        *options,
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return int(re.findall(r"frame=\s*(\d+)", done.stderr)[-1])


def media_playlists(kinora, stream: str) -> list[str]:
    """The absolute addresses of every rendition's and every audio track's playlist."""
    answer = kinora.client.get(stream)
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    multivariant = m3u8.loads(answer.text, uri=stream)
    return [one.absolute_uri for one in [*multivariant.playlists, *multivariant.media]]


def test_ffmpeg_decodes_every_frame_of_every_rendition(stream):
    expected = decoded_frames(str(FILM), "-map", "0:v")
    assert decoded_frames(stream, "-map", "0:v:0") == expected
    for variant in range(4):  # 720, 480, 360 and 240
        assert decoded_frames(stream, "-map", f"0:v:{variant}") == expected


def test_every_address_in_the_playlists_can_be_fetched_without_headers(kinora, stream):
    is_private = "token=" in stream
    for address in media_playlists(kinora, stream):
        playlist = m3u8.loads(kinora.client.get(address).text, uri=address)
        assert playlist.is_endlist
        for part in [playlist.segment_map[0].absolute_uri, *(one.absolute_uri for one in playlist.segments)]:
            assert ("token=" in part) is is_private
            assert kinora.client.get(part, headers={"Authorization": ""}).status_code == 200
            if is_private:
                assert kinora.client.get(part.partition("?")[0], headers={"Authorization": ""}).status_code == 401


def test_a_playable_stream_is_complete_before_it_is_encoded(kinora, tmp_path):
    """The film twelve times over: long enough for its end to be looked at before it is encoded."""
    longer = tmp_path / "longer.mp4"
    loop = [FFMPEG, "-v", "error", "-stream_loop", "11", "-i", str(FILM), "-c", "copy", str(longer)]
    subprocess.run(loop, check=True, timeout=60)
    key = kinora.upload("longer.mp4", longer.read_bytes())
    job = kinora.wait_for(key, "playable", "encoding", seconds=ENCODING_SECONDS)
    stream = urljoin(kinora.url, kinora.client.get(job["media_url"]).json()["stream_url"])
    playlists = [m3u8.loads(kinora.client.get(one).text, uri=one) for one in media_playlists(kinora, stream)]
    assert all(one.is_endlist for one in playlists)
    durations = [sum(part.duration for part in one.segments) for one in playlists]
    assert min(durations) > 60
    assert max(durations) - min(durations) < 0.1
    ends = [one.segments[-1].absolute_uri for one in playlists]
    last = next(end for end in ends if "/video/r240_h264/" in end)
    answer = kinora.client.head(last)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), "to look is not to ask for it"
    beyond = re.sub(r"seg_\d+", "seg_999", last)
    assert kinora.client.get(beyond).status_code == 404
    assert kinora.client.get(last).status_code == 200
    assert kinora.client.head(last).status_code == 200
    assert kinora.client.delete(job["media_url"]).json()["complete"]
