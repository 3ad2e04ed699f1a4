"""No log line, `repr` or answer shows a key, a signature that still holds, a token or a session."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from kinora.api.access import Access
from kinora.api.app import create_app
from kinora.api.credentials import without_credentials
from kinora.errors import InvalidSetting, Unavailable
from kinora.local.logs import WithoutCredentials
from kinora.model import Blob, Kind, Original
from kinora.observability import logger
from kinora.playback_tokens import Limits
from kinora.secrets.base import SecretName
from tests.house import house

HASH = "ab" * 32


class Broken:
    """A storage of which nothing works."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str):
        def fail(*arguments: object, **named: object) -> None:
            raise self._error

        return fail


class Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(repr(record.__dict__) + record.getMessage())


def test_logs_and_reprs_are_silent(tmp_path):
    heard = Everything()
    log = logging.getLogger(logger.name)
    log.addHandler(heard)
    try:
        with house(tmp_path, stream_access="token") as home:
            signing_keys = home.services.secrets.get(SecretName.SIGNING_KEYS)
            access = Access(home.services)
            token = access.playback_token(HASH, limits=Limits(session="once"))
            signature = access.sign("original", "uploads/a.jpg")
            home.services.catalog.attach(
                Original("uploads/a.jpg", HASH, 1, "e", "0A", changed_at=1.0), Blob(HASH, 1, "image/png", Kind.IMAGE, 1.0)
            )
            session = "0123456789abcdef"
            answers = []
            for error in (Unavailable("the disk is away"), RuntimeError("nobody expected this")):
                broken = replace(home.services, storage=Broken(error))
                with TestClient(create_app(broken), raise_server_exceptions=False) as client:
                    key = {"Authorization": f"Bearer {home.api_key}"}
                    answers += [
                        client.get(f"/original/{signature}/uploads/a.jpg"),
                        client.get(f"/stream/{HASH}/master.m3u8?token={token}&session={session}"),
                        client.get(f"/stream/{HASH}/cover.jpg", headers={"Authorization": f"Bearer {token}"}),
                        client.post(f"/stream/{HASH}/token", json={"token": "x" + token}),
                        client.get("/api/media?cursor=x", headers=key),
                        client.put("/api/uploads/a.jpg", content=b"x", headers=key),
                    ]
            assert sum(answer.status_code >= 500 for answer in answers) >= 6
            assert len(heard.said) >= 6
            shown = [*heard.said, *(answer.text for answer in answers)]
            shown += [repr(one) for one in (access, vars(access), home.services, home.services.secrets, access.playback)]
            hidden = [
                home.api_key,
                signing_keys,
                signing_keys.split(":")[1],
                token,
                session,
                signature,
                signature.split(".")[2],
            ]
            for secret in hidden:
                assert not [line for line in shown if secret in line], secret[:6]
    finally:
        log.removeHandler(heard)


def test_a_broken_secret_is_not_quoted(tmp_path):
    with house(tmp_path) as home:
        path = tmp_path / "secrets" / "signing-keys"
        path.write_text("k1:this-is-a-secret!")
        with pytest.raises(InvalidSetting) as caught:
            Access(home.services).sign("original", "a")
        assert "this-is" not in f"{caught.value}{caught.value.public_message}{caught.value!r}"


def test_the_log_of_requests_names_addresses_without_what_opens_them(tmp_path):
    with house(tmp_path) as home:
        access = Access(home.services)
        signature, token = access.sign("thumb", "a/b.webp"), access.playback_token(HASH, limits=Limits(network="::/0"))
        address = f"/thumb/{signature}/a/b.webp?token={token}&session=abc&x=1"
        assert without_credentials(address) == "/thumb/…/a/b.webp?token=…&session=…&x=1"
        assert without_credentials("/stream/x/master.m3u8") == "/stream/x/master.m3u8"
        line = logging.LogRecord("uvicorn.access", 20, "", 1, '%s "%s %s"', ("127.0.0.1:1", "GET", address), None)
        assert WithoutCredentials().filter(line)
        assert line.getMessage() == '127.0.0.1:1 "GET /thumb/…/a/b.webp?token=…&session=…&x=1"'
