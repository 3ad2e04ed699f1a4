"""The environment of functions on this machine, and that this process and its workers agree about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinora.errors import InvalidSetting
from kinora.local.environment import function_environment, local_settings
from kinora.model import Scope
from tests.unit.local.small_stack import small_plan


def test_the_users_settings_win_over_the_templates_but_not_over_its_wiring(tmp_path: Path) -> None:
    function = small_plan(tmp_path).functions["ImageFunction"]
    user = {"KINORA_SOURCE_BUCKET": "on-aws", "KINORA_IMAGE_QUEUE": "https://sqs", "KINORA_LADDER": "240", "HOME": "/home/me"}
    seen = function_environment(function, tmp_path, user | {"KINORA_DRIVER": "aws"})
    assert (seen["KINORA_SOURCE_BUCKET"], seen["KINORA_IMAGE_QUEUE"]) == ("kinora-source", "image")
    assert (seen["KINORA_LADDER"], seen["GREETING"], seen["KINORA_DRIVER"]) == ("240", "image", "local")
    assert seen["KINORA_DATA"] == str(tmp_path)
    assert "HOME" not in seen


def test_this_process_has_the_settings_of_all_functions(tmp_path: Path) -> None:
    settings = local_settings(small_plan(tmp_path), tmp_path / "d", {"KINORA_URL_SECONDS": "5"})
    assert (settings.driver, settings.image_queue, settings.url_seconds) == ("local", "image", 5)
    assert settings.scopes[Scope.SOURCE].bucket == "kinora-source"
    assert settings.scopes[Scope.MEDIA].root == str(tmp_path / "d/media")


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="KINORA_NONSENSE"):
        local_settings(small_plan(tmp_path), tmp_path, {"KINORA_NONSENSE": "1"})
