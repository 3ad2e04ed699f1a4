"""What is read from the containers themselves."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media.probe import probe
from tests.unit.media import clips


def probe_clip(name: str):
    with clips.clip(name).open("rb") as file:
        return probe(file, clips.demuxer_of(clips.clip(name)))


def test_a_plain_video():
    found = probe_clip("film")
    assert found.container == "mov"
    assert found.audio == ()
    assert (found.video.codec, found.video.width, found.video.height) == ("h264", 192, 108)
    assert found.video.frame_rate == Fraction(24000, 1001)
    assert found.video.rotation == 0
    assert not found.video.interlaced
    assert found.duration == pytest.approx(9.009, abs=0.001)


def test_sound_beside_the_picture():
    found = probe_clip("transport")
    (sound,) = found.audio
    assert (sound.codec, sound.sample_rate, sound.channels, sound.language) == ("aac", 48000, 1, "und")


@pytest.mark.parametrize(("name", "size", "turn"), [("rotated", (108, 192), 270), ("upside_down", (192, 108), 180)])
def test_rotation_is_clockwise_and_sizes_are_as_shown(name, size, turn):
    video = probe_clip(name).video
    assert ((video.width, video.height), video.rotation) == (size, turn)


def test_pixels_become_square():
    assert (probe_clip("anamorphic").video.width, probe_clip("anamorphic").video.height) == (256, 96)


def test_colour_and_interlacing_are_named():
    video = probe_clip("pq").video
    assert (video.color_primaries, video.color_transfer, video.color_space) == ("bt2020", "smpte2084", "bt2020nc")
    assert probe_clip("full_range").video.color_range == "pc"
    assert probe_clip("interlaced_ts").video.interlaced


def test_cover_art_is_no_video():
    assert probe_clip("with_cover").video.codec == "h264"
    with clips.clip("sound_with_cover").open("rb") as file:
        found = probe(file, "mov")
    assert found.video is None
    assert len(found.audio) == 1


@pytest.mark.parametrize("data", [b"", b"just text\n" * 100, b"#EXTM3U\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n"])
@pytest.mark.parametrize("demuxer", ["mov", "matroska", "mpegts", "avi"])
def test_what_is_no_video_is_corrupt(data, demuxer):
    with pytest.raises((CorruptMedia, UnsupportedMedia)):
        probe(io.BytesIO(data), demuxer)


@pytest.mark.parametrize("demuxer", ["hls", "concat", "dash", "image2", "lavfi", "tee", "mov:pcm_s16le"])
def test_demuxers_that_open_other_files_are_refused(demuxer):
    with pytest.raises(UnsupportedMedia):
        probe(io.BytesIO(b"#EXTM3U\n"), demuxer)


def test_a_header_without_any_picture_is_corrupt():
    data = clips.clip("front").read_bytes()
    with pytest.raises(CorruptMedia):
        probe(io.BytesIO(data[: data.index(b"mdat") + 4]), "mov")
