"""The DynamoDB metadata driver keeps the contract, as far as moto can tell (one thread: it is no oracle for races)."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from kinora.metadata.dynamodb import DynamoMetadata
from kinora.metadata.dynamodb_tables import TABLES
from kinora.settings import Settings
from moto import mock_aws

from tests.contract.metadata_suite import CatalogSuite, ContentKeysSuite, JobsSuite

NAMES = {"catalog": "the-catalog", "jobs": "the-jobs", "keys": "the-keys"}


def create_tables() -> None:
    """Make the three tables of NAMES as the template declares them."""
    client = boto3.client("dynamodb")
    for table, name in NAMES.items():
        schema = dict(TABLES[table])
        expiry = schema.pop("TimeToLiveSpecification")
        if "StreamSpecification" in schema:
            schema["StreamSpecification"] = {"StreamEnabled": True, **schema["StreamSpecification"]}
        client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **schema)
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)


def settings() -> Settings:
    return Settings.from_env({f"KINORA_{table.upper()}_TABLE": name for table, name in NAMES.items()})


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoMetadata]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        create_tables()
        yield DynamoMetadata(settings())


class TestCatalog(CatalogSuite):
    pass


class TestJobs(JobsSuite):
    pass


class TestContentKeys(ContentKeysSuite):
    pass
