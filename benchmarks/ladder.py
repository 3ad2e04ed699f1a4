"""The whole ladder against one FFmpeg process with the same codec, preset, rungs, rates and chained scaling: CPU, bytes, SSIM."""

from __future__ import annotations

import re
import statistics
import subprocess
from pathlib import Path

from benchmarks.clips import FFMPEG, ffmpeg
from benchmarks.measure import Report, measured, peak_megabytes
from kinora.media import segment
from kinora.media.plan import Plan
from kinora.media.planning import make_plan

RUNGS = (1080, 720, 480, 360, 240)


def plan_of(clip: Path, ladder: tuple[int, ...] = RUNGS) -> Plan:
    with clip.open("rb") as file:
        return make_plan(file, "mov", "0" * 64, ladder=ladder, max_duration=10**6, max_pixels=10**9)


def run(report: Report, folder: Path, clip: Path, rounds: int) -> None:
    plan = plan_of(clip)
    encoded = [one for one in plan.renditions if not getattr(one, "copied", False)]
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):  # side by side, so that a busy machine is busy for both
        with measured() as cost:
            _ours(clip, plan, folder)
        ours.append(cost.cpu)
        with measured() as cost:
            make_with_ffmpeg(clip, plan, folder)
        theirs.append(cost.cpu)
    rows: list[list[object]] = []
    for one in encoded:
        mine, other = folder / f"kinora-{one.name}.mp4", folder / f"ffmpeg-{one.name}.mp4"
        bytes_ratio = mine.stat().st_size / other.stat().st_size
        rows.append(
            [one.name, mine.stat().st_size, other.stat().st_size, bytes_ratio, _ssim(clip, mine, one), _ssim(clip, other, one)]
        )
    seconds = plan.probe.duration
    cpu = statistics.median(ours), statistics.median(theirs)
    report.table(
        "The whole ladder",
        f"{seconds:.1f} s of 1080p into {len(encoded)} rungs, video only. CPU seconds per second of content: Kinora "
        f"{cpu[0] / seconds:.2f}, one FFmpeg process {cpu[1] / seconds:.2f}: ratio **{cpu[0] / cpu[1]:.2f}** "
        f"(median of {rounds}). Peak memory of Kinora's process: {_peak(clip):.0f} MB.",
        ["rendition", "bytes", "FFmpeg's bytes", "ratio", "SSIM", "FFmpeg's SSIM"],
        rows,
    )


def _ours(clip: Path, plan: Plan, folder: Path) -> None:
    files = {}
    with clip.open("rb") as file:
        for track, data in segment.init_segments(file, plan):
            files[track] = (folder / f"kinora-{track.split('/')[1]}.mp4").open("wb")
            files[track].write(data)
        for track, _, data in segment.encode_batch(file, plan, 0, len(plan.timeline) - 1):
            files[track].write(data)
    for out in files.values():
        out.close()


def make_with_ffmpeg(clip: Path, plan: Plan, folder: Path) -> None:
    base = plan.probe.video.time_base if plan.probe.video else 1
    forced = ",".join(f"{float((cut - plan.timeline[0]) * base):.6f}" for cut in plan.timeline[:-1])
    graph, last, outputs = [], "0:v", []
    for number, one in enumerate(plan.renditions):
        graph.append(f"[{last}]scale={one.width}:{one.height}:flags=bicubic,format=yuv420p,split[o{number}][n{number}]")
        last = f"n{number}"
        outputs += ["-map", f"[o{number}]", "-c:v", "libx264", "-preset", "veryfast", "-crf", one.crf, "-maxrate", one.max_rate,
                    "-bufsize", one.buffer_size, "-force_key_frames", forced, "-x264-params", "scenecut=0:keyint=infinite",
                    "-an", folder / f"ffmpeg-{one.name}.mp4"]  # fmt: skip
    graph.append(f"[{last}]nullsink")
    ffmpeg("-i", clip, "-filter_complex", ";".join(graph), *outputs)


def _ssim(clip: Path, encoded: Path, one: object) -> str:
    size = f"{one.width}:{one.height}"  # type: ignore[attr-defined]
    graph = f"[0:v]setpts=PTS-STARTPTS[a];[1:v]setpts=PTS-STARTPTS,scale={size}:flags=bicubic[b];[a][b]ssim"
    done = subprocess.run(
        [FFMPEG, "-nostdin", "-i", encoded, "-i", clip, "-lavfi", graph, "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    return re.findall(r"All:([0-9.]+)", done.stderr)[-1][:6]


def _peak(clip: Path) -> float:
    code = (
        "import sys; from pathlib import Path; from benchmarks.ladder import plan_of; from kinora.media import segment\n"
        "clip = Path(sys.argv[1]); plan = plan_of(clip); file = clip.open('rb')\n"
        "for _ in segment.encode_batch(file, plan, 0, len(plan.timeline) - 1): pass"
    )
    return peak_megabytes(code, str(clip))
