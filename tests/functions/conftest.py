"""One suite, three targets: `inprocess` always, `rie` with `make test-runtime`, `endpoint` where FUNCTIONS_… says where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kinora.secrets.base import SecretName
from kinora.secrets.files import FileSecrets
from tests.functions.targets import Endpoint, InProcess, Runtime, local_environment
from tests.template.stack import FUNCTIONS

ON_THIS_MACHINE = ["inprocess", pytest.param("rie", marks=pytest.mark.runtime)]
EVERYWHERE = [*ON_THIS_MACHINE, pytest.param("endpoint", marks=pytest.mark.live)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in SecretName:
        FileSecrets(folder).ensure(name)
    return folder


@pytest.fixture
def functions(request: pytest.FixtureRequest, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
    """The target that the test is parametrized with."""
    reason = {"rie": Runtime.why_not, "endpoint": Endpoint.why_not}.get(request.param, lambda: None)()
    if reason:
        pytest.skip(reason)
    made = {
        "inprocess": lambda: InProcess(dict.fromkeys(FUNCTIONS, local_environment(data)), monkeypatch),
        "rie": lambda: Runtime(data, tmp_path),
        "endpoint": Endpoint,
    }
    target = made[request.param]()
    yield target
    target.close()
