"""The environment that functions and the API see on this machine: the template's variables, the user's own, local drivers.

Called once at the start of a command; the only place of local mode that knows which settings select the local drivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kinora.local.plan import Function, Plan
from kinora.scope_settings import PREFIX
from kinora.settings import Settings

_WIRED = ("_BUCKET", "_QUEUE", "_TABLE", "_FUNCTION")


def function_environment(function: Function, data: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of one function: as the template sets them, `KINORA_…` of `environ` over them except where they name
    the template's own resources, then what local mode fixes: its drivers and its data folder."""
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and not name.endswith(_WIRED)}
    lambda_names = {"AWS_LAMBDA_FUNCTION_NAME": function.name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory)}
    return dict(function.environment) | own | lambda_names | _fixed(data, environ)


def local_settings(plan: Plan, data: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of this process: those of all functions together, so that it and the workers agree.
    Raises InvalidSetting."""
    variables: dict[str, str] = {}
    for function in plan.functions.values():
        variables |= function_environment(function, data, environ)
    return Settings.from_env({name: value for name, value in variables.items() if name.startswith(PREFIX)})


def _fixed(data: Path, environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "KINORA_DRIVER": "local",
        "KINORA_DATA": str(data),
        "KINORA_PUBLIC_URL": environ.get("KINORA_PUBLIC_URL", ""),
    }
