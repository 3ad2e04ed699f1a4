"""Covers, previews, storyboards and waveforms as viewers get them."""

from __future__ import annotations

import pytest

from kinora.api.access import Access
from kinora.model import Failure, Job, JobState, Kind, Scope, Stage, StageName, StageState
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


MAKERS = {
    "cover.jpg": StageName.POSTER,
    "preview.webp": StageName.PREVIEW,
    "preview.gif": StageName.PREVIEW,
    "waveform.json": StageName.WAVEFORM,
    "storyboard/sheet_0.jpg": StageName.STORYBOARD,
    "storyboard/storyboard.vtt": StageName.STORYBOARD,
}
BROKEN = Failure("corrupt-media", "No sound can be decoded.")
OVER = Failure("exhausted", "It was tried several times.")


STATES = [
    (Stage(), JobState.QUEUED, 503, "pending"),
    (Stage(StageState.RUNNING), JobState.ENCODING, 503, "pending"),
    (Stage(StageState.FAILED, BROKEN), JobState.READY, 404, "corrupt-media"),
    (Stage(), JobState.FAILED, 404, "exhausted"),
    (Stage(StageState.SKIPPED), JobState.FAILED, 404, "not-found"),
    (Stage(StageState.READY), JobState.READY, 404, "not-found"),
    (Stage(), JobState.CANCELED, 404, "not-found"),
]


def test_a_file_that_is_not_there_says_what_becomes_of_it(tmp_path):
    with kinora(tmp_path) as client:
        for number, (stage, state, status, code) in enumerate(STATES):
            content = f"{number:064x}"
            stages = dict.fromkeys(MAKERS.values(), stage)
            error = OVER if state is JobState.FAILED else None
            client.home.services.jobs.create(Job(f"{number}", content, Kind.VIDEO, "r", 1.0, 1.0, state, stages, error=error))
            for path in MAKERS:
                answer = client.get(f"/stream/{content}/{path}")
                assert (path, answer.status_code, code_of(answer)) == (path, status, code)
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
                assert client.head(f"/stream/{content}/{path}").status_code == status
                assert stage.error is None or answer.json()["detail"] == BROKEN.message


def test_each_file_waits_for_the_stage_that_makes_it(tmp_path):
    with kinora(tmp_path) as client:
        for number, (path, maker) in enumerate(MAKERS.items()):
            content = f"{number:064x}"
            stages = dict.fromkeys(MAKERS.values(), Stage(StageState.FAILED, BROKEN)) | {maker: Stage()}
            client.home.services.jobs.create(Job(f"{number}", content, Kind.VIDEO, "r", 1.0, 1.0, JobState.PLAYABLE, stages))
            assert (path, code_of(client.get(f"/stream/{content}/{path}"))) == (path, "pending")
