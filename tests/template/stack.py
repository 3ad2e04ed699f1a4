"""template.yaml as the tests see it: as written, and as SAM translates it for CloudFormation. Works without AWS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("Ingest", "Image", "Video", "Api", "Sweep", "Notify")
_PSEUDO = {
    "AWS::StackName": "kinora",
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-central-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


class _NoManagedPolicies:
    """Every function has a role of its own, so SAM has no managed policy to look up."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def written() -> dict[str, Any]:
    """The template as it stands, intrinsic functions in their long form."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@cache
def translated() -> dict[str, Any]:
    """What SAM makes of it for CloudFormation, with every parameter at its default."""
    os.environ.setdefault("AWS_DEFAULT_REGION", _PSEUDO["AWS::Region"])
    packaged = deepcopy(written())
    for resource in packaged["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://bucket/key"
    return transform(packaged, {}, _NoManagedPolicies())


def properties(name: str) -> dict[str, Any]:
    """The properties of a resource as written."""
    return written()["Resources"][name].get("Properties", {})


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Logical name → properties of every translated resource of a type."""
    resources = translated()["Resources"]
    return {name: one.get("Properties", {}) for name, one in resources.items() if one["Type"] == kind}


def variables(function: str) -> dict[str, Any]:
    """The environment of a function: the common one and its own."""
    common = written()["Globals"]["Function"]["Environment"]["Variables"]
    return common | own_variables(function)


def own_variables(function: str) -> dict[str, Any]:
    return properties(f"{function}Function").get("Environment", {}).get("Variables", {})


def statements(function: str) -> list[dict[str, Any]]:
    """What a function may do, actions and resources as lists, resources as text (see `text`)."""
    (policy,) = properties(f"{function}Role")["Policies"]
    return [
        one | {"Action": _as_list(one["Action"]), "Resource": [text(resource) for resource in _as_list(one["Resource"])]}
        for one in policy["PolicyDocument"]["Statement"]
    ]


def may(function: str, action: str) -> set[str]:
    """The resources on which a function may perform an action."""
    return {resource for one in statements(function) if action in one["Action"] for resource in one["Resource"]}


def text(value: Any) -> str:
    """An intrinsic as readable text: `JobsTable.Arn`, `kinora-media-123456789012-eu-central-1`."""
    match value:
        case {"Ref": name}:
            default = written()["Parameters"].get(name, {}).get("Default", name)
            return _PSEUDO.get(name, str(default))
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::GetAtt": name}:
            return str(name)
        case {"Fn::Sub": pattern}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: text({"Ref": found[1]}), pattern)
        case {"Fn::If": [_, _, otherwise]}:
            return text(otherwise)  # every condition is that an optional parameter is given
        case str() | int():
            return str(value)
    raise TypeError(f"not an intrinsic that the template uses: {value!r}")


def references(value: Any) -> Iterator[str]:
    """Every name that a translated value refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str):
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            target = value["Fn::GetAtt"]
            yield target.split(".")[0] if isinstance(target, str) else target[0]
        if "Fn::Sub" in value:
            pattern = value["Fn::Sub"]
            yield from re.findall(r"\$\{([A-Za-z0-9]+)", pattern if isinstance(pattern, str) else pattern[0])
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
