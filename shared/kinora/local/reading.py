"""Reads template.yaml into a Plan: SAM functions with their Globals, queues with their redrive policies, every trigger.

Called at the start of every command that runs or shows the wiring; it decides nothing that the template does not say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinora.errors import InvalidSetting
from kinora.local.intrinsics import Template, load_template, local_name
from kinora.local.plan import Function, HttpTrigger, Plan, QueueTrigger, S3Trigger, ScheduleTrigger, StreamTrigger
from kinora.queues.base import QueueSpec

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def find_template(given: str | None = None) -> Path:
    """The template to use: `given`, else the one of the checkout that this package runs from, else the current folder's."""
    if given is not None:
        choices = [Path(given)]
    else:
        choices = [Path(__file__).resolve().parents[3] / "template.yaml", Path("template.yaml").resolve()]
    for path in choices:
        if path.is_file():
            return path.resolve()
    looked = " and ".join(str(path) for path in choices)
    raise InvalidSetting(f"no template at {looked}", public_message=f"template.yaml was not found at {looked}; use --template.")


def read_plan(path: Path) -> Plan:
    """The plan that the template at `path` states. Raises InvalidSetting for what local mode cannot run."""
    template = Template(load_template(path))
    common = template.globals("Function")
    properties = {name: _merged(common, own) for name, own in template.resources("AWS::Serverless::Function").items()}
    events = [
        (name, event_name, event["Type"], event.get("Properties", {}))
        for name, one in properties.items()
        for event_name, event in one.get("Events", {}).items()
    ]
    return Plan(
        template=path,
        functions={name: _function(path.parent, name, one) for name, one in properties.items()},
        queues=tuple(_queue(name, one) for name, one in template.resources("AWS::SQS::Queue").items()),
        s3=tuple(_s3(function, one) for function, _, kind, one in events if kind == "S3"),
        queue=tuple(_sqs(function, one) for function, _, kind, one in events if kind == "SQS" and _enabled(one)),
        stream=tuple(_stream(function, one) for function, _, kind, one in events if kind == "DynamoDB" and _enabled(one)),
        schedule=tuple(
            _schedule(function, name, one)
            for function, name, kind, one in events
            if kind in {"Schedule", "ScheduleV2"} and _enabled(one)
        ),
        http=tuple(
            HttpTrigger(function, str(one.get("Method", "any")), str(one.get("Path", "$default")))
            for function, _, kind, one in events
            if kind == "HttpApi"
        ),
    )


def seconds_of(expression: str) -> int:
    """The interval of `rate(5 minutes)`; raises InvalidSetting for other schedules."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip())
    if match is None:
        raise InvalidSetting(f"schedule {expression!r}: local mode runs only rate(… minutes|hours|days)")
    return int(match[1]) * _UNITS[match[2]]


def _merged(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """SAM's rule for Globals: maps are merged, lists joined, anything else is replaced by the function's own."""
    merged = dict(common)
    for name, value in own.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            merged[name] = before + value
        else:
            merged[name] = value
    return merged


def _function(folder: Path, name: str, one: dict[str, Any]) -> Function:
    invoke = one.get("EventInvokeConfig", {})
    on_failure = invoke.get("DestinationConfig", {}).get("OnFailure")
    dead_letters = on_failure["Destination"] if on_failure else one.get("DeadLetterQueue", {}).get("TargetArn")
    return Function(
        name=name,
        code=(folder / one["CodeUri"]).resolve(),
        handler=one["Handler"],
        timeout=int(one.get("Timeout", 3)),
        memory=int(one.get("MemorySize", 128)),
        environment={key: _variable(value) for key, value in one.get("Environment", {}).get("Variables", {}).items()},
        retries=int(invoke.get("MaximumRetryAttempts", 2)),
        dead_letters=_arn_name(dead_letters) if dead_letters else None,
    )


def _variable(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _arn_name(arn: str) -> str:
    return re.split(r"[:/]", arn)[-1]


def _queue(name: str, one: dict[str, Any]) -> QueueSpec:
    redrive = one.get("RedrivePolicy", {})
    return QueueSpec(
        name=local_name(name),
        visibility_timeout=int(one.get("VisibilityTimeout", 30)),
        retention=int(one.get("MessageRetentionPeriod", 345_600)),
        max_receive_count=int(redrive["maxReceiveCount"]) if redrive else None,
        dead_letter_queue=_arn_name(redrive["deadLetterTargetArn"]) if redrive else None,
    )


def _enabled(one: dict[str, Any]) -> bool:
    return str(one.get("Enabled", True)).lower() != "false" and one.get("State", "ENABLED") == "ENABLED"


def _s3(function: str, one: dict[str, Any]) -> S3Trigger:
    events = one["Events"]
    rules = {rule["Name"].lower(): rule["Value"] for rule in one.get("Filter", {}).get("S3Key", {}).get("Rules", [])}
    return S3Trigger(
        function=function,
        bucket=one["Bucket"],
        events=(events,) if isinstance(events, str) else tuple(events),
        prefix=rules.get("prefix", ""),
        suffix=rules.get("suffix", ""),
    )


def _partial(one: dict[str, Any]) -> bool:
    return "ReportBatchItemFailures" in one.get("FunctionResponseTypes", [])


def _sqs(function: str, one: dict[str, Any]) -> QueueTrigger:
    return QueueTrigger(function, _arn_name(one["Queue"]), int(one.get("BatchSize", 10)), _partial(one))


def _stream(function: str, one: dict[str, Any]) -> StreamTrigger:
    on_failure = one.get("DestinationConfig", {}).get("OnFailure")
    return StreamTrigger(
        function=function,
        table=one["Stream"].split(":table/")[-1].split("/")[0],
        batch_size=int(one.get("BatchSize", 100)),
        filters=tuple(_patterns(one.get("FilterCriteria", {}).get("Filters", []))),
        partial_failures=_partial(one),
        retries=int(one.get("MaximumRetryAttempts", -1)),
        dead_letters=_arn_name(on_failure["Destination"]) if on_failure else None,
    )


def _patterns(filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    for one in filters:
        yield json.loads(one["Pattern"])


def _schedule(function: str, name: str, one: dict[str, Any]) -> ScheduleTrigger:
    return ScheduleTrigger(function, name, seconds_of(one.get("Schedule") or one["ScheduleExpression"]))
