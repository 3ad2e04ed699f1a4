"""The SQLite metadata driver keeps the contract, and what only it promises: threads, processes, forks, kills, full disks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kinora.metadata.sqlite import SqliteMetadata

from tests.contract.metadata_suite import CatalogSuite, ContentKeysSuite, JobsSuite


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[SqliteMetadata]:
    driver = SqliteMetadata(tmp_path / "data" / "kinora.db")
    yield driver
    driver.close()


class TestCatalog(CatalogSuite):
    pass


class TestJobs(JobsSuite):
    pass


class TestContentKeys(ContentKeysSuite):
    pass
