"""What every driver of the metadata protocols does. A test module subclasses each suite and gives it a `metadata` fixture."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kinora.errors import AlreadyExists, InvalidInput, NotFound, StaleState
from kinora.model import (
    Attachment,
    AttachOutcome,
    BlobState,
    Failure,
    JobState,
    Kind,
    SegmentId,
    Stage,
    StageName,
    StageState,
)

from tests.contract.metadata_records import (
    Metadata,
    blob,
    content_key,
    derivative,
    event,
    hash_of,
    job,
    original,
)

APPLIED, DUPLICATE, STALE = (Attachment(outcome) for outcome in (AttachOutcome.APPLIED, AttachOutcome.DUPLICATE, AttachOutcome.STALE))


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

    @pytest.mark.parametrize("cursor", ["", "nonsense", "éé", "AAAA", "W10", "WzEsMl0", "bnVsbA", "x" * 5000, "W251bGwsImEiXQ=="])
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


class JobsSuite:
    """Jobs, segment rows and events."""

    def test_create_once(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        full = replace(
            job("j1"),
            stages={StageName.PROBE: Stage(StageState.READY), StageName.POSTER: Stage(StageState.FAILED, Failure("x", "why é"))},
            segments_planned={StageName.VIDEO: 30, StageName.AUDIO: 6},
            error=Failure("code", "sentence"),
            playable_at=101.25,
            ready_at=None,
            repairs=2,
        )
        assert jobs.create(full) == (full, True)
        assert jobs.create(replace(full, recipe="other", created_at=999.0)) == (full, False)
        assert jobs.get("j1") == full

    def test_a_new_job_has_no_segments_done(self, metadata: Metadata) -> None:
        created, _ = metadata.jobs.create(replace(job("j1"), segments_done={StageName.VIDEO: 4}))
        assert created.segments_done == metadata.jobs.get("j1").segments_done == {}

    def test_unknown_jobs(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        with pytest.raises(NotFound):
            jobs.get("none")
        with pytest.raises(NotFound):
            jobs.change(job("none"))
        with pytest.raises(NotFound):
            jobs.mark_segments("none", StageName.VIDEO, [SegmentId("video/r", 0)])
        with pytest.raises(NotFound):
            jobs.mark_segments("none", StageName.VIDEO, [])
        assert jobs.segments("none") == frozenset()
        jobs.delete("none")
        assert jobs.list().items == ()

    def test_change_is_conditional_on_the_version(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        first, _ = jobs.create(job("j1"))
        second = jobs.change(replace(first, state=JobState.PREPARING, playable_at=5.0, error=Failure("a", "b"), updated_at=110.0))
        assert second.version == first.version + 1
        assert jobs.get("j1") == second
        with pytest.raises(StaleState):
            jobs.change(replace(first, state=JobState.FAILED))
        third = jobs.change(replace(second, playable_at=None, error=None, kind=Kind.AUDIO, recipe="v2", repairs=1))
        assert jobs.get("j1") == third
        assert (third.playable_at, third.error, third.repairs) == (None, None, 1)

    def test_a_job_made_anew_does_not_take_changes_meant_for_the_old(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        old, _ = jobs.create(job("j1", at=100.0))
        jobs.delete("j1")
        jobs.create(job("j1", at=200.0))
        with pytest.raises(StaleState):
            jobs.change(replace(old, state=JobState.READY))

    def test_change_leaves_segments_done_alone(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        before, _ = jobs.create(job("j1"))
        jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", n) for n in range(3)])
        changed = jobs.change(replace(before, state=JobState.ENCODING, segments_done={StageName.VIDEO: 77}))
        assert changed.segments_done == {StageName.VIDEO: 3}
        assert jobs.get("j1") == changed

    def test_marking_counts_new_rows_only(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        created, _ = jobs.create(replace(job("j1"), segments_planned={StageName.VIDEO: 4, StageName.AUDIO: 4}))
        video = [SegmentId("video/r720_h264", 0), SegmentId("video/r480_h264", 0)]
        marked = jobs.mark_segments("j1", StageName.VIDEO, video)
        assert marked == replace(created, segments_done={StageName.VIDEO: 2})
        assert jobs.mark_segments("j1", StageName.VIDEO, [*video, *video, SegmentId("video/r720_h264", 1)]) == replace(
            created, segments_done={StageName.VIDEO: 3}
        )
        audio = SegmentId("audio/und_aac_2ch", 12_000)
        after = jobs.mark_segments("j1", StageName.AUDIO, frozenset({audio}))
        assert after == jobs.get("j1") == replace(created, segments_done={StageName.VIDEO: 3, StageName.AUDIO: 1})
        assert after.progress == 0.5
        assert jobs.segments("j1") == {*video, SegmentId("video/r720_h264", 1), audio}

    def test_marking_more_than_a_transaction_holds(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        jobs.create(job("j1"))
        wanted = [SegmentId(f"video/{rung}", n) for rung in ("r720_h264", "r480_h264") for n in range(101)]
        jobs.mark_segments("j1", StageName.VIDEO, wanted[50:150])
        assert jobs.mark_segments("j1", StageName.VIDEO, wanted).segments_done == {StageName.VIDEO: 202}
        assert jobs.segments("j1") == frozenset(wanted)

    def test_marking_is_progress_where_a_time_is_given(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        jobs.create(job("j1", at=100.0))
        assert jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 0)]).updated_at == 100.0
        assert jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 1)], 150.0).updated_at == 150.0
        assert jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 2)], 140.0).updated_at == 150.0
        assert jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 2)], 190.0).updated_at == 150.0
        assert jobs.idle(150.0) == ()
        assert [found.id for found in jobs.idle(150.5)] == ["j1"]

    def test_delete_and_create_again_starts_from_nothing(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        jobs.create(job("j1"), [event("e1")])
        jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", n) for n in range(30)])
        jobs.delete("j1")
        with pytest.raises(NotFound):
            jobs.get("j1")
        assert jobs.segments("j1") == frozenset()
        assert jobs.list().items == jobs.list(content_hash=hash_of("a")).items == jobs.idle(1e9) == ()
        assert jobs.create(job("j1"), [event("e1")]) == (job("j1"), True)
        assert jobs.segments("j1") == frozenset()
        assert jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 1)]).segments_done == {StageName.VIDEO: 1}

    def test_lists_are_newest_first_by_hash_and_state(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        states = list(JobState)
        for n in range(14):
            jobs.create(job(f"j{n:02}", content="ab"[n % 2], at=1_700_000_000.0 + n // 3, state=states[n % 7]))
        everything = [f"j{n:02}" for n in reversed(range(14))]

        def listed(**wanted: object) -> list[str]:
            seen, cursor = [], None
            while True:
                page = jobs.list(cursor=cursor, limit=4, **wanted)
                assert len(page.items) <= 4
                seen += [found.id for found in page.items]
                cursor = page.cursor
                if cursor is None:
                    return seen
                assert cursor.isascii()
                assert all(character.isalnum() or character in "-_" for character in cursor)

        assert listed() == everything
        assert listed(state=JobState.PLAYABLE) == ["j09", "j02"]
        assert listed(content_hash=hash_of("a")) == everything[1::2]
        assert listed(content_hash=hash_of("b")) == everything[0::2]
        assert listed(content_hash=hash_of("a"), state=JobState.QUEUED) == ["j00"]
        assert listed(content_hash=hash_of("none")) == []
        assert jobs.list(limit=14).cursor is None

    def test_a_change_moves_the_job_between_states(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        created, _ = jobs.create(job("j1"))
        jobs.change(replace(created, state=JobState.READY))
        assert jobs.list(state=JobState.QUEUED).items == ()
        assert [found.id for found in jobs.list(state=JobState.READY).items] == ["j1"]

    def test_idle_jobs_are_not_final_and_oldest_first(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        for n, state in enumerate(JobState):
            jobs.create(job(f"j{n}", at=200.0 - n, state=state))
        assert [found.id for found in jobs.idle(1e9)] == ["j3", "j2", "j1", "j0"]
        assert [found.id for found in jobs.idle(199.0)] == ["j3", "j2"]
        assert [found.id for found in jobs.idle(1e9, limit=1)] == ["j3"]
        assert jobs.idle(-100.0) == ()
        jobs.change(replace(jobs.get("j3"), state=JobState.FAILED, updated_at=500.0))
        jobs.change(replace(jobs.get("j4"), state=JobState.QUEUED, updated_at=50.0))
        assert [found.id for found in jobs.idle(1e9)] == ["j4", "j2", "j1", "j0"]

    def test_event_data_must_be_json(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        created, _ = jobs.create(job("j1"))
        for data in ({"when": object()}, {"x": float("nan")}, {"b": b"bytes"}):
            with pytest.raises(InvalidInput):
                jobs.change(created, [event("e", **data)])
            with pytest.raises(InvalidInput):
                jobs.create(job("j2"), [event("e", **data)])
        assert jobs.get("j1") == created
        with pytest.raises(NotFound):
            jobs.get("j2")

    def test_more_events_than_a_transaction_holds_are_refused(self, metadata: Metadata) -> None:
        created, _ = metadata.jobs.create(job("j1"), [event(f"e{n}") for n in range(90)])
        with pytest.raises(InvalidInput):
            metadata.jobs.change(created, [event(f"e{n}") for n in range(91)])
        assert metadata.jobs.get("j1").version == created.version


class ContentKeysSuite:
    """Wrapped content keys."""

    def test_create_get_list(self, metadata: Metadata) -> None:
        keys = metadata.content_keys
        for identity, revision in (("k10", 10), ("k2", 2), ("k1", 1)):
            keys.create(content_key(identity, revision=revision))
        keys.create(content_key("other", content="b"))
        assert keys.get("k2") == content_key("k2", revision=2)
        assert [key.key_id for key in keys.list(hash_of("a"))] == ["k1", "k2", "k10"]
        assert keys.list(hash_of("none")) == ()
        with pytest.raises(NotFound):
            keys.get("none")

    def test_ids_and_revisions_are_taken_once(self, metadata: Metadata) -> None:
        keys = metadata.content_keys
        keys.create(content_key("k1"))
        with pytest.raises(AlreadyExists):
            keys.create(content_key("k1", content="b", revision=7))
        with pytest.raises(AlreadyExists):
            keys.create(content_key("k2", revision=1))
        with pytest.raises(NotFound):
            keys.get("k2")
        assert keys.list(hash_of("b")) == ()
        assert keys.get("k1") == content_key("k1")

    def test_rewrap_is_conditional_on_the_kek(self, metadata: Metadata) -> None:
        keys = metadata.content_keys
        keys.create(content_key("k1"))
        rewrapped = replace(content_key("k1"), wrapped=b"new", nonce=b"n2", kek_version="kek-2")
        keys.rewrap(rewrapped, "kek-1")
        assert keys.get("k1") == rewrapped
        assert keys.list(hash_of("a")) == (rewrapped,)
        with pytest.raises(StaleState):
            keys.rewrap(content_key("k1"), "kek-1")
        with pytest.raises(NotFound):
            keys.rewrap(content_key("none"), "kek-1")
        assert keys.get("k1") == rewrapped

    def test_delete_counts_the_keys_of_a_hash(self, metadata: Metadata) -> None:
        keys = metadata.content_keys
        for revision in range(1, 4):
            keys.create(content_key(f"k{revision}", revision=revision))
        keys.create(content_key("other", content="b"))
        assert keys.delete(hash_of("a")) == 3
        assert keys.delete(hash_of("a")) == 0
        assert keys.list(hash_of("a")) == ()
        with pytest.raises(NotFound):
            keys.get("k1")
        assert keys.get("other") == content_key("other", content="b")
        keys.create(content_key("k1"))
