"""CloudFormation templates as plain values: reads YAML with its short tags and evaluates the intrinsic functions offline.

Called by `reading`, which makes the plan from it. Names that only AWS would give (URLs, ARNs) become fixed local ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from kinora.errors import InvalidSetting

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws",
    "AWS::Region": "local",
    "AWS::StackId": "arn:aws:cloudformation:local:000000000000:stack/kinora/local",
    "AWS::StackName": "kinora",
    "AWS::URLSuffix": "localhost",
}
_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?[^}]+)\}")
_ARN_RESOURCES = {
    "AWS::SQS::Queue": ("sqs", ""),
    "AWS::DynamoDB::Table": ("dynamodb", "table/"),
    "AWS::Serverless::Function": ("lambda", "function:"),
    "AWS::Lambda::Function": ("lambda", "function:"),
}


class _Loader(yaml.SafeLoader):
    """SafeLoader that turns `!Sub x` into `{"Fn::Sub": x}`, the long form that JSON templates use."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def load_template(path: Path) -> dict[str, Any]:
    """The template at `path` with intrinsic functions in their long form; raises InvalidSetting if it cannot be read."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise InvalidSetting(f"{path}: {error}", public_message=f"{path} cannot be read as a template: {error}") from error
    if not isinstance(raw, dict) or "Resources" not in raw:
        raise InvalidSetting(f"{path} has no Resources", public_message=f"{path} is not a template: it has no Resources.")
    return raw


def local_name(logical_name: str) -> str:
    """How a resource is called on this machine: `ImageQueue` is `image`, `EncodeDeadLetters` is `encode-dead-letters`."""
    words = [word.lower() for word in re.findall(r"[A-Z][a-z0-9]*|[a-z0-9]+", logical_name)]
    return "-".join(words[:-1] if len(words) > 1 and words[-1] == "queue" else words)


class Template:
    """Values of a template with its parameters' defaults, or `parameters` where given."""

    def __init__(self, raw: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> None:
        given = parameters or {}
        self._raw = raw
        self._parameters = PSEUDO_PARAMETERS | {
            name: given.get(name, row.get("Default", "")) for name, row in raw.get("Parameters", {}).items()
        }
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.holds,
            "Fn::Sub": self._sub,
            "Fn::GetAtt": self._get_att,
            "Fn::If": self._if,
            "Fn::Equals": lambda pair: self.value(pair[0]) == self.value(pair[1]),
            "Fn::Not": lambda one: not self.value(one[0]),
            "Fn::And": lambda many: all(self.value(one) for one in many),
            "Fn::Or": lambda many: any(self.value(one) for one in many),
            "Fn::Select": lambda pair: self.value(pair[1])[int(self.value(pair[0]))],
            "Fn::Split": lambda pair: self.value(pair[1]).split(self.value(pair[0])),
            "Fn::Join": lambda pair: self.value(pair[0]).join(str(one) for one in self.value(pair[1])),
        }

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Evaluated properties by logical name of all resources of the given types whose condition holds."""
        return {
            name: self.value(one.get("Properties", {}))
            for name, one in self._raw["Resources"].items()
            if one["Type"] in types and self.holds(one.get("Condition"))
        }

    def globals(self, kind: str) -> dict[str, Any]:
        """SAM's Globals section for `kind` (`Function`), evaluated."""
        found: dict[str, Any] = self.value(self._raw.get("Globals", {}).get(kind, {}))
        return found

    def holds(self, condition: str | None) -> bool:
        """Whether a named condition is true; None is."""
        return condition is None or bool(self.value(self._raw["Conditions"][condition]))

    def value(self, node: Any) -> Any:
        """Evaluate everything inside `node`; what refers to AWS::NoValue disappears. Raises InvalidSetting."""
        if isinstance(node, list):
            return [one for one in map(self.value, node) if one is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name in self._functions and (name != "Condition" or isinstance(argument, str)):
                return self._functions[name](argument)
            if isinstance(name, str) and name.startswith("Fn::"):
                raise InvalidSetting(f"the template uses {name}, which local mode does not evaluate")
        return {name: one for name, one in ((name, self.value(one)) for name, one in node.items()) if one is not _NO_VALUE}

    def _if(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.value(yes if self.holds(condition) else no)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._parameters:
            return self._parameters[name]
        resource = self._resource(name)
        if resource["Type"] == "AWS::S3::Bucket":
            return self.value(resource.get("Properties", {}).get("BucketName", local_name(name)))
        return local_name(name)

    def _get_att(self, argument: list[str]) -> str:
        name, attribute = argument
        kind = self._resource(name)["Type"]
        if attribute == "Arn" and kind == "AWS::S3::Bucket":
            return f"arn:aws:s3:::{self._ref(name)}"
        if attribute in {"Arn", "StreamArn"} and kind in _ARN_RESOURCES:
            service, before = _ARN_RESOURCES[kind]
            after = "/stream/local" if attribute == "StreamArn" else ""
            return f"arn:aws:{service}:local:000000000000:{before}{local_name(name)}{after}"
        return local_name(name) if attribute in {"QueueName", "QueueUrl"} else f"{local_name(name)}.{attribute}"

    def _sub(self, argument: str | list[Any]) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else (argument[0], self.value(argument[1]))

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in given:
                return str(given[name])
            return str(self._get_att(name.split(".", 1)) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(replace, text)

    def _resource(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._raw["Resources"][name]
        except KeyError:
            raise InvalidSetting(f"the template refers to {name}, which it does not have") from None
        return found
