"""The ladder of one clip, made by Kinora and by one FFmpeg process with the same codec, preset, rungs, rates and chained scaling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from benchmarks.clips import ffmpeg_command
from kinora.media import segment
from kinora.media.plan import Plan, Rendition
from kinora.media.planning import make_plan

RUNGS = (1080, 720, 480, 360, 240)
NOWHERE = ("-f", "null", "-")


def plan_of(clip: Path) -> Plan:
    with clip.open("rb") as file:
        return make_plan(file, "mov", "0" * 64, ladder=RUNGS, max_duration=10**6, max_pixels=10**9)


def encode_with_kinora(clip: Path, plan: Plan, batches: Iterable[tuple[int, int]], names: Sequence[str] | None = None) -> int:
    """Bytes of all segments, made batch by batch."""
    total = 0
    with clip.open("rb") as file:
        for first, stop in batches:
            total += sum(len(data) for *_, data in segment.encode_batch(file, plan, first, stop, names))
    return total


def write_with_kinora(clip: Path, plan: Plan, folder: Path) -> dict[str, Path]:
    """One file for each rendition, by name."""
    files = {one.track: folder / f"kinora-{one.name}.mp4" for one in plan.renditions}
    with clip.open("rb") as file:
        for track, data in segment.init_segments(file, plan):
            files[track].write_bytes(data)
        for track, _, data in segment.encode_batch(file, plan, 0, len(plan.timeline) - 1):
            with files[track].open("ab") as joined:
                joined.write(data)
    return {one.name: files[one.track] for one in plan.renditions}


def ffmpeg_ladder(
    clip: Path, plan: Plan, *, folder: Path | None = None, crf: int | None = None, only: tuple[Fraction, Fraction] | None = None
) -> list[str]:
    """The command for the whole clip with key pictures where Kinora cuts, or for the range `only` in seconds, as a chunk.

    Without a folder the output is thrown away.
    """
    window = ["-ss", f"{float(only[0]):.6f}", "-t", f"{float(only[1] - only[0]):.6f}"] if only else []
    cuts = ",".join(f"{float(time):.6f}" for time in ([Fraction(0)] if only else cut_times(plan)[:-1]))
    graph, last, outputs = [], "0:v", []
    for number, one in enumerate(plan.renditions):
        graph.append(f"[{last}]scale={one.width}:{one.height}:flags=bicubic,format=yuv420p,split[o{number}][n{number}]")
        last = f"n{number}"
        target = [str(ffmpeg_file(folder, one))] if folder else NOWHERE
        outputs += ["-map", f"[o{number}]", *_settings(one, crf), "-force_key_frames", cuts, "-an", *target]
    return ffmpeg_command(*window, "-i", clip, "-filter_complex", ";".join([*graph, f"[{last}]nullsink"]), *outputs)


def ffmpeg_file(folder: Path, rendition: Rendition) -> Path:
    return folder / f"ffmpeg-{rendition.name}.mp4"


def cut_times(plan: Plan) -> list[Fraction]:
    """Seconds from the first picture on."""
    base = plan.probe.video.time_base if plan.probe.video else Fraction(1)
    return [(cut - plan.timeline[0]) * base for cut in plan.timeline]


def chunks(plan: Plan) -> list[tuple[Fraction, Fraction]]:
    return list(pairwise(cut_times(plan)))


def _settings(one: Rendition, crf: int | None) -> list[str]:
    rates = ["-maxrate", str(one.max_rate), "-bufsize", str(one.buffer_size)]
    parameters = ["-profile:v", "high", "-x264-params", "keyint=infinite"]
    return ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf or one.crf), *rates, *parameters]
