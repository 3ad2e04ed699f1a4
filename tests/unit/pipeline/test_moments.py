"""Moments: exported exactly, versioned, served from the old version until the new one is complete, swept after that."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.model import Failure, JobState, MomentState, Scope
from kinora.object_keys import video_key
from kinora.pipeline.exports import request_proxy
from kinora.pipeline.moments import create_moment, edit_moment, fail_export, remove_moment, send_export
from kinora.pipeline.plans import load_plan
from kinora.pipeline.sweep import sweep
from tests.house import HOUR, house
from tests.unit.media import clips

SMALL = {"ladder": "64", "image_variants": "thumb=64", "grace_seconds": "100", "stuck_seconds": "50"}
RATE, SAMPLES = 15, 48_000


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, bytes]:
    """The same pictures as H.264 that is copied and as MPEG-4 that is not."""
    made = {}
    for name, codec in (("copied", "libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p"), ("encoded", "mpeg4 -q:v 2 -bf 2")):
        path = tmp_path_factory.mktemp("film") / f"{name}.mp4"
        source = f"-f lavfi -i testsrc2=s=96x54:r={RATE}:d=13 -f lavfi -i aevalsrc=sin(300*t*t):s={SAMPLES}:d=13"
        clips.ffmpeg(*f"{source} -c:v {codec} -g 30 -c:a aac".split(), str(path))
        made[name] = path.read_bytes()
    return made


def pictures(path: Path) -> list[bytes]:
    target = path.with_suffix(".gray")
    clips.ffmpeg(
        "-y",
        "-xerror",
        "-err_detect",
        "explode",
        "-i",
        str(path),
        "-vf",
        "scale=48:27",
        "-fps_mode",
        "passthrough",
        "-pix_fmt",
        "gray",
        "-f",
        "rawvideo",
        str(target),
    )
    data = target.read_bytes()
    return [data[at : at + 48 * 27] for at in range(0, len(data), 48 * 27)]


def sound(path: Path) -> bytes:
    target = path.with_suffix(".raw")
    clips.ffmpeg("-y", "-i", str(path), "-f", "s16le", "-ac", "1", str(target))
    return target.read_bytes()


def samples(data: bytes) -> array[int]:
    return array("h", data)


def difference(one: bytes, other: bytes) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def fetch(home, key: str, target: Path) -> Path:
    with home.services.storage.open(Scope.MEDIA, key) as reader:
        target.write_bytes(reader.read())
    return target


def exports(home) -> list[str]:
    return [one.rsplit("/", 1)[1] for one in home.objects() if "/moments/" in one]


@pytest.fixture(scope="module", params=["copied", "encoded"])
def ready(tmp_path_factory, films, request):
    now = itertools.count(1_000_000)
    with house(tmp_path_factory.mktemp("ready"), clock=lambda: float(next(now)), **SMALL) as home:
        home.ingest(home.put("film.mp4", films[request.param]))
        home.work()
        assert home.job().state is JobState.READY
        home.hash = home.job().hash
        assert [one.copied for one in load_plan(home.services, home.hash).renditions] == [request.param == "copied"]
        request_proxy(home.services, home.hash, None)
        home.work("encode")
        yield home


@pytest.fixture
def home(ready):
    """A house in which the film is encoded, without moments."""
    services = ready.services
    yield ready
    ready.services = services
    for queued in services.queues.receive("encode", 10):
        services.queues.delete("encode", queued.receipt)
    for moment in services.catalog.moments(ready.hash):
        services.catalog.drop_moment(moment)
    services.storage.delete_prefix(Scope.MEDIA, video_key(ready.hash, "moments/"))


def current(home, moment):
    return home.services.catalog.moment(home.hash, moment.id)


def pass_time(home, seconds: float) -> None:
    before = home.services.clock
    home.services = replace(home.services, clock=lambda: before() + seconds)


@pytest.mark.parametrize(("start", "end"), [(1.2, 9.4), (0.0, 13.0), (2.05, 2.3), (4.0, 8.0), (11.0, 12.99)])
def test_an_export_is_exactly_its_range(home, tmp_path, start, end):
    moment = create_moment(home.services, home.hash, "goal", start, end)
    home.work("encode")
    moment = current(home, moment)
    assert (moment.state, moment.served) == (MomentState.READY, 1)
    whole = fetch(home, next(one for one in home.objects() if "/proxy/" in one), tmp_path / "whole.mp4")
    cut = fetch(home, moment.key, tmp_path / "cut.mp4")
    shown, source = pictures(cut), pictures(whole)
    first, stop = int(start * RATE), -int(-end * RATE // 1)
    assert abs(len(shown) - (stop - first)) <= (1 if start % (1 / RATE) else 0)
    for n in range(len(shown)):
        around = range(max(first + n - 2, 0), min(first + n + 3, len(source)))
        assert min(around, key=lambda k: difference(shown[n], source[k])) == first + n
    heard, wanted = sound(cut), sound(whole)[2 * round(start * SAMPLES) :]
    assert abs(len(heard) // 2 - (min(end, 13.0) - start) * SAMPLES) < 2048 + SAMPLES / RATE
    if start * RATE == int(start * RATE):
        pairs = zip(samples(heard[:20_000]), samples(wanted[:20_000]), strict=False)
        assert max(abs(one - other) for one, other in pairs) <= 4  # of 32,768: the decoder fills bands with noise of its own


def test_the_old_version_is_served_until_the_new_one_is_complete(home):
    with TestClient(create_app(home.services)) as client:
        client.headers["X-Api-Key"] = home.api_key
        address = f"/api/media/{home.hash}/moments"
        answer = client.post(address, json={"name": "goal", "start": 1, "end": 3})
        assert (answer.status_code, answer.json()["state"], answer.json()["url"]) == (202, "pending", None)
        own = f"{address}/{answer.json()['id']}"
        home.work("encode")
        first = client.get(own).json()
        assert (first["state"], first["version"], first["served"]) == ("ready", 1, 1)
        assert client.get(first["url"]).headers["content-type"] == "video/mp4"
        renamed = client.patch(own, json={"name": "penalty"}).json()
        assert (renamed["name"], renamed["version"], renamed["state"]) == ("penalty", 1, "ready")
        edited = client.patch(own, json={"end": 4.5}).json()
        assert (edited["version"], edited["state"], edited["url"]) == (2, "pending", first["url"])
        home.work("encode")
        second = client.get(own).json()
        assert (second["state"], second["served"]) == ("ready", 2)
        assert client.get(second["url"]).content != client.get(first["url"]).content
        assert [one["id"] for one in client.get(address).json()["moments"]] == [second["id"]]
        assert client.delete(own).status_code == 204
        assert [client.get(own).status_code, client.delete(own).status_code, client.patch(own, json={}).status_code] == [
            404
        ] * 3
        assert client.get(second["url"]).status_code == 404
        assert client.get(address).json() == {"moments": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a", "start": 2, "end": 2}, 400),
        ({"name": "a", "start": 3, "end": 2}, 400),
        ({"name": "a", "start": 0, "end": 14}, 400),
        ({"name": "a", "start": -1, "end": 2}, 422),
        ({"name": "", "start": 1, "end": 2}, 422),
        ({"name": "a" * 201, "start": 1, "end": 2}, 422),
        ({"name": "a", "start": 1}, 422),
    ],
)
def test_a_wrong_range_or_name_is_refused(home, body, status):
    with TestClient(create_app(home.services)) as client:
        answer = client.post(f"/api/media/{home.hash}/moments", json=body, headers={"X-Api-Key": home.api_key})
        assert answer.status_code == status
        assert home.waiting("encode") == []


def test_stale_versions_are_swept_after_grace(home):
    moment = create_moment(home.services, home.hash, "goal", 1, 3)
    home.work("encode")
    edit_moment(home.services, home.hash, moment.id, None, 2, None)
    home.work("encode")
    sweep(home.services, lambda: HOUR)
    assert exports(home) == ["v1.mp4", "v2.mp4"]
    pass_time(home, 200)
    sweep(home.services, lambda: HOUR)
    assert exports(home) == ["v2.mp4"]
    assert current(home, moment).due_at is None


def test_an_overtaken_or_repeated_export_does_not_flip(home):
    moment = create_moment(home.services, home.hash, "goal", 1, 3)
    edited = edit_moment(home.services, home.hash, moment.id, None, 2, None)
    send_export(home.services, home.job(), edited)
    assert home.work("encode") == 3
    assert exports(home) == ["v2.mp4"]
    assert current(home, moment).served == 2
    remove_moment(home.services, home.hash, moment.id)
    assert exports(home) == []
    send_export(home.services, home.job(), edited)
    home.work("encode")
    assert exports(home) == []
    pass_time(home, 200)
    sweep(home.services, lambda: HOUR)
    assert current(home, moment) is None


def test_a_lost_export_is_sent_again_and_in_the_end_fails(home):
    moment = create_moment(home.services, home.hash, "goal", 1, 3)
    for queued in home.services.queues.receive("encode", 10):
        home.services.queues.delete("encode", queued.receipt)
    for _ in range(3):
        pass_time(home, 60)
        assert sweep(home.services, lambda: HOUR)["moments"] == 1
    assert len(home.waiting("encode")) == 3
    pass_time(home, 60)
    sweep(home.services, lambda: HOUR)
    assert current(home, moment).error.code == "stuck"
    again = edit_moment(home.services, home.hash, moment.id, None, 1, 3)
    assert (again.version, again.state) == (2, MomentState.PENDING)
    home.work("encode")
    assert current(home, moment).served == 2


def test_a_failed_version_leaves_the_served_one(home):
    moment = create_moment(home.services, home.hash, "goal", 1, 3)
    home.work("encode")
    edited = edit_moment(home.services, home.hash, moment.id, None, 2, None)
    task = {"task": "moment", "moment": moment.id, "version": edited.version}
    fail_export(home.services, home.job(), task | {"version": 1}, Failure("x", "y"))
    assert current(home, moment).state is MomentState.PENDING
    fail_export(home.services, home.job(), task, Failure("x", "y"))
    assert (current(home, moment).state, current(home, moment).served) == (MomentState.FAILED, 1)
    assert home.job().state is JobState.READY
