"""`kinora sign` and `kinora token`: what they print works at the API."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.errors import InvalidInput, NotFound
from kinora.local.context import Context
from kinora.model import Blob, Kind, Original, Scope
from kinora.object_keys import image_key, video_key
from tests.house import House, house

HASH = "ab" * 32
KEY = "uploads/a b+é.png"


@pytest.fixture
def home(tmp_path: Path):
    with house(tmp_path, stream_access="token") as home:
        services = home.services
        services.storage.put(Scope.SOURCE, KEY, b"original")
        services.storage.put(Scope.MEDIA, image_key(HASH, "thumb", "webp"), b"thumb")
        services.storage.put(Scope.MEDIA, video_key(HASH, "cover.jpg"), b"cover")
        blob = Blob(HASH, 8, "image/png", Kind.IMAGE, 1.0)
        services.catalog.attach(Original(KEY, HASH, 8, "e", "0A", changed_at=1.0), blob)
        yield home


def run(home: House, capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> dict[str, object]:
    module = import_module(f"kinora.local.commands.{command}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    context = Context(Path(home.services.settings.data), True, None)
    assert module.run(context, parser.parse_args(arguments)) == 0
    return json.loads(capsys.readouterr().out)


def test_originals_and_thumbnails_are_signed(home, capsys):
    with TestClient(create_app(home.services)) as client:
        for route, key, content in (("original", KEY, b"original"), ("thumb", image_key(HASH, "thumb", "webp"), b"thumb")):
            printed = run(home, capsys, "sign", route, key, "--seconds", "60")
            assert client.get(printed["url"]).content == content
            assert 0 < printed["expires_at"] - home.services.clock() <= 60
            assert client.get(printed["url"].replace(".png", ".jpg").replace("thumb.webp", "x.webp")).status_code == 403


def test_pictures_on_demand_are_signed_with_their_options(home, capsys):
    printed = run(home, capsys, "sign", "img", f"{KEY}.webp", "--options", "w:320,h:200")
    assert "/w:320,h:200/uploads/a%20b%2B%C3%A9.png.webp" in printed["url"]
    signature = printed["url"].split("/")[2]
    from kinora.api.access import Access

    Access(home.services).verify(signature, "img", f"{KEY}.webp", options="w:320,h:200")


def test_what_would_not_work_is_not_signed(home, capsys):
    with pytest.raises(NotFound):
        run(home, capsys, "sign", "original", "uploads/missing.png")
    for wrong in (
        ("original", KEY, "--seconds", "0"),
        ("original", KEY, "--options", "w:1"),
        ("img", f"{KEY}.webp", "--options", "x:1"),
    ):
        with pytest.raises(InvalidInput):
            run(home, capsys, "sign", *wrong)
    with pytest.raises(NotFound):
        run(home, capsys, "token", "cd" * 32)
    for wrong in (("--network", "10/99"), ("--rendition", "../x"), ("--seconds", "-1")):
        with pytest.raises(InvalidInput):
            run(home, capsys, "token", HASH, *wrong)


def test_a_token_opens_its_medium_within_its_limits(home, capsys):
    with TestClient(create_app(home.services), client=("203.0.113.7", 1)) as client:
        printed = run(home, capsys, "token", HASH, "--network", "203.0.113.0/24")
        cover = f"/stream/{HASH}/cover.jpg"
        assert client.get(f"{cover}?token={printed['token']}").content == b"cover"
        assert printed["url"].endswith(f"/stream/{HASH}/master.m3u8?token={printed['token']}")
        limited = run(home, capsys, "token", HASH, "--rendition", "r240_h264", "--single-session")
        assert client.get(f"{cover}?token={limited['token']}").status_code == 403
