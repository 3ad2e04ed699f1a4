from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import m3u8
import pytest

from kinora.errors import InvalidInput
from kinora.media import hls
from kinora.media.plan import PLAN_VERSION, AudioTrack, Plan, Probe, Rendition, SubtitleTrack, VideoSource

VIDEO = VideoSource(
    index=0,
    codec="h264",
    time_base=Fraction(1, 30_000),
    width=1920,
    height=1080,
    rotation=0,
    pixel_format="yuv420p",
    frame_rate=Fraction(30_000, 1001),
    start=0,
    end=0,
    color_primaries="bt709",
    color_transfer="bt709",
    color_space="bt709",
    color_range="tv",
)
SOUND = AudioTrack(
    name="und_aac_2ch",
    codec="aac",
    source_index=1,
    channels=2,
    sample_rate=44_100,
    bit_rate=128_000,
    codecs="mp4a.40.2",
    bandwidth=170_000,
    language="und",
    title="",
    default=True,
)


def rendition(height: int, bandwidth: int) -> Rendition:
    return Rendition(
        name=f"r{height}_h264",
        codec="h264",
        width=height * 16 // 9,
        height=height,
        crf=22,
        max_rate=bandwidth,
        buffer_size=bandwidth,
        codecs="avc1.64001f",
        bandwidth=bandwidth,
        frame_rate=30_000 / 1001,
    )


RENDITIONS = (rendition(1080, 6_000_000), rendition(720, 3_000_000), rendition(480, 1_400_000), rendition(240, 400_000))


def plan(**changes: object) -> Plan:
    """101 video segments of 120 frames at 29.97 fps and a last one of 17; audio boundaries that are no round times."""
    timeline = (*(120_120 * n for n in range(101)), 12_012_000 + 17 * 1001)
    audio = (*range(0, 17_000, 173), 17_200)
    whole = Plan(
        version=PLAN_VERSION,
        hash="0" * 64,
        probe=Probe("mov", 400.0, VIDEO, ()),
        origin=Fraction(0),
        timeline=timeline,
        renditions=RENDITIONS,
        audio_tracks=(SOUND,),
        audio_timeline={"und_aac_2ch": audio},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("track", "duration"),
    [("video/r720_h264", Fraction(12_012_000 + 17 * 1001, 30_000)), ("audio/und_aac_2ch", Fraction(17_200 * 1024, 44_100))],
)
def test_a_media_playlist_adds_up_and_stays_within_its_target(track: str, duration: Fraction) -> None:
    text = hls.media_playlist(plan(), track)
    parsed = m3u8.loads(text)
    lengths = [Fraction(found) for found in re.findall(r"#EXTINF:(\d+\.\d{6}),\n", text)]
    assert len(lengths) == len(parsed.segments) == plan().segment_count(track)
    assert abs(sum(lengths) - duration) <= Fraction(1, 1_000_000)
    assert max(round(length) for length in lengths) == parsed.target_duration
    assert [segment.uri for segment in parsed.segments] == [f"seg_{n}.m4s" for n in range(len(lengths))]
    assert parsed.segments[0].init_section.uri == "init.mp4"
    assert (parsed.playlist_type, parsed.is_endlist, parsed.media_sequence, parsed.version) == ("vod", True, 0, 7)
    assert parsed.is_independent_segments
    assert text.startswith("#EXTM3U\n")
    assert text.endswith("#EXT-X-ENDLIST\n")


def test_every_boundary_is_within_a_microsecond_of_the_media() -> None:
    at = Fraction(0)
    lengths = re.findall(r"#EXTINF:([\d.]+),", hls.media_playlist(plan(), "audio/und_aac_2ch"))
    for length, cut in zip(lengths, plan().audio_timeline["und_aac_2ch"][1:], strict=True):
        at += Fraction(length)
        assert abs(at - Fraction(cut * 1024, 44_100)) <= Fraction(1, 1_000_000)


def test_the_first_segment_counts_from_the_origin() -> None:
    late = plan(origin=Fraction(-1, 2))
    first, second = re.findall(r"#EXTINF:([\d.]+),", hls.media_playlist(late, "video/r720_h264"))[:2]
    assert (first, second) == ("4.504000", "4.004000")


def test_half_a_second_still_has_a_target_duration() -> None:
    short = plan(timeline=(0, 6006))
    assert "#EXT-X-TARGETDURATION:1\n" in hls.media_playlist(short, "video/r720_h264")


@pytest.mark.parametrize("track", ["video/r999_h264", "audio/eng_aac_2ch", "subtitles/eng"])
def test_a_track_that_is_not_planned_is_refused(track: str) -> None:
    with pytest.raises(KeyError):
        hls.media_playlist(plan(), track)


def test_the_multivariant_playlist_offers_every_rendition_with_the_audio() -> None:
    parsed = m3u8.loads(hls.multivariant_playlist(plan()))
    assert parsed.is_variant
    assert [one.uri for one in parsed.playlists] == [f"video/r{h}_h264/playlist.m3u8" for h in (480, 1080, 720, 240)]
    first = parsed.playlists[0].stream_info
    assert (first.bandwidth, first.codecs, first.resolution) == (1_570_000, "avc1.64001f,mp4a.40.2", (853, 480))
    assert first.frame_rate == 29.970
    assert first.audio == "aac-stereo"
    (sound,) = parsed.media
    assert (sound.type, sound.group_id, sound.name, sound.language) == ("AUDIO", "aac-stereo", "Audio", None)
    assert (sound.default, sound.autoselect, sound.channels) == ("YES", "YES", "2")
    assert sound.uri == "audio/und_aac_2ch/playlist.m3u8"


