"""What every driver of the metadata protocols does with the access to single media."""

from __future__ import annotations

import pytest

from kinora.errors import NotFound, StaleState
from kinora.model import MediaAccess
from tests.contract.metadata_records import Metadata, blob, hash_of, original


class AccessSuite:
    """Who may play a medium: the last one set."""

    def test_the_last_one_set_holds_for_that_medium_alone(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        for name in ("a", "b"):
            catalog.attach(original(name, name, "0A"), blob(name))
        assert catalog.access(hash_of("a")) is None
        for access in (MediaAccess.TOKEN, MediaAccess.TOKEN, MediaAccess.PUBLIC, None, None, MediaAccess.TOKEN):
            catalog.set_access(hash_of("a"), access)
            assert catalog.access(hash_of("a")) is access
        assert catalog.access(hash_of("b")) is None

    def test_it_goes_with_its_blob(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        with pytest.raises(NotFound):
            catalog.set_access(hash_of("a"), MediaAccess.TOKEN)
        catalog.attach(original("k", "a", "0A"), blob("a"))
        catalog.set_access(hash_of("a"), MediaAccess.TOKEN)
        catalog.release(hash_of("a"), 200.0)
        assert catalog.access(hash_of("a")) is MediaAccess.TOKEN
        catalog.condemn(hash_of("a"), 1e9, 300.0)
        for access in (MediaAccess.PUBLIC, None):
            with pytest.raises(StaleState):
                catalog.set_access(hash_of("a"), access)
        assert catalog.access(hash_of("a")) is MediaAccess.TOKEN
        catalog.forget(hash_of("a"))
        assert catalog.access(hash_of("a")) is None
