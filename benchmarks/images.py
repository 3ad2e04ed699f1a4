"""Pictures: thumbnails and `/img` beside Pillow and sharp as programs, and beside thumbor as servers, on the same photos."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from benchmarks import image_servers
from benchmarks.image_peers import install_sharp
from benchmarks.image_work import TASKS
from benchmarks.measure import Cost, cost_of, measured, median_cost
from benchmarks.report import Report

_PHOTO = Path(__file__).parents[1] / "tests" / "media" / "gainmap.jpg"
_SIZES = {"12 MP": (4000, 3000), "24 MP": (6000, 4000)}
_CORES = 2
_COUNT = 24  # pictures that are made in one go for what is called warm
_REQUESTS = 32

Command = Callable[[str, Path, int], list[str]]


def run(report: Report, folder: Path, rounds: int) -> None:
    photos = {name: _photo(folder, name, size) for name, size in _SIZES.items()}
    commands: dict[str, Command] = {who: partial(_python, who) for who in ("kinora", "pillow")}
    try:
        sharp = install_sharp(folder)
        commands["sharp"] = lambda task, photo, many: [*sharp, task, str(photo), str(many)]
        peers = "sharp with its own defaults"
    except (subprocess.SubprocessError, OSError) as error:
        peers = f"sharp could not be installed ({type(error).__name__})"
    rows = [
        [about, megapixels, who, *_figures(partial(command, task, photo), rounds)]
        for task, about in TASKS.items()
        for megapixels, photo in photos.items()
        for who, command in commands.items()
    ]
    report.table(
        "Pictures",
        f"JPEG photos, quality 80; {peers}. Cold is the first picture of a new process, its start included; warm are the {_COUNT - 1} that "
        f"follow; images/s are those of {_CORES} processes at once. The goal is 1.1 × sharp's CPU at most.",
        ["task", "photo", "by", "cold ms", "cold CPU ms", "warm CPU ms", "images/s"],
        rows,
    )
    image_servers.run(report, folder, list(photos.values()), _REQUESTS)


def _photo(folder: Path, name: str, size: tuple[int, int]) -> Path:
    path = folder / f"{name.replace(' ', '')}.jpg"
    with Image.open(_PHOTO) as source:
        source.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(path, "JPEG", quality=90)
    return path


def _python(who: str, task: str, photo: Path, count: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.image_work", who, task, str(photo), str(count)]


def _figures(command: Callable[[int], list[str]], rounds: int) -> list[float]:
    cold = median_cost([cost_of(command(1)) for _ in range(rounds)])
    whole = median_cost([cost_of(command(_COUNT)) for _ in range(rounds)])
    first, together = (median_cost([_at_once(command(many)) for _ in range(rounds)]) for many in (1, _COUNT))
    per_second = _CORES * (_COUNT - 1) / (together.wall - first.wall)
    return [1000 * cold.wall, 1000 * cold.cpu, 1000 * (whole.cpu - cold.cpu) / (_COUNT - 1), per_second]


def _at_once(command: Sequence[str]) -> Cost:
    with measured() as cost, ThreadPoolExecutor(_CORES) as threads:
        list(threads.map(cost_of, [command] * _CORES))
    return cost
