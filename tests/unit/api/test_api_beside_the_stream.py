"""Covers, previews, storyboards and waveforms as viewers get them."""

from __future__ import annotations

import pytest

from kinora.api.access import Access
from kinora.model import Scope
from kinora.object_keys import video_key
from tests.unit.api.test_api import HASH, code_of, kinora

VTT = b"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nsheet_0.jpg#xywh=0,0,160,90\n"
FILES = {
    "cover.jpg": "image/jpeg",
    "preview.webp": "image/webp",
    "preview.gif": "image/gif",
    "waveform.json": "application/json",
    "storyboard/sheet_0.jpg": "image/jpeg",
    "storyboard/storyboard.vtt": "text/vtt; charset=utf-8",
}


def store(client, path: str) -> None:
    client.home.services.storage.put(Scope.MEDIA, video_key(HASH, path), VTT)


@pytest.mark.parametrize(("path", "media_type"), FILES.items())
def test_every_file_is_served_with_its_type(tmp_path, path, media_type):
    with kinora(tmp_path) as client:
        assert code_of(client.get(f"/stream/{HASH}/{path}")) == "not-found"
        store(client, path)
        answer = client.get(f"/stream/{HASH}/{path}")
        assert (answer.content, answer.headers["content-type"]) == (VTT, media_type)
        assert client.head(f"/stream/{HASH}/{path}").headers["content-length"] == str(len(VTT))
        again = client.get(f"/stream/{HASH}/{path}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_a_private_storyboard_hands_its_token_on_to_its_sheets(tmp_path):
    with kinora(tmp_path, stream_access="token") as client:
        for path in FILES:
            store(client, path)
            assert code_of(client.get(f"/stream/{HASH}/{path}")) == "unauthorized"
        token = Access(client.home.services).playback_token(HASH)
        answer = client.get(f"/stream/{HASH}/storyboard/storyboard.vtt?token={token}")
        assert answer.headers["cache-control"].startswith("private")
        (sheet,) = [line for line in answer.text.splitlines() if line.startswith("sheet_")]
        address, _, fragment = sheet.partition("#")
        assert fragment == "xywh=0,0,160,90"
        assert client.get(f"/stream/{HASH}/storyboard/{address}").content == VTT
