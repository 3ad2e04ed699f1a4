"""What every driver of the metadata protocols does with moments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.errors import NotFound, StaleState
from kinora.model import Failure, Moment, MomentState
from tests.contract.metadata_records import Metadata, blob, hash_of, original


def moment(identifier: str, content: str = "a", at: float = 10.0, due: float | None = None) -> Moment:
    return Moment(identifier, hash_of(content), "the é goal", 0.1, 2.5, created_at=at, updated_at=at, due_at=due)


class MomentsSuite:
    """Moments, replaced only by who knows their revision."""

    @pytest.fixture
    def known(self, metadata: Metadata) -> Metadata:
        metadata.catalog.attach(original("k", "a", "0A"), blob("a"))
        return metadata

    def test_it_is_stored_whole(self, known: Metadata) -> None:
        saved = known.catalog.save_moment(moment("1"))
        assert saved == replace(moment("1"), revision=1)
        assert known.catalog.moment(hash_of("a"), "1") == saved
        changed = replace(saved, state=MomentState.FAILED, error=Failure("x", "y"), served=2, key="k", due_at=5.25, version=3)
        assert known.catalog.save_moment(changed) == replace(changed, revision=2)
        assert known.catalog.moments(hash_of("a")) == (replace(changed, revision=2),)

    def test_only_who_knows_the_revision_changes_it(self, known: Metadata) -> None:
        saved = known.catalog.save_moment(moment("1"))
        with pytest.raises(StaleState):
            known.catalog.save_moment(moment("1"))
        known.catalog.save_moment(replace(saved, name="b"))
        with pytest.raises(StaleState):
            known.catalog.save_moment(replace(saved, name="c"))
        with pytest.raises(StaleState):
            known.catalog.drop_moment(saved)
        current = known.catalog.moment(hash_of("a"), "1")
        assert current is not None
        assert current.name == "b"
        known.catalog.drop_moment(current)
        known.catalog.drop_moment(current)
        with pytest.raises(StaleState):
            known.catalog.save_moment(current)
        assert known.catalog.moments(hash_of("a")) == ()

    def test_they_are_listed_by_age_and_by_what_is_due(self, known: Metadata) -> None:
        for identifier, at, due in (("1", 20.0, None), ("2", 10.0, 300.0), ("3", 30.0, 200.0), ("4", 40.0, 400.0)):
            known.catalog.save_moment(moment(identifier, at=at, due=due))
        assert [one.id for one in known.catalog.moments(hash_of("a"))] == ["2", "1", "3", "4"]
        assert [one.id for one in known.catalog.moments_due(400.0)] == ["3", "2"]
        assert [one.id for one in known.catalog.moments_due(500.0, 1)] == ["3"]
        for one in known.catalog.moments_due(500.0):
            known.catalog.save_moment(replace(one, due_at=None))
        assert known.catalog.moments_due(500.0) == ()

    def test_they_go_with_their_blob(self, known: Metadata) -> None:
        catalog = known.catalog
        saved = catalog.save_moment(moment("1", due=1.0))
        with pytest.raises(NotFound):
            catalog.save_moment(moment("1", "b"))
        catalog.release(hash_of("a"), 200.0)
        catalog.condemn(hash_of("a"), 1e9, 300.0)
        with pytest.raises(StaleState):
            catalog.save_moment(moment("2"))
        catalog.forget(hash_of("a"))
        assert catalog.moment(hash_of("a"), "1") is None
        assert catalog.moments_due(1e9) == ()
        with pytest.raises(StaleState):
            catalog.save_moment(saved)
