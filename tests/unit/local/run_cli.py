"""Runs the command line as its own process, as users do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """What was printed with --json."""
        return [json.loads(line) for line in self.out.splitlines()]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "kinora.local.cli", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without Kinora's variables, and `variables`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KINORA_")} | variables


def kinora(*arguments: str | Path, timeout: float = 120, **variables: str) -> Ran:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=timeout, check=False, env=environment(**variables)
    )
    return Ran(done.returncode, done.stdout, done.stderr)
