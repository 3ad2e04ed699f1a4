"""Files made on request have a state: asked for once, failed with a reason, tried again, repaired when lost, gone with their media."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.errors import NotFound, Unavailable
from kinora.model import ExportState, Failure, JobState, MomentState, Scope
from kinora.pipeline.crop_requests import request_crops
from kinora.pipeline.export_states import fail_exports, open_exports
from kinora.pipeline.exports import request_proxy
from kinora.pipeline.moment_export import export_moment
from kinora.pipeline.moments import create_moment
from kinora.pipeline.proxy import make_proxy
from kinora.pipeline.remove import remove_media
from kinora.pipeline.sweep import sweep
from tests.house import HOUR, house
from tests.pictures import picture
from tests.unit.media import clips

SMALL = {"ladder": "64", "image_variants": "thumb=64", "stuck_seconds": "50", "max_attempts": "2"}
BOX = {"left": 0, "top": 0, "width": 9, "height": 9}


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    source = "-f lavfi -i testsrc2=s=96x54:r=5:d=2"
    clips.ffmpeg(*f"{source} -c:v libx264 -preset ultrafast -g 5".split(), str(path))
    return path.read_bytes()


@pytest.fixture
def cat(tmp_path):
    """A photo whose thumbnails are made, at a time that a test can move."""
    now = [1_800_000_000.0]
    with house(tmp_path, clock=lambda: now[0], **SMALL) as home, TestClient(create_app(home.services)) as client:
        home.ingest(home.put("cat.jpg", picture()))
        home.work()
        client.headers["X-Api-Key"] = home.api_key
        yield SimpleNamespace(home=home, client=client, now=now, hash=home.job().hash, services=home.services)


def post(cat, *boxes, **body):
    answer = cat.client.post(f"/api/media/{cat.hash}/crops", json={"boxes": boxes or [BOX], **body})
    return answer.status_code, [(one["state"], (one["error"] or {}).get("code")) for one in answer.json()["crops"]]


def listed(cat):
    found = cat.client.get(f"/api/media/{cat.hash}").json()["exports"]
    return [(one["state"], (one["error"] or {}).get("code")) for one in found]


def break_original(cat) -> bytes:
    """Let storage have other bytes than those that were taken in, so that no crop can be made."""
    with cat.services.storage.open(Scope.SOURCE, "uploads/cat.jpg") as reader:
        whole = reader.read()
    cat.services.storage.delete(Scope.SOURCE, "uploads/cat.jpg")
    return whole


def test_asking_again_sends_nothing_while_it_is_under_way(cat):
    assert post(cat) == (202, [("pending", None)])
    assert post(cat, BOX, {**BOX, "left": 3}) == (202, [("pending", None)] * 2)
    assert [len(body["boxes"]) for body in cat.home.waiting("image")] == [1, 1]
    assert listed(cat) == [("pending", None)] * 2
    cat.home.work()
    assert post(cat) == (200, [("ready", None)])
    assert listed(cat) == []


def test_what_cannot_be_made_says_why_until_it_is_asked_for_again(cat):
    whole = break_original(cat)
    post(cat)
    cat.home.work()
    assert (post(cat), listed(cat)) == ((200, [("failed", "original-gone")]), [("failed", "original-gone")])
    assert cat.home.waiting("image") == []
    assert cat.home.job().state is JobState.READY
    cat.home.ingest(cat.home.put("cat.jpg", whole))
    assert post(cat, retry=True) == (202, [("pending", None)])
    (again,) = cat.home.waiting("image")
    stale = {**again, "exports": dict.fromkeys(again["exports"], 1)}
    fail_exports(cat.services, cat.hash, stale, Failure("late", "The first attempt."))
    assert post(cat, retry=True) == (202, [("pending", None)])
    cat.home.work()
    assert post(cat, retry=True) == (200, [("ready", None)])


def test_a_task_that_is_killed_every_time_or_meets_trouble_fails_in_words(cat):
    post(cat)
    for _ in range(2):  # received, and never heard of again
        (message,) = cat.services.queues.receive("image")
        cat.services.queues.change_visibility("image", message.receipt, 0)
    cat.home.work(limit=1)
    assert listed(cat) == [("failed", "exhausted")]


def test_a_lost_task_is_sent_again_and_in_the_end_fails(cat):
    post(cat, BOX, {**BOX, "left": 3})
    for message in cat.services.queues.receive("image", 10):
        cat.services.queues.delete("image", message.receipt)
    for _ in range(3):
        cat.now[0] += 60
        assert sweep(cat.services, lambda: HOUR)["exports"] == 2
        assert sweep(cat.services, lambda: HOUR)["exports"] == 0
    assert len(cat.home.waiting("image")) == 6
    cat.now[0] += 60
    sweep(cat.services, lambda: HOUR)
    assert listed(cat) == [("failed", "stuck")] * 2
    cat.home.work(limit=1)  # it was not lost, only late
    assert listed(cat) == [("failed", "stuck")]


def test_one_that_was_made_by_who_was_killed_then_is_ready(cat):
    post(cat)
    (task,) = cat.home.waiting("image")
    cat.services.queues.send("image", [{**task, "exports": {}}])  # as a version that noted none did
    mine, other = cat.services.queues.receive("image", 2)
    cat.services.queues.delete("image", mine.receipt)
    cat.services.queues.change_visibility("image", other.receipt, 0)
    cat.home.work()
    assert post(cat) == (200, [("ready", None)])
    cat.now[0] += 60
    assert sweep(cat.services, lambda: HOUR)["exports"] == 1
    (name,) = task["exports"]
    assert cat.services.catalog.export(cat.hash, name).state is ExportState.READY
    assert cat.home.waiting("image") == []


def test_what_the_queue_does_not_take_is_not_left_pending(cat):
    class Full:
        def send(self, *_: object, **__: object) -> None:
            raise Unavailable("no queue")

    broken = replace(cat.services, queues=Full())
    with pytest.raises(Unavailable):
        request_crops(broken, cat.hash, [{**BOX, "is_fraction": False}], time=None, longest=512, image_format="webp")
    assert listed(cat) == [("failed", "unavailable")]


def test_of_two_at_once_one_sends_the_task(cat):
    class Slow:
        """The other one asks when this one has looked and not yet written."""

        def __getattr__(self, name: str):
            if name == "save_export":
                post(cat)
            return getattr(cat.services.catalog, name)

    slow = replace(cat.services, catalog=Slow())
    asked = [{**BOX, "is_fraction": False}]
    (found,) = request_crops(slow, cat.hash, asked, time=None, longest=512, image_format="webp")
    assert found.state == "pending"
    assert len(cat.home.waiting("image")) == 1


def test_removal_takes_them_along(cat):
    post(cat)
    assert remove_media(cat.services, cat.hash, originals=False)["complete"]
    assert cat.services.catalog.exports(cat.hash) == ()
    cat.home.work()
    assert (cat.home.objects(), cat.services.catalog.exports(cat.hash)) == ([], ())
    with pytest.raises(NotFound):
        open_exports(cat.services, cat.hash, "image", {"crop/x.webp": {}}, retry=False)


def test_a_proxy_that_fails_is_made_on_a_second_request(tmp_path, film):
    with house(tmp_path, **SMALL) as home, TestClient(create_app(home.services)) as client:
        home.ingest(home.put("film.mp4", film))
        home.work()
        client.headers["X-Api-Key"] = home.api_key
        address = f"/api/media/{home.job().hash}/proxy"
        segment = next(key for key in home.objects() if key.endswith("seg_0.m4s"))
        with home.services.storage.open(Scope.MEDIA, segment) as reader:
            whole = reader.read()
        home.services.storage.put(Scope.MEDIA, segment, b"\0" * 100)
        assert client.post(address).status_code == 202
        home.work()
        failed = client.post(address)
        assert (failed.status_code, failed.json()["state"], failed.json()["url"]) == (200, "failed", None)
        assert failed.json()["error"]["code"] == "corrupt-media"
        home.services.storage.put(Scope.MEDIA, segment, whole)
        assert client.post(address, json={"retry": True}).json()["state"] == "pending"
        home.work()
        assert client.post(address).json()["state"] == "ready"


def test_what_waits_for_segments_is_not_taken_for_lost(tmp_path, film):
    now = [1_800_000_000.0]
    with house(tmp_path, clock=lambda: now[0], **SMALL) as home:
        home.ingest(home.put("film.mp4", film))
        home.work("prepare")
        job = home.job()
        tasks = home.waiting("encode")
        request_proxy(home.services, job.hash, None)
        moment = create_moment(home.services, job.hash, "goal", 0.0, 2.0)
        mine = {body["task"]: body for body in home.waiting("encode") if body not in tasks}
        now[0] += 40
        make_proxy(home.services, job, mine["proxy"], lambda: HOUR)
        export_moment(home.services, job, mine["moment"], lambda: HOUR)
        now[0] += 40
        report = sweep(home.services, lambda: HOUR)
        assert (report["exports"], report["moments"]) == (0, 0)
        assert [one.state for one in home.services.catalog.exports(job.hash)] == [ExportState.PENDING]
        assert home.services.catalog.moment(job.hash, moment.id).state is MomentState.PENDING


def test_a_row_that_goes_while_the_sweep_looks_at_it_does_not_stop_the_sweep(cat):
    post(cat)
    (due,) = cat.services.catalog.exports(cat.hash)
    remove_media(cat.services, cat.hash, originals=False)

    class Late:
        """What was due a moment ago."""

        def exports_due(self, *_: object) -> list[object]:
            return [due]

        def __getattr__(self, name: str):
            return getattr(cat.services.catalog, name)

    assert sweep(replace(cat.services, catalog=Late()), lambda: HOUR)["exports"] == 0
