"""The Markdown document that the measurements make: it is written after every part, so that nothing that was measured is lost."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path


class Report:
    """Grows by sections; with `target` it is written there each time."""

    def __init__(self, head: str, target: Path | None) -> None:
        self._parts = [head]
        self._target = target

    def table(self, title: str, about: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
        self._add("\n".join([f"## {title}", "", about, "", *lines]))

    def part(self, title: str, measure: Callable[[], None]) -> bool:
        """Run a measurement; one that fails says so in its place. Whether it did not."""
        try:
            measure()
        except Exception as error:  # noqa: BLE001 the other parts are still to come
            traceback.print_exc()
            self._add(f"## {title}\n\nCould not be measured: `{type(error).__name__}: {' '.join(str(error).split())[:300]}`")
            return False
        return True

    def _add(self, section: str) -> None:
        self._parts.append(section)
        sys.stdout.write(section + "\n\n")
        sys.stdout.flush()
        if self._target:
            self._target.write_text("\n\n".join(self._parts) + "\n", encoding="utf-8")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
