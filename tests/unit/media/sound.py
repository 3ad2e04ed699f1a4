"""Sources of sound for tests, made and judged by an FFmpeg that is not the one inside Kinora."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from kinora.media import audio
from kinora.media.plan import PLAN_VERSION, Plan
from kinora.media.probe import probe

FRAME = 1024
SWEEP = "0.5*sin(2*PI*(100*t+80*t*t))"


def ffmpeg(*arguments: str | Path, data: bytes | None = None) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin" if data is None else "-y", "-y", *map(str, arguments)]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def make(path: Path, *options: str, sound: str = SWEEP, rate: int = 48_000, seconds: float = 16.3, picture: str = "") -> Path:
    """Write a file whose channels are `sound` (channel 2 at 0.6 of it), or as many expressions as `sound` has parts."""
    channels = sound if "|" in sound else f"{sound}|0.6*{sound}"
    inputs = ["-f", "lavfi", "-i", f"aevalsrc={channels}:s={rate}:d={seconds}"]
    if picture:
        inputs += ["-f", "lavfi", "-i", picture]
    ffmpeg(*inputs, "-fflags", "+bitexact", *options, path)
    return path


def plan_for(
    path: Path,
    demuxer: str,
    *,
    origin: Fraction | None = None,
    cuts: tuple[Fraction, ...] = (),
    codecs: tuple[str, ...] = ("aac",),
) -> Plan:
    """A plan with the audio side only."""
    with path.open("rb") as file:
        found = probe(file, demuxer)
        first = found.audio[0]
        begin = first.start * first.time_base if origin is None else origin
        tracks, timelines = audio.plan_tracks(file, found, begin, cuts, codecs)
    return Plan(PLAN_VERSION, "0" * 64, found, begin, (), (), tracks, timelines)


def segments(path: Path, plan: Plan, number: int = 0) -> list[bytes]:
    track = plan.audio_tracks[number]
    count = plan.segment_count(track.track)
    with path.open("rb") as file:
        return [segment for _, _, segment in audio.encode_batch(file, plan, track.track, 0, count)]


def joined(path: Path, plan: Plan, number: int = 0) -> bytes:
    with path.open("rb") as file:
        header = audio.init_segment(file, plan, plan.audio_tracks[number].track)
    return header + b"".join(segments(path, plan, number))


def samples(source: Path | bytes, plan: Plan, number: int = 0) -> np.ndarray:
    """Channels × samples as the independent FFmpeg decodes them, at the rate and with the channels of the plan's track."""
    track = plan.audio_tracks[number]
    data = source if isinstance(source, bytes) else None
    where = "-" if isinstance(source, bytes) else source
    form = ["-vn", "-f", "f32le", "-ac", str(track.channels), "-ar", str(track.sample_rate), "-"]
    return np.frombuffer(ffmpeg("-i", where, *form, data=data), "<f4").reshape(-1, track.channels).T


def snr(wanted: np.ndarray, got: np.ndarray) -> float:
    """Signal to noise in dB."""
    noise = float(((wanted - got) ** 2).sum())
    return float(10 * np.log10(float((wanted**2).sum()) / max(noise, 1e-12)))


def lag(wanted: np.ndarray, got: np.ndarray, at: int, *, within: int = 1100) -> int:
    """By how many samples `got` is late, found by correlating a stretch that begins at `at`."""
    stretch = wanted[at : at + 20_000]
    return max(range(-within, within + 1), key=lambda shift: float(stretch @ got[at + shift : at + shift + len(stretch)]))
