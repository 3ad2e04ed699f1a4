"""`/readyz` and `/metrics`: all dependencies at once within their time, and numbers for who has the key."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.api.readiness import Readiness
from kinora.errors import Unavailable
from kinora.model import Scope
from tests.house import house

NAMES = [*(f"storage-{scope}" for scope in Scope), "metadata-catalog", "metadata-jobs", "metadata-keys", "queues", "secrets"]


def test_every_dependency_is_asked_and_says_how_long_it_took(tmp_path):
    with house(tmp_path) as home:
        answer = TestClient(create_app(home.services)).get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert [one["name"] for one in answer.json()["checks"]] == NAMES
        assert all(one["ok"] and 0 <= one["seconds"] < 3 for one in answer.json()["checks"])
        assert answer.headers["cache-control"] == "no-store"


def test_what_is_missing_is_named_and_nothing_else_is_said(tmp_path):
    with house(tmp_path) as home:
        (tmp_path / "secrets" / "api-key").unlink()
        (tmp_path / "media").rmdir()
        answer = TestClient(create_app(home.services)).get("/readyz")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("not-ready", "1")
        assert {one["name"]: one["code"] for one in answer.json()["checks"] if not one["ok"]} == {
            "storage-media": "unavailable",
            "secrets": "unavailable",
        }
        assert str(tmp_path) not in answer.text


def test_one_that_hangs_costs_its_time_and_hides_no_other(tmp_path):
    class Hanging:
        def check(self):
            released.wait(30)

    released = threading.Event()
    with house(tmp_path, ready_seconds="1") as home:
        client = TestClient(create_app(replace(home.services, queues=Hanging())))
        begun = time.monotonic()
        answer = client.get("/readyz")
        assert time.monotonic() - begun < 3
        failed = [one for one in answer.json()["checks"] if not one["ok"]]
        assert [(one["name"], one["code"]) for one in failed] == [("queues", "timeout")]
        assert failed[0]["seconds"] >= 1
        released.set()


def test_checks_run_at_once_and_one_that_hangs_is_not_started_again():
    started = []
    released = threading.Event()

    def hang():
        started.append("hang")
        released.wait(30)

    def fail():
        started.append("fail")
        raise Unavailable("an address that nobody may see")

    readiness = Readiness({"a": hang, "b": fail, "c": lambda: time.sleep(0.05)}, 0.1)
    begun = time.monotonic()
    for _ in range(3):
        assert [(one.name, one.code) for one in readiness.ask()] == [("a", "timeout"), ("b", "unavailable"), ("c", "")]
    assert time.monotonic() - begun < 2
    assert sorted(started) == ["fail", "hang"]
    released.set()


def test_numbers_are_for_who_has_the_key_and_name_routes_not_paths(tmp_path):
    with house(tmp_path) as home:
        client = TestClient(create_app(home.services))
        assert client.get("/metrics").status_code == 401
        client.get("/stream/secret-name/master.m3u8")
        client.request("BREW", "/made/up")
        answer = client.get("/metrics", headers={"X-Api-Key": home.api_key})
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        route = 'route="/stream/{content_hash}/{path:path}"'
        assert f'kinora_http_requests_total{{method="GET",{route},status="404"}} 1' in answer.text.splitlines()
        assert f'kinora_http_request_seconds_count{{method="GET",{route}}} 1' in answer.text.splitlines()
        assert 'kinora_http_requests_total{method="other",route="none",status="404"} 1' in answer.text.splitlines()
        assert "secret-name" not in answer.text
        assert "made" not in answer.text.replace("made, pending", "").replace("to be made", "")


def test_there_are_no_numbers_where_others_show_them(tmp_path):
    with house(tmp_path) as home:
        client = TestClient(create_app(replace(home.services, metrics_reader=None, backlog=None)))
        assert client.get("/metrics", headers={"X-Api-Key": home.api_key}).status_code == 404
