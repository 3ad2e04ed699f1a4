"""The way of one upload through the doors alone, with real media: what S3, SQS and API Gateway would do is done by hand."""

from __future__ import annotations

import base64
import json
import time
from itertools import count
from pathlib import Path

import pytest

from kinora.bootstrap import build
from kinora.events import ObjectEvent, s3_event, sqs_event
from kinora.model import JobState, Scope
from kinora.secrets.base import SecretName
from kinora.settings import Settings
from tests.functions.conftest import ON_THIS_MACHINE
from tests.functions.targets import ROOT, local_environment
from tests.template.stack import properties, text

MEDIA = ROOT / "tests" / "media"
ARN = "arn:aws:sqs:eu-central-1:123456789012:queue"


@pytest.fixture
def services(data):
    """This test's own view of the data folder, beside the functions'."""
    made = build(Settings.from_env(local_environment(data)))
    yield made
    made.close()


def workers() -> dict[str, str]:
    """Queue → the function that the template has it trigger."""
    return {
        text(event["Properties"]["Queue"]).removesuffix("Queue.Arn").lower(): name
        for name in ("Image", "Video")
        for event in properties(f"{name}Function")["Events"].values()
    }


def upload(functions, services, original: Path) -> str:
    key = f"uploads/{original.name}"
    info = services.storage.put(Scope.SOURCE, key, original.read_bytes())
    created = ObjectEvent(True, "ObjectCreated:Put", "source", key, info.size, info.etag, "0A", None, time.time())
    assert functions.invoke("Ingest", s3_event(created)) == {"outcomes": ["started"]}
    (job,) = services.jobs.list().items
    return job.id


def work_off(functions, services) -> None:
    for _ in count():
        taken = [(queue, door, message) for queue, door in workers().items() for message in services.queues.receive(queue)]
        if not taken:
            return
        for queue, door, message in taken:
            assert functions.invoke(door, sqs_event([message], ARN)) == {"batchItemFailures": []}
            services.queues.delete(queue, message.receipt)


def get(functions, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    event = json.loads((ROOT / "events" / "http-healthz.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["headers"] |= headers
    answer = functions.invoke("Api", event)
    body = answer.get("body", "")
    return answer["statusCode"], answer["headers"], base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


@pytest.mark.parametrize("functions", ON_THIS_MACHINE, indirect=True)
def test_a_photo_becomes_thumbnails(functions, services):
    job = services.jobs.get(upload(functions, services, MEDIA / "china.jpg"))
    work_off(functions, services)
    job = services.jobs.get(job.id)
    assert (job.state, job.error) == (JobState.READY, None)
    names = {one.name for one in services.catalog.derivatives(job.hash)}
    assert {"image/thumb.webp", "image/medium.webp", "image/large.webp"} <= names
    key = services.secrets.get(SecretName.API_KEY)
    assert get(functions, f"/api/media/{job.hash}")[0] == 401
    status, _, body = get(functions, f"/api/media/{job.hash}", authorization=f"Bearer {key}")
    assert status == 200
    assert json.loads(body)["hash"] == job.hash


@pytest.mark.parametrize("functions", ON_THIS_MACHINE, indirect=True)
def test_a_clip_becomes_a_stream(functions, services):
    job = services.jobs.get(upload(functions, services, MEDIA / "bigbuckbunny.mp4"))
    work_off(functions, services)
    job = services.jobs.get(job.id)
    assert (job.state, job.error) == (JobState.READY, None)
    status, headers, playlist = get(functions, f"/stream/{job.hash}/master.m3u8")
    assert (status, headers["content-type"]) == (200, "application/vnd.apple.mpegurl")
    media = next(line for line in playlist.decode().splitlines() if line and not line.startswith("#"))
    status, _, init = get(functions, f"/stream/{job.hash}/{media.rsplit('/', 1)[0]}/init.mp4")
    assert (status, init[4:8]) == (200, b"ftyp")


@pytest.mark.parametrize("functions", ON_THIS_MACHINE, indirect=True)
def test_text_named_mp4_fails_its_job_and_not_the_function(functions, services, tmp_path):
    impostor = tmp_path / "film.mp4"
    impostor.write_text("not a film\n" * 40)
    key = f"uploads/{impostor.name}"
    info = services.storage.put(Scope.SOURCE, key, impostor.read_bytes())
    created = ObjectEvent(True, "ObjectCreated:Put", "source", key, info.size, info.etag, "0A", None, time.time())
    assert functions.invoke("Ingest", s3_event(created)) == {"outcomes": ["refused"]}
    (job,) = services.jobs.list().items
    assert (job.state, job.error.code) == (JobState.FAILED, "unsupported-media")
