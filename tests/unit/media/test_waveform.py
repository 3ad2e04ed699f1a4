"""Waveforms against numpy, which takes the extremes of what an independent FFmpeg decodes."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media.waveform import make_waveform, samples_per_pixel
from tests.unit.media import clips
from tests.unit.media.sound import ffmpeg, make, plan_for
from tests.unit.media.test_plan import plan_clip


def waveform(path: Path, demuxer: str, origin: Fraction | None = None) -> dict:
    plan = plan_for(path, demuxer, origin=origin)
    with path.open("rb") as file:
        return json.loads(make_waveform(file, plan))


def expected(path: Path, scale: int, rate: int) -> np.ndarray:
    """Pixels × (lowest, highest) in 8 bits."""
    samples = np.frombuffer(ffmpeg("-i", path, "-vn", "-f", "s16le", "-ac", "1", "-ar", str(rate), "-"), "<i2")
    samples = np.concatenate([samples, np.repeat(samples[-1:], -len(samples) % scale)]).reshape(-1, scale)
    return np.trunc(np.stack([samples.min(1), samples.max(1)], 1) / 256)


@pytest.mark.parametrize(
    ("name", "demuxer", "options", "rate"),
    [
        ("a.wav", "wav", (), 44_100),
        ("a.flac", "flac", (), 96_000),
        ("a.m4a", "mov", ("-c:a", "aac"), 48_000),
        ("a.mp3", "mp3", ("-c:a", "libmp3lame"), 44_100),
        ("a.mka", "matroska", ("-c:a", "libopus"), 48_000),
        ("a.ts", "mpegts", ("-c:a", "aac"), 48_000),
    ],
)
def test_extremes_are_those_of_the_samples(tmp_path, name, demuxer, options, rate):
    path = make(tmp_path / name, *options, rate=rate, seconds=5.3)
    found = waveform(path, demuxer, origin=Fraction(0) if demuxer == "matroska" else None)
    wanted = expected(path, found["samples_per_pixel"], found["sample_rate"])
    assert {key: found[key] for key in ("version", "channels", "bits", "sample_rate", "samples_per_pixel")} == {
        "version": 2,
        "channels": 1,
        "bits": 8,
        "sample_rate": rate,
        "samples_per_pixel": 256,
    }
    data = np.array(found["data"]).reshape(-1, 2)
    assert found["length"] == len(data)
    assert abs(len(data) - len(wanted)) <= 9
    shared = min(len(data), len(wanted)) - 1
    worst = 16 if demuxer == "matroska" else 1  # its milliseconds move the sound by up to half of one
    assert np.abs(data[:shared] - wanted[:shared]).max() <= worst
    assert np.abs(data).max() > 40


def test_surround_is_mixed_and_full_scale_stays_in_range(tmp_path):
    path = tmp_path / "loud.wav"
    sound = "|".join(["sgn(sin(200*t))"] * 6)
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc={sound}:c=5.1:s=48000:d=2", path)
    data = waveform(path, "wav")["data"]
    assert -128 <= min(data) < -100
    assert 100 < max(data) <= 127


def test_silence_leads_sound_that_begins_later(tmp_path):
    path = make(tmp_path / "a.wav", seconds=3)
    found = waveform(path, "wav", origin=Fraction(-2))
    quiet = 2 * 48_000 // 256
    assert not any(found["data"][: 2 * quiet])
    assert any(found["data"][2 * quiet : 2 * quiet + 20])
    assert found["length"] == pytest.approx(5 * 48_000 / 256, abs=1)


def test_a_damaged_tail_leaves_the_rest(tmp_path):
    path = make(tmp_path / "a.mp3", "-c:a", "libmp3lame", seconds=10)
    plan = plan_for(path, "mp3")
    data = path.read_bytes()
    half = json.loads(make_waveform(io.BytesIO(data[: len(data) // 2]), plan))
    assert half["length"] == pytest.approx(5 * 48_000 / 256, rel=0.05)


def test_what_has_no_sound_has_no_waveform(tmp_path):
    with clips.clip("even").open("rb") as file, pytest.raises(UnsupportedMedia):
        make_waveform(file, plan_clip("even"))
    plan = plan_for(make(tmp_path / "a.wav", seconds=1), "wav")
    with pytest.raises(CorruptMedia):
        make_waveform(io.BytesIO(b""), plan)


@pytest.mark.parametrize(("seconds", "scale"), [(60, 256), (3600, 8192), (12 * 3600, 65_536)])
def test_long_sound_has_coarser_pixels(seconds, scale):
    samples = seconds * 48_000
    assert samples_per_pixel(samples) == scale
    assert samples / scale <= 40_000
