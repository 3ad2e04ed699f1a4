"""What is tested is what ships: layers and functions are pinned to the versions of requirements.lock."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.template.stack import ROOT, written

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
TARGETS = {
    "shared": "shared/requirements.txt",
    "image": "layers/image/requirements.txt",
    "video": "layers/video/requirements.txt",
    "api": "functions/api/requirements.txt",
}


def pins(path: str) -> set[tuple[str, str]]:
    return set(PIN.findall((ROOT / path).read_text()))


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_exported_requirements_are_those_of_the_lock(name):
    exported = pins(TARGETS[name])
    assert exported <= pins("requirements.lock")
    wanted = re.findall(r"^([A-Za-z][A-Za-z0-9-]*)", (ROOT / f"requirements/{name}.in").read_text(), re.MULTILINE)
    assert set(wanted) <= {package for package, _ in exported}


def test_nothing_that_ships_names_a_host():
    for path in TARGETS.values():
        assert "://" not in (ROOT / path).read_text()


def test_deploy_parameters_exist_and_are_allowed():
    sets = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert sets["default"]["deploy"] == sets["dev"]["deploy"]
    for name in ("dev", "prod"):
        given = dict(one.split("=", 1) for one in sets[name]["deploy"]["parameters"]["parameter_overrides"])
        assert not {"PythonRuntime", "Architecture"} & given.keys(), "sam build would not know of them"
        for parameter, value in given.items():
            declared = written()["Parameters"][parameter]
            assert value in map(str, declared.get("AllowedValues", [value]))
            assert declared["Type"] != "Number" or int(value) >= declared.get("MinValue", 0)
