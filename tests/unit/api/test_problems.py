from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient

from kinora.api.app import create_app
from tests.house import house


class BrokenCatalog:
    def check(self) -> None:
        pass

    def blobs(self, **_: object) -> None:
        raise RuntimeError("an inner detail")


def test_what_nobody_expected_is_a_problem_document_that_a_page_elsewhere_can_read(tmp_path):
    with house(tmp_path) as home:
        client = TestClient(create_app(replace(home.services, catalog=BrokenCatalog())))
        answer = client.get("/api/media", headers={"Origin": "https://elsewhere.example", "X-Api-Key": home.api_key})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["code"] == "internal"
    assert "detail" not in answer.json()["detail"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_paths_and_methods_that_do_not_exist_are_problem_documents(tmp_path):
    with house(tmp_path) as home:
        client = TestClient(create_app(home.services))
        for answer, status, code in (
            (client.get("/nowhere"), 404, "not-found"),
            (client.put("/healthz"), 405, "method-not-allowed"),
        ):
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            assert (answer.json()["status"], answer.json()["code"]) == (status, code)


def test_a_method_that_is_not_allowed_hears_of_all_that_are(tmp_path):
    with house(tmp_path) as home:
        client = TestClient(create_app(home.services))
        media = f"/api/media/{'a' * 64}"
        for method, path, allowed in (
            ("PUT", "/healthz", "GET, HEAD"),
            ("OPTIONS", "/healthz", "GET, HEAD"),
            ("DELETE", f"/stream/{'a' * 64}/master.m3u8", "GET, HEAD"),
            ("PATCH", media, "DELETE, GET"),
        ):
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
            assert answer.headers["content-type"] == "application/problem+json"
        preflight = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
        assert client.options("/healthz", headers=preflight).headers["access-control-allow-methods"]
