"""`/api/webhooks`: what is answered, what is refused, and that secrets are shown once."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.errors import InvalidSetting
from kinora.model import Delivery
from kinora.secrets.base import SecretName
from tests.house import house

URL = "https://hooks.example.com/in"


@contextmanager
def api(folder, **settings):
    with house(folder, **settings) as home, TestClient(create_app(home.services)) as client:
        home.services.secrets.ensure(SecretName.WEBHOOK_KEY)
        client.services = home.services
        client.headers = {"Authorization": f"Bearer {home.api_key}"}
        yield client


@pytest.fixture
def client(tmp_path):
    with api(tmp_path) as one:
        yield one


def test_a_webhook_is_made_and_its_secret_shown_once(client):
    made = client.post("/api/webhooks", json={"url": URL, "events": ["job.ready", "job.failed"], "description": "é"})
    assert made.status_code == 201
    body = made.json()
    secret = body.pop("secret")
    assert secret.startswith("whsec_")
    assert body["events"] == ["job.failed", "job.ready"]
    assert (body["url"], body["description"], body["enabled"], body["by_setting"]) == (URL, "é", True, False)
    assert client.get(f"/api/webhooks/{body['id']}").json() == body
    assert client.get("/api/webhooks").json() == {"webhooks": [body]}
    rotated = client.post(f"/api/webhooks/{body['id']}/rotate", json={"grace_seconds": 60})
    assert rotated.json()["secret"] not in {secret, ""}
    assert secret.removeprefix("whsec_") not in client.get(f"/api/webhooks/{body['id']}").text
    (new, old) = client.get(f"/api/webhooks/{body['id']}").json()["secrets"]
    assert new["expires_at"] is None
    assert old["expires_at"] - new["created_at"] == pytest.approx(60, abs=1)


def test_it_is_changed_and_removed(client):
    made = client.post("/api/webhooks", json={"url": URL}).json()
    path = f"/api/webhooks/{made['id']}"
    changed = client.patch(path, json={"url": URL + "/2", "events": ["job.playable"], "enabled": False}).json()
    assert (changed["url"], changed["events"], changed["enabled"]) == (URL + "/2", ["job.playable"], False)
    assert client.patch(path, json={}).json()["url"] == URL + "/2"
    assert client.delete(path).status_code == 204
    for answer in (client.get(path), client.patch(path, json={}), client.delete(path), client.post(f"{path}/rotate"),
                   client.get(f"{path}/deliveries")):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://hooks.example.com/"}, 400, "webhook-url"),
        ({"url": "http://127.0.0.1:8000/"}, 400, "webhook-url"),
        ({"url": "https://169.254.169.254/"}, 400, "webhook-url"),
        ({"url": "https://hooks.example.com:22/"}, 400, "webhook-url"),
        ({"url": URL, "events": ["job.queued"]}, 400, "webhook-events"),
        ({"url": ""}, 422, "validation-failed"),
        ({}, 422, "validation-failed"),
    ],
)
def test_what_cannot_be_used_is_refused(client, body, status, code):
    answer = client.post("/api/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/api/webhooks").json() == {"webhooks": []}


def test_there_is_a_bound(client):
    for _ in range(50):
        assert client.post("/api/webhooks", json={"url": URL}).status_code == 201
    assert client.post("/api/webhooks", json={"url": URL}).json()["code"] == "too-many-webhooks"


def test_deliveries_are_listed_and_sent_again(client):
    made = client.post("/api/webhooks", json={"url": URL}).json()
    for n in range(3):
        client.services.webhooks.add_delivery(Delivery(f"evt-{n}", made["id"], "job.ready", "{}", 100.0 + n, 100.0, 100.0))
    path = f"/api/webhooks/{made['id']}/deliveries"
    first = client.get(path, params={"limit": 2}).json()
    assert [one["id"] for one in first["deliveries"]] == ["evt-2", "evt-1"]
    assert [one["id"] for one in client.get(path, params={"cursor": first["cursor"]}).json()["deliveries"]] == ["evt-0"]
    again = client.post(f"{path}/evt-1/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert client.services.queues.depth("webhook").visible == 1
    assert client.get(f"{path}/evt-1").json()["next_attempt_at"] > 1e9
    assert client.post(f"{path}/evt-9/redeliver").status_code == 404
    client.patch(f"/api/webhooks/{made['id']}", json={"enabled": False})
    assert client.post(f"{path}/evt-1/redeliver").json()["code"] == "webhook-disabled"


def test_the_webhook_of_the_setting_is_listed_and_can_only_be_switched_and_given_a_secret(tmp_path):
    with api(tmp_path, webhook_url=URL) as client:
        (own,) = client.get("/api/webhooks").json()["webhooks"]
        assert (own["id"], own["url"], own["by_setting"]) == ("setting", URL, True)
        assert client.post("/api/webhooks/setting/rotate").json()["secret"].startswith("whsec_")
        assert client.patch("/api/webhooks/setting", json={"enabled": False}).json()["enabled"] is False
        assert client.patch("/api/webhooks/setting", json={"url": URL}).json()["code"] == "webhook-by-setting"
        assert client.delete("/api/webhooks/setting").json()["code"] == "webhook-by-setting"


def test_a_setting_that_webhooks_cannot_use_is_refused_at_the_start(tmp_path):
    for url in ("http://hooks.example.com/", "https://10.0.0.1/", "hooks.example.com"):
        with pytest.raises(InvalidSetting, match="KINORA_WEBHOOK_URL"), house(tmp_path, webhook_url=url):
            pass


def test_all_of_it_needs_the_key(client):
    client.headers = {}
    for method, path in [("GET", ""), ("POST", ""), ("GET", "/setting"), ("PATCH", "/setting"), ("DELETE", "/setting"),
                         ("POST", "/setting/rotate"), ("GET", "/setting/deliveries"), ("POST", "/setting/deliveries/e/redeliver")]:  # fmt: skip
        answer = client.request(method, f"/api/webhooks{path}", json={"url": URL} if method in {"POST", "PATCH"} else None)
        assert answer.status_code == 401, (method, path)
