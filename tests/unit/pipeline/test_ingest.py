"""S3 events → catalog and jobs: whatever is delivered, however often and in which order."""

from __future__ import annotations

import hashlib
import itertools
import json

import pytest

from kinora.errors import StaleState
from kinora.model import UNHASHED, BlobState, JobState, Kind
from kinora.pipeline.intake import take_in
from kinora.pipeline.sweep import sweep
from tests.house import HOUR, house
from tests.pictures import picture
from tests.unit.event_fixtures import fixture

CAT = picture()
DOG = picture(colour=(10, 90, 200))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_upload_becomes_a_blob_a_reference_and_one_job(tmp_path):
    with house(tmp_path) as home:
        assert home.ingest(home.put("cat.jpg", CAT)) == ["started"]
        blob = home.services.catalog.blob(digest(CAT))
        assert (blob.size, blob.media_type, blob.kind, blob.references) == (len(CAT), "image/jpeg", Kind.IMAGE, 1)
        assert home.job().state is JobState.QUEUED
        assert home.waiting("image") == [{"task": "image", "job": home.job().id}]


def test_the_type_is_that_of_the_content_not_of_the_name(tmp_path):
    with house(tmp_path) as home:
        home.ingest(home.put("cat.mp4", CAT))
        assert home.job().kind is Kind.IMAGE


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_events_in_any_order_and_five_times_each_end_the_same(tmp_path, order):
    with house(tmp_path) as home:
        events = [home.put("cat.jpg", CAT), home.put("cat.jpg", DOG), home.put("other.jpg", CAT)]
        for index in order:
            home.ingest(*[events[index]] * 5)
        catalog = home.services.catalog
        assert catalog.original("uploads/cat.jpg").hash == digest(DOG)
        assert catalog.blob(digest(CAT)).references == 1
        assert catalog.blob(digest(DOG)).references == 1
        assert sorted(job.hash for job in home.jobs()) == sorted([digest(CAT), digest(DOG)])


def test_the_same_bytes_again_are_no_work(tmp_path):
    with house(tmp_path) as home:
        home.ingest(home.put("one.jpg", CAT))
        home.work()
        assert home.ingest(home.put("two.jpg", CAT)) == ["known"]
        assert home.waiting("image") == []
        assert home.services.catalog.blob(digest(CAT)).references == 2


def test_a_job_whose_creator_was_killed_before_sending_gets_its_task_from_the_next_delivery(tmp_path):
    with house(tmp_path) as home:
        event = home.put("cat.jpg", CAT)
        home.ingest(event)
        (message,) = home.services.queues.receive("image")
        home.services.queues.delete("image", message.receipt)
        assert home.ingest(event) == ["known"]
        assert len(home.waiting("image")) == 1


def test_removing_the_original_detaches_it_and_late_creations_do_not_bring_it_back(tmp_path):
    with house(tmp_path) as home:
        created = home.put("cat.jpg", CAT)
        home.ingest(created)
        removed = home.remove("cat.jpg")
        assert home.ingest(removed, removed, created) == ["detached", "detached", "stale"]
        assert home.services.catalog.original("uploads/cat.jpg").removed
        assert home.services.catalog.blob(digest(CAT)).state is BlobState.COLLECTABLE


def test_a_removal_that_arrives_first_keeps_the_older_creation_away(tmp_path):
    with house(tmp_path) as home:
        created, removed = home.put("cat.jpg", CAT), home.remove("cat.jpg")
        assert home.ingest(removed, created) == ["detached", "stale"]
        assert home.jobs() == []


