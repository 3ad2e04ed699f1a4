"""`kinora put` with nothing else running: real files through the real doors, results as the contract of the command says."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from tests.unit.local.run_cli import Ran, command, environment, kinora

MEDIA = Path(__file__).parents[1] / "media"
PHOTO = MEDIA / "alpha.png"


def put(data: Path, *files: Path, **variables: str) -> Ran:
    return kinora("put", *files, "--data", data, "--json", **variables)


def file_of(url: str) -> Path:
    parts = urlparse(url)
    assert parts.scheme == "file"
    return Path(unquote(parts.path))


def test_results_have_exactly_the_promised_form(tmp_path: Path) -> None:
    ran = put(tmp_path / "d", PHOTO)
    assert ran.code == 0, ran.err
    (result,) = ran.results
    assert list(result) == ["file", "hash", "job", "state", "urls", "error"]
    assert (result["file"], result["state"], result["error"]) == (str(PHOTO), "ready", None)
    assert result["urls"].keys() == {"thumb", "medium", "large"}
    assert all(file_of(url).stat().st_size > 0 for url in result["urls"].values())
    assert {"source", "media", "avatars", "blocks", "kinora.db"} <= {one.name for one in (tmp_path / "d").iterdir()}
    assert (tmp_path / "d/source/uploads/alpha.png").read_bytes() == PHOTO.read_bytes()


def test_subtitles_that_wait_for_their_film_are_no_failure(tmp_path: Path) -> None:
    text = tmp_path / "film.en.srt"
    text.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    ran = put(tmp_path / "d", text)
    assert ran.code == 0, ran.err
    assert [(one["state"], one["job"], one["error"]) for one in ran.results] == [("ready", None, None)]


def test_what_cannot_be_processed_fails_with_a_code_beside_what_can(tmp_path: Path) -> None:
    text = tmp_path / "film.mp4"
    text.write_text("no film at all")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    nameless = tmp_path / os.fsdecode(b"latin-\xe9.png")
    shutil.copy(PHOTO, nameless)
    ran = put(tmp_path / "d", tmp_path / "missing.jpg", text, PHOTO, empty, tmp_path, nameless)
    results = {Path(one["file"]).name: one for one in ran.results}
    assert ran.code == 1
    assert results["alpha.png"]["state"] == "ready"
    assert results["missing.jpg"] == {
        "file": str(tmp_path / "missing.jpg"),
        "hash": None,
        "job": None,
        "state": "failed",
        "urls": {},
        "error": {"code": "not-found", "message": f"There is no file {tmp_path / 'missing.jpg'}."},
    }
    assert results["film.mp4"]["error"]["code"] == "unsupported-media"
    assert results["film.mp4"]["job"]
    assert results["empty.jpg"]["state"] == "failed"
    assert results["empty.jpg"]["error"]["message"]
    assert results[tmp_path.name]["error"]["code"] == "invalid-input"
    assert results[nameless.name]["error"]["code"] == "invalid-key"
    assert text.read_text() == "no film at all"
    again = put(tmp_path / "d", text)
    assert again.results[0]["error"]["code"] == "unsupported-media"


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    data, other = tmp_path / "d", tmp_path / "alpha.png"
    shutil.copy(MEDIA / "orient6.jpg", other)
    assert put(data, PHOTO, other, PHOTO, other).code == 0
    uploads = data / "source/uploads"
    assert {path.name for path in uploads.iterdir()} == {"alpha.png", "alpha-2.png"}
    assert (uploads / "alpha.png").read_bytes() == PHOTO.read_bytes()
    assert (uploads / "alpha-2.png").read_bytes() == other.read_bytes()


def test_names_that_would_be_ignored_are_changed(tmp_path: Path) -> None:
    for name in (".hidden.png", "photo.png.part"):
        shutil.copy(PHOTO, tmp_path / name)
    ran = put(tmp_path / "d", tmp_path / ".hidden.png", tmp_path / "photo.png.part")
    assert ran.code == 0, ran.out
    assert {path.name for path in (tmp_path / "d/source/uploads").iterdir()} == {"hidden.png", "photo.png.part.upload"}


def test_removed_media_come_back_when_they_are_put_again(tmp_path: Path) -> None:
    data = tmp_path / "d"
    (first,) = put(data, PHOTO).results
    removed = kinora("rm", first["hash"], "--data", data, "--json")
    assert removed.code == 0, removed.err
    assert not file_of(first["urls"]["thumb"]).exists()
    assert (data / "source/uploads/alpha.png").exists()
    (second,) = put(data, PHOTO).results
    assert (second["state"], second["hash"]) == ("ready", first["hash"])
    assert file_of(second["urls"]["thumb"]).exists()
    assert kinora("rm", first["hash"], "--originals", "--data", data).code == 0
    assert not (data / "source/uploads/alpha.png").exists()


def test_jobs_and_signed_addresses(tmp_path: Path) -> None:
    (result,) = put(tmp_path, PHOTO).results
    (job,) = kinora("jobs", "--data", tmp_path, "--json").results
    assert (job["id"], job["state"], job["original"]) == (result["job"], "ready", "uploads/alpha.png")
    assert kinora("jobs", result["job"], "--data", tmp_path, "--json").results == [job]
    (signed,) = kinora("sign", "original", "uploads/alpha.png", "--seconds", "60", "--data", tmp_path, "--json").results
    assert signed["url"].startswith("/original/k1.")
    assert signed["url"].endswith("/uploads/alpha.png")
    assert kinora("sign", "original", "uploads/missing.png", "--data", tmp_path).code == 1


@pytest.mark.parametrize("name", ["bigbuckbunny.mp4"])
def test_a_video_becomes_a_stream(tmp_path: Path, name: str) -> None:
    ran = put(tmp_path, MEDIA / name, KINORA_LADDER="144")
    assert ran.code == 0, ran.out
    (result,) = ran.results
    master = file_of(result["urls"]["master"])
    assert "#EXT-X-STREAM-INF" in master.read_text()
    assert file_of(result["urls"]["poster"]).stat().st_size > 0


def test_on_a_terminal_there_is_a_bar_and_results_keep_their_lines(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("put", PHOTO, "--data", tmp_path), stdout=theirs, stderr=theirs, env=environment(COLUMNS="40", TERM="xterm")
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other side is closed
            while piece := os.read(ours, 65536):
                shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert "━".encode() in shown
    (line,) = [line for line in shown.decode().splitlines() if "thumb  " in line]
    assert line.endswith("/thumb.webp")
