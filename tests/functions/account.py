"""An AWS account in this process (moto) holding the template's resources, and a record of what each function asks of it."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import handlers
from moto import mock_aws

from kinora.metadata.dynamodb import DynamoMetadata
from kinora.metadata.dynamodb_tables import TABLES
from kinora.model import ContentKey
from kinora.settings import Settings
from tests.functions.targets import InProcess
from tests.template.stack import FUNCTIONS, properties, text, variables

REGION = "eu-central-1"
QUEUES = ("ImageQueue", "PrepareQueue", "EncodeQueue", "WebhookQueue")
SECRETS = ("ApiKeySecret", "SigningKeysSecret", "WebhookKeySecret", "KeyEncryptionKeysSecret")
_TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_S3 = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListObjectsV2": "ListBucket",
    "DeleteObjects": "DeleteObject",
}


@dataclass(frozen=True, slots=True)
class Need:
    """One permission that a call needs. `leading_key` is the partition key that a query or a change of one row names."""

    action: str
    resource: str
    leading_key: str = ""


@dataclass
class Account:
    """`needs` grows with every call of the function that was invoked last."""

    functions: InProcess = field(init=False)
    needs: dict[str, set[Need]] = field(default_factory=lambda: {name: set() for name in FUNCTIONS})
    current: str = ""

    def invoke(self, function: str, event: Any) -> Any:
        caller, self.current = self.current, function
        try:
            return self.functions.invoke(function, event)
        finally:
            self.current = caller

    def answer_invocation(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        """What Lambda answers when one function invokes another; moto would need containers for it."""
        function = params["url_path"].split("/")[-2].removesuffix("Function")
        answer = self.invoke(function, json.loads(params["body"]))
        return SimpleNamespace(status_code=200), {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}

    def add_content_keys(self, *hashes: str) -> None:
        """As if their streams were encrypted."""
        settings = Settings.from_env(self.functions.environments["Video"])
        for content_hash in hashes:
            key = ContentKey(content_hash[:32], content_hash, 1, b"wrapped", b"nonce", "1", time.time())
            DynamoMetadata(settings).content_keys.create(key)

    def record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self.current and model.name != "CreateBucket":  # botocore finds the address of a form by it and calls nothing
            service = model.service_model.service_name
            self.needs[self.current] |= set(_needs(service, model.name, params))


@contextmanager
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Doors run in this process with the environment that the template gives them; queue URLs are moto's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in [name for name in os.environ if name.startswith("KINORA_")]:
        monkeypatch.delenv(name)
    made = Account()
    listeners = [("provide-client-params", made.record), ("before-call.lambda.Invoke", made.answer_invocation)]
    with mock_aws():
        handlers.BUILTIN_HANDLERS.extend(listeners)
        boto3.setup_default_session()  # what existed before knows nothing of the recorder
        urls = _create()
        environments = {
            name: {key: urls.get(text(value), text(value)) for key, value in variables(name).items()} for name in FUNCTIONS
        }
        made.functions = InProcess(environments, monkeypatch)
        try:
            yield made
        finally:
            for listener in listeners:
                handlers.BUILTIN_HANDLERS.remove(listener)
            made.functions.close()


def _create() -> dict[str, str]:
    """Create the resources; returns what `!Ref` gives for those whose name is not their logical one."""
    place = {"LocationConstraint": REGION}
    for name in ("SourceBucket", "MediaBucket"):
        boto3.client("s3").create_bucket(Bucket=text(properties(name)["BucketName"]), CreateBucketConfiguration=place)
    for name, declared in TABLES.items():
        schema = {
            key: value for key, value in declared.items() if key not in {"TimeToLiveSpecification", "StreamSpecification"}
        }
        boto3.client("dynamodb").create_table(TableName=f"{name.title()}Table", BillingMode="PAY_PER_REQUEST", **schema)
    generated = {
        "ApiKeySecret": "a" * 43,
        "SigningKeysSecret": "b" * 64,
        "WebhookKeySecret": "c" * 64,
        "KeyEncryptionKeysSecret": "d" * 43,
    }
    for name in SECRETS:
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=generated[name])
    return {name: boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}


def _needs(service: str, operation: str, params: dict[str, Any]) -> Iterator[Need]:
    match service, operation:
        case "s3", _:
            action = f"s3:{_S3.get(operation, operation)}"
            bucket = f"arn:aws:s3:::{params['Bucket']}"
            keys = [one["Key"] for one in params.get("Delete", {}).get("Objects", [])] or [params.get("Key")]
            for key in keys:
                yield Need(action, f"{bucket}/{key}" if key else bucket)
        case "dynamodb", "TransactWriteItems":
            for item in params["TransactItems"]:
                for kind, one in item.items():
                    yield Need(f"dynamodb:{_TRANSACTION[kind]}", f"{one['TableName']}.Arn")
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            for table in params["RequestItems"]:
                yield Need(f"dynamodb:{operation}", f"{table}.Arn")
        case "dynamodb", _:
            index = f"arn:{params['TableName']}/index/{params['IndexName']}" if "IndexName" in params else ""
            leading = (params.get("Key") or params.get("Item") or {}).get("pk", {}).get("S", "")
            if operation == "Query":
                leading = params["ExpressionAttributeValues"][":0"]["S"]
            yield Need(f"dynamodb:{operation}", index or f"{params['TableName']}.Arn", leading)
        case "sqs", "SendMessageBatch" | "GetQueueAttributes":
            yield Need(f"sqs:{operation.removesuffix('Batch')}", f"{params['QueueUrl'].rsplit('/', 1)[-1]}.Arn")
        case "lambda", "Invoke":
            yield Need("lambda:InvokeFunction", f"{params['FunctionName']}.Arn")
        case "secretsmanager", _:
            yield Need(f"secretsmanager:{operation}", params["SecretId"])
        case "events", _:
            for entry in params["Entries"]:
                yield Need(f"events:{operation}", f"arn:aws:events:{REGION}:123456789012:event-bus/{entry['EventBusName']}")
        case _:
            raise AssertionError(f"no function is expected to call {service} {operation}")
