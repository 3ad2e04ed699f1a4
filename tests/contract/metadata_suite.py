"""What every driver of the metadata protocols does. A test module subclasses each suite and gives it a `metadata` fixture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.errors import InvalidInput, NotFound, StaleState
from kinora.model import (
    Attachment,
    AttachOutcome,
    BlobState,
)
from tests.contract.metadata_records import (
    Metadata,
    blob,
    derivative,
    hash_of,
    original,
)

APPLIED, DUPLICATE, STALE = (
    Attachment(outcome) for outcome in (AttachOutcome.APPLIED, AttachOutcome.DUPLICATE, AttachOutcome.STALE)
)


class CatalogSuite:
    """Blobs, originals, references, derivatives."""

    def test_attach_makes_original_reference_and_blob(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        attached = original("uploads/é 日本.png", "a", "0A")
        assert catalog.attach(attached, blob("a")) == APPLIED
        assert catalog.original("uploads/é 日本.png") == attached
        assert catalog.originals(hash_of("a")) == (attached,)
        assert catalog.blob(hash_of("a")) == replace(blob("a"), references=1, changed_at=100.0)

    def test_unknown_rows_are_none_or_empty(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        assert catalog.original("uploads/none") is None
        assert catalog.blob(hash_of("none")) is None
        assert catalog.originals(hash_of("none")) == ()
        assert catalog.derivatives(hash_of("none")) == ()
        assert catalog.release(hash_of("none"), 1.0) == ()
        assert catalog.blobs().items == ()
        assert catalog.collectable(1e9) == ()
        assert catalog.condemn(hash_of("none"), 1e9, 1e9) is None
        catalog.forget(hash_of("none"))
        catalog.check()

    def test_attaching_twice_is_once(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        assert catalog.attach(original("k", "a", "0A", at=200.0), blob("a")) == DUPLICATE
        assert catalog.attach(original("k", "a", "0a00", at=200.0), blob("a")) == DUPLICATE
        assert catalog.original("k") == original("k", "a", "0A")
        assert catalog.blob(hash_of("a")).references == 1

    @pytest.mark.parametrize(
        ("earlier", "later"),
        [("0A", "0B"), ("9", "A"), ("0055AED6DCD90281E5", "0055AED6DCD90281E6"), ("0a", "0A01"), ("", "1"), ("FF", "ff1")],
    )
    def test_sequencers_compare_right_padded(self, metadata: Metadata, earlier: str, later: str) -> None:
        catalog = metadata.catalog
        assert catalog.attach(original("k", "b", later), blob("b")) == APPLIED
        assert catalog.attach(original("k", "a", earlier), blob("a")) == STALE
        assert catalog.detach("k", earlier, 300.0) == STALE
        assert catalog.original("k") == original("k", "b", later)
        assert catalog.blob(hash_of("a")) is None

    @pytest.mark.parametrize("sequencer", ["xyz", "0A 0B", "0" * 65, "٣"])
    def test_what_is_no_sequencer_is_refused(self, metadata: Metadata, sequencer: str) -> None:
        with pytest.raises(InvalidInput):
            metadata.catalog.attach(original("k", "a", sequencer), blob("a"))
        with pytest.raises(InvalidInput):
            metadata.catalog.detach("k", sequencer, 1.0)
        assert metadata.catalog.original("k") is None

    def test_same_content_again_refreshes_the_original_only(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        newer = original("k", "a", "0B", at=200.0)
        assert catalog.attach(newer, blob("a")) == APPLIED
        assert catalog.original("k") == newer
        assert catalog.originals(hash_of("a")) == (newer,)
        assert catalog.blob(hash_of("a")) == replace(blob("a"), references=1, changed_at=100.0)

    def test_other_content_takes_the_reference_along(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        assert catalog.attach(original("k", "b", "0B", at=200.0), blob("b")) == Attachment(AttachOutcome.APPLIED, hash_of("a"))
        assert catalog.originals(hash_of("a")) == ()
        left = catalog.blob(hash_of("a"))
        assert (left.state, left.references, left.changed_at) == (BlobState.COLLECTABLE, 0, 200.0)
        assert catalog.blob(hash_of("b")).references == 1

    def test_a_blob_lives_while_anything_refers_to_it(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k1", "a", "0A", at=100.0), blob("a", at=1.0))
        catalog.attach(original("k2", "a", "0A", at=90.0), blob("a", at=2.0))
        assert [found.key for found in catalog.originals(hash_of("a"))] == ["k2", "k1"]
        assert catalog.blob(hash_of("a")).created_at == 1.0
        assert catalog.detach("k1", "0B", 200.0) == Attachment(AttachOutcome.APPLIED, hash_of("a"))
        assert catalog.blob(hash_of("a")) == replace(blob("a", at=1.0), references=1, changed_at=100.0)
        catalog.detach("k2", "0B", 300.0)
        gone = catalog.blob(hash_of("a"))
        assert (gone.state, gone.references, gone.changed_at) == (BlobState.COLLECTABLE, 0, 300.0)

    def test_detach_leaves_a_tombstone_for_late_events(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        catalog.detach("k", "0C", 200.0)
        assert catalog.original("k") == replace(original("k", "a", "0C", at=200.0), removed=True)
        assert catalog.detach("k", "0C", 300.0) == DUPLICATE
        assert catalog.attach(original("k", "a", "0B"), blob("a")) == STALE
        assert catalog.detach("k", "0D", 400.0) == APPLIED
        assert catalog.original("k").sequencer == "0D"
        assert catalog.blob(hash_of("a")).changed_at == 200.0
        assert catalog.attach(original("k", "a", "0E", at=500.0), blob("a")) == APPLIED
        assert catalog.originals(hash_of("a")) == (original("k", "a", "0E", at=500.0),)

    def test_a_removal_that_overtakes_its_creation_wins(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        assert catalog.detach("k", "0B", 200.0) == APPLIED
        tombstone = catalog.original("k")
        assert (tombstone.removed, tombstone.sequencer, tombstone.changed_at) == (True, "0B", 200.0)
        assert catalog.attach(original("k", "a", "0A"), blob("a")) == STALE
        assert catalog.blob(hash_of("a")) is None

    def test_attaching_revives_a_collectable_blob(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        catalog.detach("k", "0B", 200.0)
        catalog.attach(original("k2", "a", "01", at=300.0), blob("a", at=300.0))
        assert catalog.blob(hash_of("a")) == replace(blob("a"), references=1, changed_at=300.0)
        assert catalog.collectable(1e9) == ()

    def test_a_condemned_blob_takes_nothing_in(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        catalog.detach("k", "0B", 200.0)
        condemned = catalog.condemn(hash_of("a"), 201.0, 900.0)
        assert (condemned.state, condemned.changed_at) == (BlobState.CONDEMNED, 900.0)
        assert catalog.blob(hash_of("a")) == condemned
        with pytest.raises(StaleState) as caught:
            catalog.attach(original("k", "a", "0C"), blob("a"))
        assert caught.value.retryable
        with pytest.raises(StaleState):
            catalog.record(derivative("a", "late"))
        assert catalog.original("k").removed
        assert catalog.condemn(hash_of("a"), 0.0, 950.0) == condemned

    def test_a_stolen_reference_stays_if_the_new_blob_is_condemned(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("old", "a", "0A"), blob("a"))
        catalog.detach("old", "0B", 200.0)
        catalog.condemn(hash_of("a"), 201.0, 900.0)
        catalog.attach(original("k", "b", "0A"), blob("b"))
        with pytest.raises(StaleState):
            catalog.attach(original("k", "a", "0B"), blob("a"))
        assert catalog.original("k") == original("k", "b", "0A")
        assert catalog.blob(hash_of("b")).references == 1

    def test_condemn_wants_a_blob_that_was_collectable_long_enough(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        assert catalog.condemn(hash_of("a"), 1e9, 1e9) is None
        catalog.detach("k", "0B", 200.0)
        assert catalog.condemn(hash_of("a"), 200.0, 1e9) is None
        assert catalog.blob(hash_of("a")).state is BlobState.COLLECTABLE

    def test_forget_wants_a_condemned_blob(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        catalog.record(derivative("a", "thumb"))
        with pytest.raises(StaleState):
            catalog.forget(hash_of("a"))
        catalog.detach("k", "0B", 200.0)
        with pytest.raises(StaleState):
            catalog.forget(hash_of("a"))
        catalog.condemn(hash_of("a"), 201.0, 300.0)
        catalog.forget(hash_of("a"))
        catalog.forget(hash_of("a"))
        assert catalog.blob(hash_of("a")) is None
        assert catalog.derivatives(hash_of("a")) == ()
        assert catalog.collectable(1e9) == ()
        assert catalog.attach(original("k", "a", "0C", at=400.0), blob("a", at=400.0)) == APPLIED
        assert catalog.blob(hash_of("a")) == replace(blob("a", at=400.0), references=1, changed_at=400.0)

    def test_collectable_is_oldest_first_and_bounded(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        for n, name in enumerate("abcde"):
            catalog.attach(original(name, name, "0A"), blob(name))
            catalog.detach(name, "0B", 200.0 + n)
        catalog.attach(original("live", "f", "0A"), blob("f"))
        catalog.condemn(hash_of("c"), 300.0, 250.0)
        assert [found.hash for found in catalog.collectable(203.0)] == [hash_of(name) for name in "abc"]
        assert [found.hash for found in catalog.collectable(300.0)] == [hash_of(name) for name in "abdec"]
        assert [found.hash for found in catalog.collectable(300.0, limit=2)] == [hash_of("a"), hash_of("b")]
        assert [found.hash for found in catalog.collectable(0.0)] == [hash_of("c")]
        assert [found.hash for found in catalog.collectable(-5.0)] == [hash_of("c")]

    def test_release_detaches_everything_and_keeps_sequencers(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        count = 45
        attached = [original(f"k{n:02}", "a", "0A", at=100.0 + n) for n in range(count)]
        for each in attached:
            catalog.attach(each, blob("a"))
        assert catalog.release(hash_of("a"), 500.0) == tuple(attached)
        assert catalog.originals(hash_of("a")) == ()
        assert catalog.original("k07") == replace(attached[7], removed=True, changed_at=500.0)
        left = catalog.blob(hash_of("a"))
        assert (left.state, left.references, left.changed_at) == (BlobState.COLLECTABLE, 0, 500.0)
        assert catalog.attach(attached[7], blob("a")) == DUPLICATE
        assert catalog.release(hash_of("a"), 600.0) == ()
        assert catalog.blob(hash_of("a")).changed_at == 500.0

    def test_derivatives_are_replaced_by_name_and_ordered(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        catalog.attach(original("k", "a", "0A"), blob("a"))
        for name in ("stream", "image/thumb.webp", "poster"):
            catalog.record(derivative("a", name))
        bigger = replace(derivative("a", "poster"), size=99, width=None, height=None, duration=1.5)
        catalog.record(bigger)
        assert catalog.derivatives(hash_of("a")) == (derivative("a", "image/thumb.webp"), bigger, derivative("a", "stream"))

    def test_a_derivative_of_an_unknown_blob_is_refused(self, metadata: Metadata) -> None:
        with pytest.raises(NotFound):
            metadata.catalog.record(derivative("a", "poster"))

    def test_blobs_are_listed_newest_first_in_pages(self, metadata: Metadata) -> None:
        catalog = metadata.catalog
        for n in range(7):
            catalog.attach(original(f"k{n}", f"{n}", "0A"), blob(f"{n}", at=1_700_000_000.0 + n // 2))
        seen, cursor = [], None
        for _ in range(10):
            page = catalog.blobs(cursor=cursor, limit=3)
            assert len(page.items) <= 3
            seen += [(found.created_at, found.hash) for found in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert len(seen) == 7
        assert seen == sorted(seen, reverse=True)
        assert catalog.blobs(limit=7).cursor is None

    @pytest.mark.parametrize(
        "cursor",
        ["", "nonsense", "éé", "AAAA", "W10", "WzEsMl0", "bnVsbA", "x" * 5000, "W251bGwsImEiXQ==", "WzEuMCwiXHVkODAwIl0"],
    )
    def test_a_made_up_cursor_is_refused(self, metadata: Metadata, cursor: str) -> None:
        with pytest.raises(InvalidInput):
            metadata.catalog.blobs(cursor=cursor)
        with pytest.raises(InvalidInput):
            metadata.jobs.list(cursor=cursor)

    def test_a_limit_below_one_is_refused(self, metadata: Metadata) -> None:
        with pytest.raises(InvalidInput):
            metadata.catalog.blobs(limit=0)
        with pytest.raises(InvalidInput):
            metadata.jobs.list(limit=-1)

    def test_long_keys_fit(self, metadata: Metadata) -> None:
        key = "uploads/" + "é" * 508
        metadata.catalog.attach(original(key, "a", "0A"), blob("a"))
        assert metadata.catalog.originals(hash_of("a"))[0].key == key
