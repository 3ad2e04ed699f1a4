"""Writes the requirements of the layers and of the API function from requirements.lock, so that what is tested is what ships.

Run by hand after the lock has changed; a test compares. It never resolves anything anew: the lock is the constraint.
"""  # noqa: INP001 - a script beside its data, no package

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGETS = {
    "shared": "shared/requirements.txt",
    "image": "layers/image/requirements.txt",
    "video": "layers/video/requirements.txt",
    "api": "functions/api/requirements.txt",
}
OPTIONS = "--quiet --universal --python-version 3.11 --no-header --no-annotate --constraint requirements.lock"


def main() -> None:
    uv = Path(sys.executable).parent / "uv"
    for name, target in TARGETS.items():
        command = [uv, "pip", "compile", *OPTIONS.split(), "--output-file", target, f"requirements/{name}.in"]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - the arguments are the constants above


if __name__ == "__main__":
    main()
