"""The live progress bars of `kinora put`, on standard error: one for each file that is under way, none without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from kinora.model import Job


class ProgressBars:
    """Bars by file."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[state]}"))
        self._bars = Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal)
        self._tasks: dict[Path, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def copying(self, path: Path, size: int) -> Callable[[int], None]:
        """A bar for the copy of `size` bytes; what is returned is called with each piece's bytes."""
        task = self._bars.add_task(path.name.replace("[", r"\["), total=size or None, state="copying")
        self._tasks[path] = task
        return lambda count: self._bars.update(task, advance=count)

    def working(self, path: Path, job: Job) -> None:
        task = self._tasks.get(path)
        if task is not None:
            self._bars.update(task, total=1.0, completed=job.progress, state=job.state.value)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """No bars while the block prints: results keep their lines whole, however narrow the terminal is."""
        self._bars.stop()
        yield
        self._bars.start()

    def finished(self, path: Path) -> None:
        task = self._tasks.pop(path, None)
        if task is not None:
            self._bars.remove_task(task)
