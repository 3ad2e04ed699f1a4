"""The doors: small, present, cheap to open; and what they carry fits into Lambda."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.template.stack import FUNCTIONS, ROOT, properties

BUILD = ROOT / ".aws-sam" / "build"
LIMIT = 250 * 1024 * 1024  # bytes unzipped, function and layers together: Lambda's quota
WEB = {"fastapi", "starlette", "pydantic", "mangum", "uvicorn"}
MEDIA = {"av", "pyvips", "pillow_heif", "PIL", "numpy"}
COSTLY = {"aws_xray_sdk", "pydantic_settings", "sqlite3"}


def handler(function: str) -> Path:
    return ROOT / properties(f"{function}Function")["CodeUri"] / "handler.py"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_door_is_25_lines_or_less_and_has_no_neighbour(function):
    assert len(handler(function).read_text().splitlines()) <= 25
    assert {path.name for path in handler(function).parent.iterdir()} - {"__pycache__"} <= {"handler.py", "requirements.txt"}


def test_only_functions_of_the_plan_have_a_door():
    folders = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    assert folders == {name.lower() for name in FUNCTIONS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_opening_a_door_imports_nothing_that_it_does_not_use(function):
    """With the drivers of AWS, as deployed, in a fresh process."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import handler\n"
        "assert callable(handler.handler)\n"
        "import kinora.metadata.dynamodb, kinora.queues.sqs, kinora.storage.s3\n"
        "print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, handler(function).parent], capture_output=True, text=True, check=False, env={}
    )
    assert run.returncode == 0, run.stderr
    imported = set(run.stdout.split())
    unwanted = MEDIA | COSTLY | (set() if function == "Api" else WEB)
    assert imported & unwanted == set()


@pytest.mark.runtime
@pytest.mark.parametrize("function", FUNCTIONS)
def test_code_and_layers_fit_into_lambda(function):
    if not BUILD.exists():
        pytest.skip("there is no built tree; run `sam build`")
    layers = ["SharedLayer", *(layer["Ref"] for layer in properties(f"{function}Function").get("Layers", []))]
    parts = [BUILD / f"{function}Function", *(BUILD / layer for layer in layers)]
    sizes = {part.name: sum(file.stat().st_size for file in part.rglob("*") if file.is_file()) for part in parts}
    assert sum(sizes.values()) < LIMIT, sizes
    assert all(sizes.values()), f"empty: {sizes}"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.runtime
def test_the_shared_layer_holds_the_package_and_only_that():
    if not BUILD.exists():
        pytest.skip("there is no built tree; run `sam build`")
    layer = BUILD / "SharedLayer" / "python"
    built, source = contents(layer / "kinora"), contents(ROOT / "shared" / "kinora")
    different = sorted(name for name in built.keys() | source.keys() if built.get(name) != source.get(name))
    assert different == [], "the tree is not that of this source; run `sam build`"
    assert not [path for path in layer.iterdir() if path.name in {"tests", "functions", "kinora.egg-info"}]
