"""The DynamoDB metadata driver keeps the contract, as far as moto can tell (one thread: it is no oracle for races)."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kinora.errors import InvalidInput, StaleState, Unavailable
from kinora.metadata.dynamodb import DynamoMetadata
from kinora.metadata.dynamodb_rows import time_key
from kinora.metadata.dynamodb_tables import TABLES
from kinora.settings import Settings
from tests.contract.metadata_access_suite import AccessSuite
from tests.contract.metadata_exports_suite import ExportsSuite
from tests.contract.metadata_interference import InterferenceSuite, InterruptedMetadata
from tests.contract.metadata_jobs_suite import ContentKeysSuite, JobsSuite, LeasesSuite
from tests.contract.metadata_moments_suite import MomentsSuite
from tests.contract.metadata_records import (
    TABLE_NAMES,
    blob,
    event,
    hash_of,
    job,
    original,
    outbox_rows,
)
from tests.contract.metadata_sidecars_suite import SidecarsSuite
from tests.contract.metadata_suite import CatalogSuite
from tests.contract.rate_limits_suite import NOW, RateLimitsSuite
from tests.contract.webhooks_suite import WebhooksSuite

ROOT = Path(__file__).parents[2]


def settings(**more: str) -> Settings:
    return Settings.from_env({f"KINORA_{table.upper()}_TABLE": name for table, name in TABLE_NAMES.items()} | more)


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """moto instead of AWS; what boto3 reaches there."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        yield boto3.client("dynamodb")


@pytest.fixture(scope="module")
def driver(aws: Any) -> DynamoMetadata:
    return DynamoMetadata(settings())


@pytest.fixture(scope="module")
def interrupted_driver(aws: Any) -> InterruptedMetadata:
    return InterruptedMetadata(**TABLE_NAMES)


@pytest.fixture
def tables(aws: Any) -> Iterator[Any]:
    """The three tables of TABLE_NAMES, made as the template declares them."""
    for table, name in TABLE_NAMES.items():
        schema = dict(TABLES[table])
        expiry = schema.pop("TimeToLiveSpecification")
        if "StreamSpecification" in schema:
            schema["StreamSpecification"] = {"StreamEnabled": True, **schema["StreamSpecification"]}
        aws.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **schema)
        aws.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    yield aws
    for name in TABLE_NAMES.values():
        aws.delete_table(TableName=name)


@pytest.fixture
def metadata(driver: DynamoMetadata, tables: Any) -> DynamoMetadata:
    return driver


@pytest.fixture
def interrupted(interrupted_driver: InterruptedMetadata, tables: Any) -> InterruptedMetadata:
    return interrupted_driver


class TestCatalog(CatalogSuite):
    pass


class TestMoments(MomentsSuite):
    pass


class TestExports(ExportsSuite):
    pass


class TestSidecars(SidecarsSuite):
    pass


class TestAccess(AccessSuite):
    pass


class TestJobs(JobsSuite):
    pass


class TestContentKeys(ContentKeysSuite):
    pass


class TestWebhooks(WebhooksSuite):
    pass


class TestLeases(LeasesSuite):
    pass


class TestRateLimits(RateLimitsSuite):
    pass


class TestOutbox:
    def test_rows_are_what_the_stream_filter_and_the_notify_function_read(self, tables: Any, metadata: DynamoMetadata) -> None:
        created, _ = metadata.jobs.create(job("j1"), [event("e1", text="é")])
        metadata.jobs.change(created, [event("e2"), event("e3")])
        with pytest.raises(StaleState):
            metadata.jobs.change(created, [event("never")])
        rows = outbox_rows(tables, TABLE_NAMES["jobs"])
        assert [(row["pk"]["S"], row["id"]["S"]) for row in rows] == [("job#j1", "e1"), ("job#j1", "e2"), ("job#j1", "e3")]
        assert [row["sk"]["S"].rsplit("#", 1)[0] for row in rows] == [
            "event#0000000000#0",
            "event#0000000001#0",
            "event#0000000001#1",
        ]
        assert json.loads(rows[0]["data"]["S"]) == {"text": "é"}
        assert rows[0]["type"] == {"S": "job.ready"}
        assert float(rows[0]["time"]["N"]) == 1_700_000_000.25
        assert rows[0]["expires"] == {"N": str(1_700_000_000 + 7 * 86_400)}

    def test_the_events_of_a_job_made_anew_are_new_rows(self, tables: Any, metadata: DynamoMetadata) -> None:
        metadata.jobs.create(job("j1"), [event("e1")])
        metadata.jobs.delete("j1")
        metadata.jobs.create(job("j1"), [replace(event("e1"), time=1_700_000_100.0)])
        assert len(outbox_rows(tables, TABLE_NAMES["jobs"])) == 2