def test_without_audio_nothing_points_to_a_group() -> None:
    text = hls.multivariant_playlist(plan(audio_tracks=(), audio_timeline={}))
    assert "AUDIO" not in text
    assert 'CODECS="avc1.64001f"' in text


def test_without_video_the_audio_is_the_variant() -> None:
    text = hls.multivariant_playlist(plan(renditions=(), timeline=()))
    (variant,) = m3u8.loads(text).playlists
    assert variant.uri == "audio/und_aac_2ch/playlist.m3u8"
    assert (variant.stream_info.bandwidth, variant.stream_info.codecs) == (170_000, "mp4a.40.2")


def test_the_lowest_rung_starts_when_all_are_above_the_usual_rate() -> None:
    text = hls.multivariant_playlist(plan(renditions=(rendition(2160, 20_000_000), rendition(1440, 9_000_000))))
    assert [one.uri for one in m3u8.loads(text).playlists] == [
        "video/r1440_h264/playlist.m3u8",
        "video/r2160_h264/playlist.m3u8",
    ]


def test_titles_cannot_break_out_of_their_attribute() -> None:
    hostile = replace(SOUND, title='The "best"\n#EXT-X-KEY:METHOD=NONE\r\x00,URI="http://x"', language="de")
    text = hls.multivariant_playlist(plan(audio_tracks=(hostile,)))
    assert not any(line.startswith("#EXT-X-KEY") for line in text.splitlines())
    (sound,) = m3u8.loads(text).media
    assert sound.name == "The 'best' #EXT-X-KEY:METHOD=NONE ,URI='http://x'"
    assert (sound.language, sound.uri) == ("de", "audio/und_aac_2ch/playlist.m3u8")


def test_audio_choices_have_names_that_differ_and_one_default() -> None:
    second = replace(SOUND, name="eng_aac_2ch", source_index=2, language="en", title="", default=False)
    third = replace(second, name="eng_aac_1ch", source_index=3, channels=1)
    found = m3u8.loads(hls.multivariant_playlist(plan(audio_tracks=(second, third, SOUND)))).media
    assert [(one.name, one.default) for one in found] == [("Audio", "YES"), ("en", "NO"), ("en (2)", "NO")]


def test_a_token_is_added_to_every_relative_uri() -> None:
    text = (
        '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="../keys/1?x=1",IV=0x01\n#EXT-X-MAP:URI="init.mp4",BYTERANGE="1@0"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,NAME="a,URI=",URI="a/p.m3u8"\n#EXTINF:4.0,URI="no"\nseg_0.m4s\n\n'
        '# URI="comment"\nhttps://cdn/seg_1.m4s\ndata:video/mp4;base64,AA\n//cdn/x\n/root.m4s#t\n'
        '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="data:text/plain,k"\n#EXT-X-ENDLIST\n'
    )
    assert hls.rewrite_uris(text, "token=a.b-c%3D") == (
        '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="../keys/1?x=1&token=a.b-c%3D",IV=0x01\n'
        '#EXT-X-MAP:URI="init.mp4?token=a.b-c%3D",BYTERANGE="1@0"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,NAME="a,URI=",URI="a/p.m3u8?token=a.b-c%3D"\n#EXTINF:4.0,URI="no"\nseg_0.m4s?token=a.b-c%3D\n\n'
        '# URI="comment"\nhttps://cdn/seg_1.m4s\ndata:video/mp4;base64,AA\n//cdn/x\n/root.m4s?token=a.b-c%3D#t\n'
        '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="data:text/plain,k"\n#EXT-X-ENDLIST\n'
    )


def test_every_uri_of_our_own_playlists_is_rewritten() -> None:
    for text in (hls.multivariant_playlist(plan()), hls.media_playlist(plan(), "video/r720_h264")):
        rewritten = hls.rewrite_uris(text, "token=t")
        assert rewritten.count("?token=t") == len(re.findall(r'^[^#\n]|URI="', text, re.MULTILINE))
        assert rewritten.replace("?token=t", "") == text


@pytest.mark.parametrize("query", ["", 'token="', "token=a\n#EXT-X-KEY", "a b", "a#b", "ü"])
def test_a_query_that_could_change_the_playlist_is_refused(query: str) -> None:
    with pytest.raises(InvalidInput):
        hls.rewrite_uris("#EXTM3U\nseg_0.m4s\n", query)


def test_texts_have_names_that_differ_and_one_default() -> None:
    titles = [("en (2)", True), ("en", False), ("en", True), ('en\n(2)"', False), ("", False)]
    texts = tuple(SubtitleTrack(f"t{n}", "webvtt", -1, "en", name, first, False) for n, (name, first) in enumerate(titles))
    found = m3u8.loads(hls.multivariant_playlist(plan(subtitles=texts))).media
    tags = [one for one in found if one.type == "SUBTITLES"]
    assert len({one.name for one in tags}) == len(tags) == 5
    assert [one.default for one in tags] == ["YES", *["NO"] * 4]
    assert [one.autoselect for one in tags] == ["YES", *["NO"] * 4]
