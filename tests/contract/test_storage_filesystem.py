"""The filesystem driver: the contract, and what only a disk can do wrong."""

from __future__ import annotations

import pytest

from kinora.errors import (
    InvalidKey,
)
from kinora.model import Scope
from kinora.storage.filesystem import FilesystemStorage
from tests.contract.storage_suite import StorageSuite, deviates


@pytest.fixture
def storage(tmp_path):
    return FilesystemStorage({scope: tmp_path / scope.value for scope in Scope})


class TestContract(StorageSuite):
    @deviates("a disk cannot hold a file and a folder of one name", raises=InvalidKey)
    def test_a_key_may_continue_another(self, storage):
        super().test_a_key_may_continue_another(storage)

    @deviates("a file carries no checksum", raises=AssertionError)
    def test_a_verified_checksum_is_known_later(self, storage):
        super().test_a_verified_checksum_is_known_later(storage)
