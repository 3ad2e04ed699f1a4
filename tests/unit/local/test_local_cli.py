"""The command line without media: exit codes, messages, the wiring, single invocations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.local.run_cli import Ran, kinora
from tests.unit.local.small_stack import small_plan

HANDLER = """
import os
def handler(event, context):
    print("noise")
    if event.get("fail"):
        raise ValueError("as it was told")
    return {"seen": event, "driver": os.environ["KINORA_DRIVER"], "data": os.environ["KINORA_DATA"]}
"""


def invoke(tmp_path: Path, event: str, *more: str) -> Ran:
    plan = small_plan(tmp_path, image=HANDLER)
    (tmp_path / "event.json").write_text(event)
    return kinora(
        "invoke", "image", "-e", tmp_path / "event.json", "--template", plan.template, "--data", tmp_path / "d", *more
    )


def test_the_plan_is_printed(tmp_path: Path) -> None:
    ran = kinora("plan", "--template", small_plan(tmp_path).template)
    assert ran.code == 0
    assert "ImageFunction" in ran.out
    assert "image-dead-letters" in ran.out


def test_the_plan_as_json(tmp_path: Path) -> None:
    ran = kinora("plan", "--json", "--template", small_plan(tmp_path).template)
    functions = {one["name"]: one for one in ran.results if "code" in one}
    assert functions["ImageFunction"]["triggers"][0]["queue"] == "image"
    assert {one["queue"] for one in ran.results if "queue" in one} >= {"image", "ingest-dead-letters"}


def test_invoke_prints_the_answer(tmp_path: Path) -> None:
    ran = invoke(tmp_path, '{"a": 1}')
    assert ran.code == 0
    assert json.loads(ran.out) == {"seen": {"a": 1}, "driver": "local", "data": str(tmp_path / "d")}
    assert "noise" in ran.err


def test_invoke_fails_with_the_function(tmp_path: Path) -> None:
    ran = invoke(tmp_path, '{"fail": true}', "--json")
    assert ran.code == 1
    assert ran.results[0]["errorType"] == "ValueError"


def test_invoke_refuses_an_event_that_is_no_json(tmp_path: Path) -> None:
    ran = invoke(tmp_path, "{")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("kinora: The event")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["jobs"], 1, "There is no Kinora data"),
        (["rm", "0" * 64], 1, "There is no Kinora data"),
        (["sign", "original", "uploads/a.jpg"], 1, "There is no Kinora data"),
        (["plan", "--template", "nowhere.yaml"], 1, "nowhere.yaml"),
        (["invoke", "nothing", "-e", "x"], 1, "There is no function 'nothing'"),
        (["put"], 2, "usage"),
        (["dance"], 2, "usage"),
        ([], 2, "usage"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    more = ["--data", str(tmp_path / "none")] if arguments and arguments[0] != "dance" else []
    ran = kinora(*arguments, *more)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    ran = kinora("put", tmp_path / "a.jpg", "--data", tmp_path / "d", "--json", KINORA_LADDER="huge")
    assert ran.code == 1
    assert "KINORA_LADDER" in ran.err
    assert ran.results[0]["error"]["code"] == "invalid-setting"


def test_an_unknown_job_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "kinora.db").touch()
    ran = kinora("jobs", "0" * 32, "--data", tmp_path)
    assert ran.code == 1
    assert "There is nothing here" in ran.err


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    ran = kinora("up", "--port", "1", "--host", "192.0.2.1", "--data", tmp_path)
    assert ran.code == 1
    assert "192.0.2.1:1 cannot be listened on" in ran.err
    assert not (tmp_path / "run.json").exists()
