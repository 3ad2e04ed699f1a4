"""What every driver of the metadata protocols does with jobs and content keys, as metadata_suite.py does for the catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.errors import AlreadyExists, InvalidInput, NotFound, StaleState
from kinora.model import (
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
    content_key,
    event,
    hash_of,
    job,
)


class JobsSuite:
    """Jobs, segment rows and events."""

    def test_create_once(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        full = replace(
            job("j1"),
            stages={
                StageName.PROBE: Stage(StageState.READY),
                StageName.POSTER: Stage(StageState.FAILED, Failure("x", "why é")),
            },
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
        second = jobs.change(
            replace(first, state=JobState.PREPARING, playable_at=5.0, error=Failure("a", "b"), updated_at=110.0)
        )
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

    def test_a_job_at_rest_is_not_idle(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        stages = {StageName.POSTER: Stage(StageState.FAILED), StageName.VIDEO: Stage(StageState.RUNNING)}
        begun = replace(job("j1", state=JobState.PLAYABLE), stages=stages, segments_planned={StageName.VIDEO: 3})
        created, _ = jobs.create(begun)
        assert jobs.idle(1e9) == (created,)
        waiting = {**stages, StageName.VIDEO: Stage(StageState.PENDING)}
        resting = jobs.change(replace(created, stages=waiting))
        assert jobs.idle(1e9) == ()
        jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 0)], 500.0)
        assert jobs.idle(1e9) == ()
        stirred = jobs.change(replace(resting, stages={**waiting, StageName.POSTER: Stage(StageState.PENDING)}))
        assert [found.version for found in jobs.idle(1e9)] == [stirred.version]

    def test_a_job_at_rest_is_idle_again_when_its_last_segment_is_marked(self, metadata: Metadata) -> None:
        jobs = metadata.jobs
        stages = {StageName.AUDIO: Stage(StageState.PENDING), StageName.VIDEO: Stage(StageState.PENDING)}
        planned = {StageName.AUDIO: 1, StageName.VIDEO: 2}
        jobs.create(replace(job("j1", state=JobState.PLAYABLE), stages=stages, segments_planned=planned))
        jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", n) for n in range(2)], 500.0)
        assert jobs.idle(1e9) == ()
        jobs.mark_segments("j1", StageName.AUDIO, [SegmentId("audio/t", 0)], 600.0)
        assert jobs.idle(600.0) == ()
        assert [found.progress for found in jobs.idle(601.0)] == [1.0]

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


class LeasesSuite:
    """Claims on names, at times that the caller gives."""

    def test_one_holds_a_name_until_its_time_has_passed(self, metadata: Metadata) -> None:
        leases = metadata.leases
        assert leases.acquire("a/b#0", "one", until=160.0, now=100.0)
        assert not leases.acquire("a/b#0", "two", until=170.0, now=110.0)
        assert leases.acquire("a/b#1", "two", until=170.0, now=110.0)
        assert leases.acquire("a/b#0", "one", until=165.5, now=120.0), "the same owner may go on"
        assert not leases.acquire("a/b#0", "two", until=170.0, now=165.25)
        assert leases.acquire("a/b#0", "two", until=170.0, now=165.5)
        assert not leases.acquire("a/b#0", "one", until=180.0, now=166.0)

    def test_only_the_owner_releases(self, metadata: Metadata) -> None:
        leases = metadata.leases
        assert leases.acquire("a", "one", until=160.0, now=100.0)
        leases.release("a", "two")
        leases.release("unknown", "one")
        assert not leases.acquire("a", "two", until=160.0, now=100.0)
        leases.release("a", "one")
        assert leases.acquire("a", "two", until=160.0, now=100.0)


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

    def test_all_keys_of_all_hashes(self, metadata: Metadata) -> None:
        keys = metadata.content_keys
        assert list(keys.all()) == []
        made = [content_key(f"k{n:04}", content=f"{n % 7}", revision=n + 1) for n in range(105)]
        for key in made:
            keys.create(key)
        assert sorted(keys.all(), key=lambda key: key.key_id) == made

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
