"""The settings of the storage scopes: KINORA_{SCOPE}_{FIELD}, or KINORA_S3_{FIELD} for all scopes without their own.

Read by `settings`, which has all other variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kinora.model import Scope
from kinora.setting_values import flag, prefix

PREFIX = "KINORA_"

_SCOPE_FIELDS = {
    "ROOT": "Folder of the scope on the filesystem.",
    "BUCKET": "S3 bucket of the scope.",
    "PREFIX": "Prefix of the scope inside its bucket, ending with /.",
    "ENDPOINT": "S3-compatible address of the scope.",
    "REGION": "Region of the scope's bucket.",
    "ACCESS_KEY_ID": "Access key for the scope; empty: the environment's own credentials.",
    "SECRET_ACCESS_KEY": "Secret that belongs to the access key.",
    "PATH_STYLE": "Whether buckets are addressed by path instead of by host name.",
}
_SHARED_SCOPE_FIELDS = ("ENDPOINT", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PATH_STYLE")


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """Where one scope lies. `root` is for the filesystem, the rest for S3; empty means the common value or the default."""

    root: str
    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    path_style: bool


def scope_variables() -> dict[str, str]:
    """Every variable of the scopes with its sentence."""
    table = {f"{PREFIX}{scope.upper()}_{name}": about for name, about in _SCOPE_FIELDS.items() for scope in Scope}
    return table | {
        f"{PREFIX}S3_{name}": f"{_SCOPE_FIELDS[name]} For every scope without its own." for name in _SHARED_SCOPE_FIELDS
    }


def _scope_variable(environ: Mapping[str, str], scope: Scope, name: str) -> str:
    """The variable that decides: the scope's own, or the shared one if the scope's own is not set."""
    own = f"{PREFIX}{scope.upper()}_{name}"
    return own if name not in _SHARED_SCOPE_FIELDS or environ.get(own, "").strip() else f"{PREFIX}S3_{name}"


def _scope_raw(environ: Mapping[str, str], scope: Scope, name: str) -> str:
    return environ.get(_scope_variable(environ, scope, name), "").strip()


def scope_problems(environ: Mapping[str, str], scope: Scope) -> Iterator[str]:
    """What is wrong with the variables of a scope; every sentence names them."""
    for name, parse in (("PREFIX", prefix), ("PATH_STYLE", flag)):
        try:
            parse(_scope_raw(environ, scope, name))
        except ValueError as error:
            yield f"{_scope_variable(environ, scope, name)}: {error}"
    pair = [_scope_variable(environ, scope, name) for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")]
    if len({bool(environ.get(variable)) for variable in pair}) > 1 or len({_is_shared(variable) for variable in pair}) > 1:
        yield f"{', '.join(pair)}: must be set together"


def _is_shared(variable: str) -> bool:
    return variable.startswith(f"{PREFIX}S3_")


def read_scope(environ: Mapping[str, str], scope: Scope, data: str) -> ScopeSettings:
    """The settings of a scope, without looking for problems; its folder is below `data` unless it has one of its own."""

    def raw(name: str) -> str:
        return _scope_raw(environ, scope, name)

    return ScopeSettings(
        root=raw("ROOT") or f"{data}/{scope.value}",
        bucket=raw("BUCKET"),
        prefix=raw("PREFIX"),
        endpoint=raw("ENDPOINT"),
        region=raw("REGION"),
        access_key_id=raw("ACCESS_KEY_ID"),
        secret_access_key=raw("SECRET_ACCESS_KEY"),
        path_style=flag(raw("PATH_STYLE")),
    )
