"""Originals made to harm: each ends with a code and a sentence, or sensibly; the worker lives, is quick, small and alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kinora.model import JobState
from tests.e2e import hostile
from tests.e2e.hostile_worker import Verdict
from tests.house import house
from tests.pictures import picture

ROOT = Path(__file__).parents[2]
MOST_MEMORY = 400 * 1024 * 1024
LONGEST = 30.0  # seconds, on a machine that is busy with other things
OUR_FAULT = {"internal", "exhausted", "stuck"}


def judge(folder: Path, group: str, *arguments: object) -> list[Verdict]:
    """Take in the whole group in one process of its own, which has to live to its end."""
    command = [sys.executable, "-m", "tests.e2e.hostile_worker", str(folder), group, json.dumps(arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KINORA_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [Verdict(**line["verdict"]) for line in lines if "verdict" in line]


def check(verdicts: list[Verdict]) -> None:
    *bad, good = verdicts
    for one in bad:
        assert one.is_unchanged, one
        assert one.state in {"ready", "failed"}, one
        assert one.code not in OUR_FAULT, one
        assert (one.state == "ready") is (one.code is None), one
        assert one.message is None or one.message.endswith("."), one
        assert one.seconds < LONGEST, one
    assert good.state == "ready", good
    assert good.peak < MOST_MEMORY, good


def test_files_that_end_too_early(tmp_path):
    check(judge(tmp_path, "cut"))


def test_files_in_disguise_open_nothing_but_themselves(tmp_path):
    canary = tmp_path / "canary"
    os.mkfifo(canary)  # who opens it to read waits for ever
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/film.mp4"
        verdicts = judge(tmp_path / "network", "disguised", address)
        check(verdicts)
        check(judge(tmp_path / "file", "disguised", f"file://{canary}"))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    refused = {one.name.split(" ")[0] for one in verdicts if one.state == "failed"}
    assert refused == {name for name, _ in hostile.disguised("x") if not name.startswith("data-elsewhere")}


def test_headers_that_promise_the_impossible(tmp_path):
    verdicts = judge(tmp_path, "lying")
    check(verdicts)
    codes = {one.name.split(" ")[0]: one.code for one in verdicts}
    for name in ("huge.png", "many-pictures.gif", "slow.mp4", "endless.mkv"):
        assert codes[name] == "limit-exceeded", name
    assert codes["before-zero.mkv"] is codes["before-zero.ts"] is None


def test_bits_turned_over(tmp_path):
    check(judge(tmp_path, "noisy", 0, 4))


@pytest.mark.slow
def test_many_bits_turned_over(tmp_path):
    check(judge(tmp_path, "noisy", 4, 30))


@pytest.mark.parametrize("name", hostile.ODD_NAMES)
def test_odd_names_are_names(tmp_path, name):
    with house(tmp_path, image_variants="small=20") as home:
        home.ingest(home.put(name, picture()))
        home.work()
        assert (home.job().state, home.job().original_key) == (JobState.READY, f"uploads/{name}")
        assert (tmp_path / "source" / "uploads" / name).read_bytes() == picture()
