"""VMAF and SSIM of every rung, and how many bytes FFmpeg needs for the same: read off its own curve of bytes over quality."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, log10
from pathlib import Path

import av

from benchmarks.clips import FFMPEG, camera_clip, ffmpeg
from benchmarks.encoding import ffmpeg_file, ffmpeg_ladder, plan_of, write_with_kinora
from benchmarks.measure import cost_of
from benchmarks.report import Report
from kinora.media.ladder import CRF
from kinora.media.plan import Plan, Rendition

STEPS = (-3, 0, 3)  # of FFmpeg's CRF around Kinora's
# The filters would convert one input to the other's colours, where only one of them is tagged.
SAME_CLOCK_AND_COLOURS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709,settb=1/1000,setpts=N"


@dataclass(frozen=True)
class Encode:
    size: int  # bytes of pictures, without headers of the container
    ssim: float
    vmaf: float


def run(report: Report, folder: Path) -> None:
    clip = camera_clip(folder)
    plan = plan_of(clip)
    ours = {name: _judge(clip, file, name, plan) for name, file in write_with_kinora(clip, plan, folder).items()}
    curves: dict[str, list[Encode]] = {one.name: [] for one in plan.renditions}
    for step in STEPS:
        cost_of(ffmpeg_ladder(clip, plan, folder=folder, crf=CRF + step))
        for one in plan.renditions:
            curves[one.name].append(_judge(clip, ffmpeg_file(folder, one), one.name, plan))
    rows: list[list[object]] = []
    for name, mine in ours.items():
        same = curves[name][STEPS.index(0)]
        at_vmaf = mine.size / _bytes_for(mine.vmaf, [(one.vmaf, one.size) for one in curves[name]])
        at_ssim = mine.size / _bytes_for(_decibels(mine.ssim), [(_decibels(one.ssim), one.size) for one in curves[name]])
        quality = [f"{mine.vmaf:.1f}", f"{same.vmaf:.1f}", f"{mine.ssim:.4f}", f"{same.ssim:.4f}"]
        rows.append([name, mine.size, mine.size / same.size, *quality, at_vmaf, at_ssim])
    report.table(
        "Quality",
        "The same clip; each rung is compared with the source scaled to its size. The last two columns are the goal (1.02 at most): Kinora's bytes ÷ "
        f"those that FFmpeg needs for the same VMAF and SSIM, between its encodes at CRF {', '.join(str(CRF + step) for step in STEPS)}.",
        ["rendition", "bytes", "÷ FFmpeg's at the same CRF", "VMAF", "FFmpeg's", "SSIM", "FFmpeg's", "bytes at equal VMAF", "at equal SSIM"],
        rows,
    )  # fmt: skip


def _judge(clip: Path, encoded: Path, name: str, plan: Plan) -> Encode:
    one = next(rendition for rendition in plan.renditions if rendition.name == name)
    reference = _reference(clip, one, encoded.parent)
    graph = (
        f"[0:v]{SAME_CLOCK_AND_COLOURS},split[a][b];[1:v]{SAME_CLOCK_AND_COLOURS},split[c][d];"
        f"[a][c]ssim;[b][d]libvmaf=n_threads={os.cpu_count()}"
    )
    command = [
        FFMPEG,
        "-nostdin",
        "-i",
        encoded,
        "-i",
        reference,
        "-lavfi",
        graph,
        "-fps_mode",
        "passthrough",
        "-f",
        "null",
        "-",
    ]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    with av.open(str(encoded)) as container:
        size = sum(packet.size for packet in container.demux(video=0))
    return Encode(size, float(re.findall(r"All:([0-9.]+)", words)[-1]), float(re.findall(r"VMAF score: ([0-9.]+)", words)[-1]))


def _reference(clip: Path, one: Rendition, folder: Path) -> Path:
    """The source in that size, without loss, by a scaler that neither side uses."""
    target = folder / f"reference-{one.name}.nut"
    if not target.exists():
        scale = f"scale={one.width}:{one.height}:flags=lanczos+accurate_rnd,format=yuv420p"
        ffmpeg("-i", clip, "-vf", scale, "-fps_mode", "passthrough", "-c:v", "ffv1", "-an", target)
    return target


def _bytes_for(quality: float, curve: list[tuple[float, int]]) -> float:
    """Between two points of the curve, or beyond its ends, on a straight line over the logarithm of bytes."""
    pairs = list(pairwise(sorted(curve)))
    (low, fewer), (high, more) = next((pair for pair in pairs if quality <= pair[1][0]), pairs[-1])
    return exp(log(fewer) + (quality - low) / (high - low) * (log(more) - log(fewer)))


def _decibels(ssim: float) -> float:
    return -10 * log10(1 - ssim)
