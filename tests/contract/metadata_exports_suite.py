"""What every driver of the metadata protocols does with exports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.errors import NotFound, StaleState
from kinora.model import Export, ExportState, Failure
from tests.contract.metadata_records import Metadata, blob, hash_of, original


def export(name: str, content: str = "a", due: float | None = None) -> Export:
    task = {"task": "crop", "boxes": [{"left": 0.5, "name": "é"}], "time": None, "exports": {name: 1}}
    return Export(hash_of(content), name, "image", task, created_at=10.25, updated_at=11.5, due_at=due)


class ExportsSuite:
    """Exports, replaced only by who knows their revision."""

    @pytest.fixture
    def known(self, metadata: Metadata) -> Metadata:
        metadata.catalog.attach(original("k", "a", "0A"), blob("a"))
        return metadata

    def test_they_are_stored_whole_and_listed_by_name(self, known: Metadata) -> None:
        catalog = known.catalog
        two, one = (catalog.save_export(export(name)) for name in ("proxy/r2", "crop/1.webp"))
        assert two == replace(export("proxy/r2"), revision=1)
        assert catalog.export(hash_of("a"), "proxy/r2") == two
        assert catalog.export(hash_of("a"), "proxy/r3") is None
        failed = replace(two, state=ExportState.FAILED, error=Failure("x", "y"), version=2, repairs=3)
        assert catalog.save_export(failed) == replace(failed, revision=2)
        assert catalog.exports(hash_of("a")) == (one, replace(failed, revision=2))
        assert catalog.exports(hash_of("b")) == ()

    def test_only_who_knows_the_revision_changes_it(self, known: Metadata) -> None:
        saved = known.catalog.save_export(export("proxy/r2"))
        with pytest.raises(StaleState):
            known.catalog.save_export(export("proxy/r2"))
        known.catalog.save_export(replace(saved, repairs=1))
        with pytest.raises(StaleState):
            known.catalog.save_export(replace(saved, repairs=2))
        with pytest.raises(StaleState):
            known.catalog.save_export(replace(saved, name="proxy/r3"))

    def test_they_are_found_when_they_are_due(self, known: Metadata) -> None:
        for name, due in (("1", None), ("2", 300.0), ("3", 200.0), ("4", 400.0)):
            known.catalog.save_export(export(name, due=due))
        assert [one.name for one in known.catalog.exports_due(400.0)] == ["3", "2"]
        assert [one.name for one in known.catalog.exports_due(500.0, 1)] == ["3"]
        for one in known.catalog.exports_due(500.0):
            known.catalog.save_export(replace(one, due_at=None))
        assert known.catalog.exports_due(500.0) == ()

    def test_they_go_with_their_blob(self, known: Metadata) -> None:
        catalog = known.catalog
        saved = catalog.save_export(export("1", due=1.0))
        with pytest.raises(NotFound):
            catalog.save_export(export("1", "b"))
        catalog.release(hash_of("a"), 200.0)
        catalog.condemn(hash_of("a"), 1e9, 300.0)
        with pytest.raises(StaleState):
            catalog.save_export(export("2"))
        catalog.forget(hash_of("a"))
        assert catalog.exports(hash_of("a")) == ()
        assert catalog.exports_due(1e9) == ()
        with pytest.raises(StaleState):
            catalog.save_export(saved)
