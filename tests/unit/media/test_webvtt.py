from __future__ import annotations

import time

import pytest

from kinora.media import webvtt
from kinora.media.webvtt import Cue, plain_cue


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a & b < c > d --> e", "a &amp; b &lt; c &gt; d --&gt; e"),
        ("<b>a</b><I>b</I><u>c</u>", "<b>a</b><i>b</i><u>c</u>"),
        ("<b>open", "<b>open</b>"),
        ("closed</b>", "closed"),
        ("<b><i>crossed</b></i>", "<b><i>crossed</i></b>"),
        ('<font color="#fff">x</font><v Bob>y<00:01.000>z', "xyz"),
        ("<b onclick='x'>y</b>", "<b>y</b>"),
        ("{\\an8}{\\pos(1,2)}x {kept}", "x {kept}"),
        ("a\r\n\r\n\n00:00:01.000 --> 00:00:02.000\rb", "a\n00:00:01.000 --&gt; 00:00:02.000\nb"),
        ("a\x00\x1b\u2028b\ufeff", "ab"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("NOTE x", "NOTE x"),
    ],
)
def test_text_is_made_safe(text: str, shown: str) -> None:
    cue = plain_cue(0, 1000, text)
    assert cue is not None
    assert cue.text == shown


@pytest.mark.parametrize(
    ("start", "end", "text"), [(5, 5, "x"), (9, 5, "x"), (-1, 5, "x"), (0, 10**12, "x"), (0, 1, " \n "), (0, 1, "<b></b>")]
)
def test_what_would_not_be_shown_is_no_cue(start: int, end: int, text: str) -> None:
    assert plain_cue(start, end, text) is None


def test_cues_are_written_in_their_order() -> None:
    made = webvtt.write([Cue(3_723_004, 3_724_000, "b"), Cue(0, 1, "a")]).decode()
    assert made.split("\n\n")[1:] == ["00:00:00.000 --> 00:00:00.001\na", "01:02:03.004 --> 01:02:04.000\nb\n"]


def test_what_is_written_is_read_again() -> None:
    cues = [Cue(n * 1000, n * 1000 + 500, f"<i>line</i> {n} &amp; more\nsecond") for n in range(50)]
    assert list(webvtt.read(webvtt.write(cues).decode())) == cues


def test_subrip_in_the_wild_is_read() -> None:
    text = (
        "\ufeff1\r\n00:00:01,000 --> 00:00:02,000 X1:1 X2:2\r\nOne\r\n\r\n2\r\n00:00:02.5-->00:00:03,25\r\nTwo\r\n"
        "3\r\n0:0:4,0 --> 0:0:5,0\r\nno number, no empty line\r\n\r\n\r\nnonsense\r\n00:00:09,000 --> 00:00:08,000\r\nreversed\r\n\r\n"
        "00:00:10,000 --> bad\r\nlost\r\n"
    )
    found = list(webvtt.read(text))
    assert [(one.start, one.end) for one in found] == [(1000, 2000), (2500, 3250), (4000, 5000)]
    assert found[0].text == "One"


def test_notes_styles_and_settings_are_left_out() -> None:
    text = (
        "WEBVTT - x\n\nSTYLE\n::cue{background:url(http://x)}\n\nNOTE\nsecret\n\nid\n00:01.000 --> 00:02.000 align:start\n"
        "&lt;b&gt; <c.red>a</c> &amp; b\n"
    )
    made = webvtt.write(webvtt.read(text)).decode()
    assert "url" not in made
    assert "secret" not in made
    assert "align" not in made
    assert made.endswith("00:00:01.000 --> 00:00:02.000\n&lt;b&gt; a &amp; b\n")


def test_hostile_files_stay_small_and_quick() -> None:
    million = "".join(f"{n}\n00:00:01,000 --> 00:00:02,000\n{'x' * 90}\n\n" for n in range(200_000))
    before = time.monotonic()
    made = webvtt.write(webvtt.read(million))
    assert len(made) <= webvtt.MOST_BYTES
    assert made.count(b"-->") <= webvtt.MOST_CUES
    for bomb in (
        "<" * 10**6,
        "{\\" * 10**6,
        "<b>" * 10**6,
        "-->" * 10**6,
        "1:" * 10**6 + "-->",
        "\x00" * 10**6,
        "&amp" * 10**6,
    ):
        assert list(webvtt.read(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{bomb}\n")) is not None
        assert list(webvtt.read(bomb)) == []
    assert time.monotonic() - before < 15