class TestRateLimitRows:
    def test_who_writes_between_reading_and_writing_is_counted(self, tables: Any, interrupted: InterruptedMetadata) -> None:
        others = interrupted.rate_limits
        assert others.take("a", 3, 60, NOW).allowed
        interrupted.connection.interrupt = lambda: others.take("a", 3, 60, NOW + 10)
        assert others.take("a", 3, 60, NOW + 10).remaining == 0
        assert not others.take("a", 3, 60, NOW + 10).allowed

    def test_within_a_slice_a_request_is_one_update(self, tables: Any, interrupted: InterruptedMetadata) -> None:
        interrupted.rate_limits.take("a", 5, 60, NOW)
        before = interrupted.connection.writes
        interrupted.rate_limits.take("a", 5, 60, NOW)
        assert interrupted.connection.writes == before + 1

    def test_rows_expire(self, tables: Any, metadata: DynamoMetadata) -> None:
        metadata.rate_limits.take("api#x", 5, 60, NOW)
        (row,) = tables.scan(TableName=TABLE_NAMES["jobs"])["Items"]
        assert row["pk"] == {"S": "limit#api#x#60"}
        assert NOW + 60 < int(row["expires"]["N"]) < NOW + 200


class TestInterference(InterferenceSuite):
    pass


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers every call with the error in `self.server.code`, as DynamoDB does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.operations.append(self.headers["X-Amz-Target"].split(".")[1])
        body = json.dumps({"__type": f"com.amazonaws.dynamodb#{self.server.code}", "message": "no"}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def refusing_endpoint(code: str) -> Iterator[tuple[DynamoMetadata, list[str]]]:
    """The driver in front of an endpoint that refuses, and the operations it asked for."""
    with http.server.HTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.code, server.operations = code, []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            yield DynamoMetadata(settings(KINORA_DYNAMODB_ENDPOINT=address)), server.operations
        finally:
            server.shutdown()
            thread.join()


class TestErrors:
    def test_a_refusal_is_unavailable(self, aws: Any) -> None:
        with refusing_endpoint("AccessDeniedException") as (metadata, operations):
            for call in (
                metadata.catalog.check,
                lambda: metadata.catalog.attach(original("k", "a", "0A"), blob("a")),
                metadata.jobs.list,
                lambda: metadata.content_keys.delete(hash_of("a")),
            ):
                with pytest.raises(Unavailable) as caught:
                    call()
                assert caught.value.retryable
        assert operations == ["GetItem", "GetItem", "Query", "Query"]

    def test_what_cannot_be_stored_is_invalid_input(self, aws: Any) -> None:
        with refusing_endpoint("ValidationException") as (metadata, _), pytest.raises(InvalidInput):
            metadata.jobs.get("x" * 3000)

    def test_a_missing_table_is_unavailable(self, driver: DynamoMetadata) -> None:
        with pytest.raises(Unavailable):
            driver.catalog.check()


def test_time_keys_sort_as_times() -> None:
    times = [0.0, 0.5, 9.0, 10.0, 1_700_000_000.0, 1_700_000_000.0000002, 1_700_000_000.0000005, 4e9, float("inf")]
    keys = [time_key(each) for each in times]
    assert keys == sorted(set(keys))


def test_importing_the_driver_does_not_import_sqlite() -> None:
    code = "import sys, kinora.metadata.dynamodb; assert not {'sqlite3', 'boto3', 'fastapi'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