def test_a_removal_that_uncovers_an_older_version_attaches_that_one(tmp_path):
    with house(tmp_path) as home:
        home.ingest(home.put("cat.jpg", DOG))
        home.put("cat.jpg", CAT)  # what lies there once the newest version has been deleted
        home.ingest(home.event("ObjectRemoved:Delete", "uploads/cat.jpg"))
        assert home.services.catalog.original("uploads/cat.jpg").hash == digest(CAT)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("page.jpg", b"<!doctype html><html><script>alert(1)</script></html>", "unsupported-media"),
        ("notes.mp4", b"just some text\n" * 40, "unsupported-media"),
        ("list.mp4", b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\nfile:///etc/passwd\n", "unsupported-media"),
        ("script.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "unsupported-media"),
        ("empty.mov", b"", "unsupported-media"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "unsupported-media"),
        ("archive.mp4", b"PK\x03\x04" + bytes(200), "unsupported-media"),
    ],
)
def test_content_that_is_no_media_is_refused_with_a_code_and_kept(tmp_path, name, data, code):
    with house(tmp_path) as home:
        event = home.put(name, data)
        assert home.ingest(event, event) == ["refused", "refused"]
        job = home.job()
        assert (job.state, job.error.code, job.hash) == (JobState.FAILED, code, digest(data))
        assert job.error.message.endswith(".")
        assert (tmp_path / "source" / "uploads" / name).read_bytes() == data


def test_an_original_over_the_limit_is_refused_before_it_is_read(tmp_path):
    with house(tmp_path, max_bytes="1000") as home:
        assert home.ingest(home.put("big.jpg", bytes(1001))) == ["refused"]
        assert (home.job().error.code, home.job().hash) == ("limit-exceeded", UNHASHED)


def test_keys_that_could_escape_are_refused_and_folders_ignored(tmp_path):
    with house(tmp_path) as home:
        assert home.ingest(home.created("uploads/../../etc/passwd", 1, "x")) == ["refused"]
        assert home.job().error.code == "invalid-key"
        assert home.ingest(home.created("uploads/folder/"), home.created("elsewhere/cat.jpg")) == ["ignored", "ignored"]


def test_an_upload_waits_in_the_queue_while_the_same_content_is_being_collected(tmp_path):
    with house(tmp_path) as home:
        home.ingest(home.put("cat.jpg", CAT))
        home.ingest(home.remove("cat.jpg"))
        now = home.services.clock() + 1
        assert home.services.catalog.condemn(digest(CAT), now, now)  # by somebody who is killed then
        again = home.put("cat.jpg", CAT)
        with pytest.raises(StaleState):
            take_in(home.services, again)
        given_up = {**fixture("sqs-ingest.json")["Records"][0], "body": json.dumps({"requestPayload": again})}
        failed = {"batchItemFailures": [{"itemIdentifier": given_up["messageId"]}]}
        assert take_in(home.services, {"Records": [given_up]}) == failed
        sweep(home.services, lambda: HOUR)
        assert home.services.catalog.blob(digest(CAT)) is None
        assert take_in(home.services, {"Records": [given_up]}) == {"batchItemFailures": []}
        home.work()
        assert (home.job().state, home.services.catalog.blob(digest(CAT)).references) == (JobState.READY, 1)


def test_a_record_without_its_event_stays_in_the_queue(tmp_path):
    with house(tmp_path) as home:
        unclear = {**fixture("sqs-ingest.json")["Records"][0], "body": "{}"}
        assert take_in(home.services, {"Records": [unclear]})["batchItemFailures"]


def test_one_bad_record_does_not_keep_the_others_away(tmp_path):
    with house(tmp_path) as home:
        first, second = home.put("cat.jpg", CAT), home.put("dog.jpg", DOG)
        home.ingest(home.put("gone.jpg", picture(8, 8)))
        home.ingest(home.remove("gone.jpg"))
        now = home.services.clock() + 1
        home.services.catalog.condemn(digest(picture(8, 8)), now, now)
        blocked = home.put("again.jpg", picture(8, 8))
        with pytest.raises(StaleState):
            home.ingest({"Records": [*first["Records"], *blocked["Records"], *second["Records"]]})
        assert home.services.catalog.blob(digest(DOG)).references == 1
