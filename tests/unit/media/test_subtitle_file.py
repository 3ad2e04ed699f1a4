"""What a subtitle file's name says, and how its bytes become cues."""

from __future__ import annotations

import time

import pytest

from kinora.errors import LimitExceeded, UnsupportedMedia
from kinora.media.languages import canonical_tag
from kinora.media.subtitle_file import NameParts, is_subtitle_name, possible_stems, read_subtitles

CUE = "1\n00:00:01,000 --> 00:00:02,000\n"


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("film.srt", {"film": NameParts()}),
        ("film.EN.Srt", {"film.EN": NameParts(), "film": NameParts("en")}),
        ("film.mov.vtt", {"film.mov": NameParts(), "film": NameParts("mov")}),
        ("film.forced.pt_BR.vtt", {"film.forced.pt_BR": NameParts(), "film.forced": NameParts("pt-BR"),
                                   "film": NameParts("pt-BR", forced=True)}),
        ("film.cc.default.srt", {"film.cc.default": NameParts(), "film.cc": NameParts(default=True),
                                 "film": NameParts(default=True, for_deaf=True)}),
        ("film.en.de.srt", {"film.en.de": NameParts(), "film.en": NameParts("de")}),
        ("film.part2.srt", {"film.part2": NameParts()}),
    ],
)  # fmt: skip
def test_a_name_may_belong_to_several_stems_the_longest_first(name: str, stems: dict[str, NameParts]) -> None:
    assert is_subtitle_name(name)
    assert list(possible_stems(name).items()) == list(stems.items())


@pytest.mark.parametrize(
    ("text", "tag"),
    [("EN", "en"), ("eng", "en"), ("pt_br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("und", "und"), ("es-419", "es-419"),
     ("english", None), ("e", None), ("", None), ("en-", None), ("en/../x", None), ("en\n", None), ("en-" + "a-" * 20, None)],
)  # fmt: skip
def test_a_language_is_written_in_one_way(text: str, tag: str | None) -> None:
    assert canonical_tag(text) == tag


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_are_found_out(encoding: str) -> None:
    (cue,) = read_subtitles(f"{CUE}naïve – “café” €".encode(encoding)).cues
    assert cue.text == "naïve – “café” €"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_subrip_as_it_is_found(newline: str) -> None:
    text = (
        "2\n00:00:03,000 --> 00:00:05,000\n<font color=red>late</font>\n\n"
        "1\n00:01,5 --> 00:04,000\n{\\an8}with\n\nan empty line\n\n"
        "3\n0:00:06 --> 0:00:07\nGo --> there\n12\n00:00:08,000 --> 00:00:09,000\nlast\n13\n"
    )
    made = read_subtitles(text.replace("\n", newline).encode()).webvtt().decode()
    assert made.split("\n\n")[1:] == [
        "00:00:01.500 --> 00:00:04.000\nwith\nan empty line",
        "00:00:03.000 --> 00:00:05.000\nlate",
        "00:00:06.000 --> 00:00:07.000\nGo --&gt; there",
        "00:00:08.000 --> 00:00:09.000\nlast\n13\n",
    ]


def test_the_content_says_what_it_is() -> None:
    assert read_subtitles(b"\xef\xbb\xbfWEBVTT title\n\n00:01.000 --> 00:02.000\n&amp;\n").media_type == "text/vtt"
    assert read_subtitles(f"WEBVTTX\n{CUE}&amp;".encode()).media_type == "application/x-subrip"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no-cues"),
        (b"WEBVTT\n", "no-cues"),
        (b"{\\rtf1 words}", "no-cues"),
        (b"1\n00:00:05,000 --> 00:00:01,000\nx\n", "bad-times"),
        (b"1\n99999:00:05,000 --> 99999:00:07,000\nx\n", "bad-times"),
        (b"\xff\xfe\x00\xd8", "not-text"),
        (b"\xef\xbb\xbf\xff", "not-text"),
        (b"\x81\x8d", "not-text"),
        (CUE.encode() + b"a\x00b", "not-text"),
    ],
)
def test_what_is_no_subtitle_file_is_said(data: bytes, code: str) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        read_subtitles(data)
    assert caught.value.code == code


def test_large_files_are_refused_and_the_largest_take_moments() -> None:
    with pytest.raises(LimitExceeded):
        read_subtitles(b"x" * 4_000_001)
    before = time.monotonic()
    for piece in ("1\n00:00:01 --> 00:00:02\n&<b>\n", "7\n\n", "<i>{\\"):
        whole = f"{CUE}x\n{piece * (3_900_000 // len(piece))}".encode()
        assert len(read_subtitles(whole).webvtt()) <= 4_000_000
    assert time.monotonic() - before < 20
