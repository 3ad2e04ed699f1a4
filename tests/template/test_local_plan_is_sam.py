"""The plan that local mode runs equals what SAM deploys: compared with the translated template, resource by resource."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from kinora.local.intrinsics import Template
from kinora.local.plan import Plan
from kinora.local.reading import find_template, read_plan, seconds_of
from tests.template.stack import translated


@cache
def plan() -> Plan:
    return read_plan(find_template())


def deployed(*types: str) -> dict[str, dict[str, Any]]:
    """Logical name → properties in the translated template; names become the same local ones as in the plan."""
    return Template(translated()).resources(*types)


def last(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def logical(local: str) -> str:
    """The logical name of a function from its local one (`image-function`)."""
    return "".join(word.title() for word in local.split("-"))


def test_functions() -> None:
    functions = deployed("AWS::Lambda::Function")
    assert functions.keys() == plan().functions.keys()
    for name, one in functions.items():
        own = plan().functions[name]
        assert (own.timeout, own.memory, own.handler) == (one["Timeout"], one["MemorySize"], one["Handler"]), name
        assert own.environment == {key: str(value) for key, value in one["Environment"]["Variables"].items()}, name


def test_asynchronous_invocations() -> None:
    configured = {logical(one["FunctionName"]): one for one in deployed("AWS::Lambda::EventInvokeConfig").values()}
    for name, function in plan().functions.items():
        one = configured.get(name, {})
        assert function.retries == one.get("MaximumRetryAttempts", 2), name
        on_failure = one.get("DestinationConfig", {}).get("OnFailure")
        assert function.dead_letters == (last(on_failure["Destination"]) if on_failure else None), name


def test_bucket_notifications() -> None:
    sent = {
        (bucket["BucketName"], one["Event"], logical(last(one["Function"])), json.dumps(one.get("Filter")))
        for bucket in deployed("AWS::S3::Bucket").values()
        for one in bucket.get("NotificationConfiguration", {}).get("LambdaConfigurations", [])
    }
    rules = {
        True: lambda prefix: json.dumps({"S3Key": {"Rules": [{"Name": "prefix", "Value": prefix}]}}),
        False: lambda _: "null",
    }
    assert sent == {
        (one.bucket, event, one.function, rules[bool(one.prefix)](one.prefix)) for one in plan().s3 for event in one.events
    }
    assert sent


def test_event_source_mappings() -> None:
    mapped = {
        (logical(one["FunctionName"]), one["EventSourceArn"].split(":table/")[-1].split(":")[-1].split("/")[0]): one
        for one in deployed("AWS::Lambda::EventSourceMapping").values()
    }
    queues = {(one.function, one.queue): one for one in plan().queue}
    streams = {(one.function, one.table): one for one in plan().stream}
    assert mapped.keys() == queues.keys() | streams.keys()
    for key, trigger in (queues | streams).items():
        one = mapped[key]
        assert one.get("Enabled", True)
        assert trigger.batch_size == one["BatchSize"], key
        assert trigger.partial_failures == (one.get("FunctionResponseTypes") == ["ReportBatchItemFailures"]), key
    for key, stream in streams.items():
        one = mapped[key]
        assert stream.retries == one["MaximumRetryAttempts"]
        assert list(stream.filters) == [json.loads(each["Pattern"]) for each in one["FilterCriteria"]["Filters"]]
        assert stream.dead_letters == last(one["DestinationConfig"]["OnFailure"]["Destination"])


def test_schedules() -> None:
    rules = [
        (logical(last(target["Arn"])), seconds_of(rule["ScheduleExpression"]))
        for rule in deployed("AWS::Events::Rule").values()
        for target in rule["Targets"]
    ]
    assert rules == [(one.function, one.seconds) for one in plan().schedule]


def test_queues() -> None:
    queues = deployed("AWS::SQS::Queue")
    specs = {spec.name: spec for spec in plan().queues}
    assert len(queues) == len(specs)
    for name, one in queues.items():
        local = Template(translated()).value({"Ref": name})
        spec = specs[local]
        assert spec.visibility_timeout == one.get("VisibilityTimeout", 30)
        assert spec.retention == one.get("MessageRetentionPeriod", 345_600)
        redrive = one.get("RedrivePolicy")
        assert spec.max_receive_count == (redrive["maxReceiveCount"] if redrive else None)
        assert spec.dead_letter_queue == (last(redrive["deadLetterTargetArn"]) if redrive else None)


def test_http_api() -> None:
    (api,) = deployed("AWS::ApiGatewayV2::Api").values()
    routes = {
        (
            method.removeprefix("x-amazon-apigateway-").removesuffix("-method"),
            path,
            one["x-amazon-apigateway-integration"]["uri"],
        )
        for path, methods in api["Body"]["paths"].items()
        for method, one in methods.items()
    }
    found = {(method, path, logical(uri.split("function:")[-1].split("/")[0])) for method, path, uri in routes}
    assert found == {(one.method, one.path, one.function) for one in plan().http}
