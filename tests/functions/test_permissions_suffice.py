"""Every call that the doors make to AWS is allowed by the template, and what the template allows is called."""

from __future__ import annotations

import base64
import json
import time
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from kinora.events import ObjectEvent, s3_event
from tests.functions.account import QUEUES, Account, Need, account
from tests.functions.targets import ROOT
from tests.template.stack import FUNCTIONS, properties, statements, text

SOURCE, MEDIA = (text(properties(name)["BucketName"]) for name in ("SourceBucket", "MediaBucket"))
WORKERS = {"ImageQueue": "Image", "PrepareQueue": "Video", "EncodeQueue": "Video", "WebhookQueue": "Notify"}
BY_LAMBDA_ITSELF = {"TakeUpFailures", "Log", "ReceiveTasks", "ReadOutbox", "FindOutbox", "SetAsideFailures"}
# What is allowed and not called here: what follows an unclear answer to an upload, taking back what was made
# for a medium that was removed meanwhile, what an upload needs that shall be encrypted,
# and deleting the segment rows of a video, which the API does here.
IDLE = {
    ("Image", "WriteImages"): {"s3:AbortMultipartUpload", "s3:DeleteObject"},
    ("Video", "WriteVideos"): {"s3:AbortMultipartUpload", "s3:DeleteObject"},
    ("Ingest", "AskForEncryption"): {"dynamodb:Query", "dynamodb:ConditionCheckItem"},
    ("Ingest", "SendEncryption"): {"sqs:SendMessage"},
    ("Sweep", "ChangeJobs"): {"dynamodb:BatchWriteItem"},
    ("Api", "ReadSigningKeysParameter"): {"ssm:GetParameter"},
}


SUBTITLES = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("permissions")]


class Way:
    """Plays S3, SQS, API Gateway and the jobs table's stream between the doors."""

    def __init__(self, aws: Account) -> None:
        self.aws = aws
        self.sequence = 0

    def s3(self, name: str, original: str) -> Any:
        self.sequence += 1
        created = name.startswith("ObjectCreated")
        event = ObjectEvent(
            created, name, SOURCE, f"uploads/{original}", None, None, f"{self.sequence:016X}", None, time.time()
        )
        return self.aws.invoke("Ingest", s3_event(event))["outcomes"]

    def upload(self, original: str, data: bytes) -> Any:
        boto3.client("s3").put_object(Bucket=SOURCE, Key=f"uploads/{original}", Body=data)
        return self.s3("ObjectCreated:Put", original)

    def delete(self, original: str) -> None:
        boto3.client("s3").delete_object(Bucket=SOURCE, Key=f"uploads/{original}")

    def work(self) -> None:
        client = boto3.client("sqs")
        while messages := [(name, one) for name in QUEUES for one in self._receive(client, name)]:
            for name, message in messages:
                record = {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{name}",
                }
                assert self.aws.invoke(WORKERS[name], {"Records": [record]}) == {"batchItemFailures": []}

    def http(self, method: str, path: str, body: Any = None) -> Any:
        event = json.loads((ROOT / "events" / "http-healthz.json").read_text())
        event["rawPath"], _, event["rawQueryString"] = path.partition("?")
        event["requestContext"]["http"] |= {"method": method, "path": event["rawPath"]}
        event["headers"] |= {"authorization": f"Bearer {'a' * 43}"}
        if body is not None and not isinstance(body, bytes):
            event["headers"]["content-type"] = "text/vtt" if isinstance(body, str) else "application/json"
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        if isinstance(body, bytes):
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        answer = self.aws.invoke("Api", event)
        assert answer["statusCode"] < 400, answer
        text_body = answer.get("body") or ""
        answer["content"] = base64.b64decode(text_body) if answer["isBase64Encoded"] else text_body.encode()
        return answer

    def json(self, method: str, path: str) -> Any:
        return json.loads(self.http(method, path)["content"])

    def lose_messages(self) -> None:
        client = boto3.client("sqs")
        assert all(self._receive(client, name) for name in ("ImageQueue", "PrepareQueue"))

    def _receive(self, client: Any, name: str) -> list[Any]:
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for one in found:
            client.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found


def live(way: Way) -> None:
    """Photos and clips come, get lost, are shown, fail, are tried again, and go."""
    photo, clip = ((ROOT / "tests" / "media" / name).read_bytes() for name in ("china.jpg", "bigbuckbunny.mp4"))
    for name, data in {"lost.jpg": photo + b"1", "unwanted.jpg": photo + b"2", "lost.mp4": clip + bytes(8)}.items():
        assert way.upload(name, data) == ["started"]
    way.lose_messages()
    originals = {"a.jpg": photo, "a.mp4": clip, "broken.jpg": photo[:3000], "broken.mp4": clip[:3000], "gone.jpg": photo + b"3"}
    for name, data in originals.items():
        assert way.upload(name, data) == ["started"]
    assert way.upload("notes.txt", b"only words\n") == ["refused"]
    assert way.upload("a.en.srt", SUBTITLES) == ["subtitles"]
    way.delete("gone.jpg")
    way.work()
    jobs = {one["original"].removeprefix("uploads/"): one for one in way.json("GET", "/api/jobs?limit=100")["jobs"]}
    codes = {name: (one["error"] or {"code": one["state"]})["code"] for name, one in jobs.items()}
    assert codes == {
        **dict.fromkeys(["a.jpg", "a.mp4"], "ready"),
        **dict.fromkeys(["lost.jpg", "lost.mp4", "unwanted.jpg"], "queued"),
        **dict.fromkeys(["broken.jpg", "broken.mp4"], "corrupt-media"),
        "gone.jpg": "original-gone",
        "notes.txt": "unsupported-media",
    }
    assert way.upload("gone.jpg", originals["gone.jpg"]) == ["known"]
    show(way, jobs["a.mp4"]["hash"])
    for original in ("a.jpg", "a.mp4"):
        address = f"/img/public/preset:card/uploads/{original}.webp"
        assert way.http("GET", address)["statusCode"] in {302, 307}, "made for who asks"
    encrypt(way, jobs["a.mp4"]["hash"])
    for name in ("broken.jpg", "broken.mp4"):
        way.http("POST", f"/api/jobs/{jobs[name]['id']}/retry")
    way.work()
    tell(way)
    way.http("POST", "/api/uploads", {"key": "new.jpg"})
    upload_in_parts(way)
    way.http("PUT", "/api/avatars/somebody", photo)
    assert way.http("GET", "/api/avatars/somebody")["statusCode"] == 302
    leave(way, {name: one["hash"] for name, one in jobs.items()})


def upload_in_parts(way: Way) -> None:
    """Once to the end and once not, by addresses and routes as browsers use them."""
    for name in ("parts.bin", "aborted.bin"):
        started = json.loads(way.http("POST", "/api/uploads/s3/multipart", {"key": name})["content"])
        path = f"/api/uploads/s3/multipart/{started['uploadId']}"
        assert "partNumber=1" in way.json("GET", f"{path}/1?key=uploads/{name}")["url"]
        boto3.client("s3").upload_part(Bucket=SOURCE, Key=started["key"], UploadId=started["uploadId"], PartNumber=1, Body=b"1")
        parts = way.json("GET", f"{path}?key=uploads/{name}")
        if name == "parts.bin":
            done = way.http("POST", f"{path}/complete?key=uploads/{name}", {"parts": parts})
            assert json.loads(done["content"])["size"] == 1
        else:
            way.http("DELETE", f"{path}?key=uploads/{name}")
    assert way.s3("ObjectCreated:CompleteMultipartUpload", "parts.bin") == ["refused"]
    assert way.json("GET", "/api/uploads/s3/params?filename=a.jpg")["fields"]["policy"]


def tell(way: Way) -> None:
    """Events to a webhook that nobody answers, which is then sent to once more and removed."""
    made = json.loads(way.http("POST", "/api/webhooks", {"url": "https://hooks.invalid/"})["content"])
    way.aws.invoke("Notify", json.loads((ROOT / "events" / "jobs-stream.json").read_text()))
    way.work()
    path = f"/api/webhooks/{made['id']}"
    (first, *_) = way.json("GET", f"{path}/deliveries")["deliveries"]
    assert (first["state"], first["attempts"], first["history"][0]["status"]) == ("pending", 1, None)
    way.http("POST", f"{path}/deliveries/{first['id']}/redeliver")
    way.http("POST", f"{path}/rotate")
    way.http("DELETE", path)


def leave(way: Way, hashes: dict[str, str]) -> None:
    way.aws.add_content_keys(hashes["a.jpg"])
    for name in ("a.mp4", "broken.mp4", "lost.mp4"):
        assert way.json("DELETE", f"/api/media/{hashes[name]}?originals=true")["complete"]
    for name in ("a.jpg", "unwanted.jpg"):
        way.delete(name)
        assert way.s3("ObjectRemoved:Delete", name) == ["detached"]
    assert way.aws.invoke("Sweep", {}).items() >= {"collected": 2, "repaired": 1, "moments": 0, "exports": 0}.items()


def show(way: Way, content_hash: str) -> None:
    way.http("GET", "/readyz")
    way.http("GET", "/api/media")
    shown = way.json("GET", f"/api/media/{content_hash}")
    assert way.http("GET", urlsplit(shown["originals"][0]["url"]).path)["statusCode"] in {302, 307}
    way.http("POST", f"/api/media/{content_hash}/proxy")
    way.http("PUT", f"/api/media/{content_hash}/subtitles/de", SUBTITLES.decode())
    moment = {"name": "start", "start": 0, "end": 1}
    way.http("POST", f"/api/media/{content_hash}/moments", moment)
    way.work()
    watch(way, content_hash)


def encrypt(way: Way, content_hash: str) -> None:
    way.json("PUT", f"/api/media/{content_hash}/encryption")
    way.work()
    token = way.json("POST", f"/api/media/{content_hash}/tokens")["token"]
    watch(way, content_hash, f"?token={token}")
    (revision,) = way.json("GET", f"/api/media/{content_hash}/encryption")["revisions"]
    assert len(way.http("GET", f"/keys/{revision['key_id']}?token={token}")["content"]) == 16


def watch(way: Way, content_hash: str, query: str = "") -> None:
    playlist = way.http("GET", f"/stream/{content_hash}/master.m3u8{query}")["content"].decode()
    media = next(line for line in playlist.splitlines() if line and not line.startswith("#"))
    segment = f"{media.partition('?')[0].rsplit('/', 1)[0]}/seg_0.m4s"
    assert way.http("GET", f"/stream/{content_hash}/{segment}{query}")["statusCode"] in {302, 307}
    boto3.client("s3").delete_object(Bucket=MEDIA, Key=f"videos/{content_hash[:2]}/{content_hash}/{segment}")
    assert way.http("GET", f"/stream/{content_hash}/{segment}{query}")["statusCode"] in {302, 307}, "made for who asks"


@pytest.fixture(scope="module")
def needs():
    with pytest.MonkeyPatch.context() as monkeypatch, account(monkeypatch) as aws:
        aws.functions.environments["Api"]["KINORA_IMAGE_PRESETS"] = "public:card=w:40,h:30,fit:cover"
        aws.functions.environments["Sweep"] |= {"KINORA_GRACE_SECONDS": "0", "KINORA_STUCK_SECONDS": "1"}
        live(Way(aws))
        yield aws.needs


def allows(statement: dict[str, Any], need: Need) -> bool:
    if need.action not in statement["Action"]:
        return False
    pattern_matches = any(fnmatchcase(need.resource, text_of(one)) for one in statement["Resource"])
    wanted = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
    return pattern_matches and any(fnmatchcase(need.leading_key, one) for one in wanted)


def text_of(resource: str) -> str:
    """`CatalogTable.Arn/index/*` as the recorded needs spell it."""
    return f"arn:{resource.replace('.Arn/', '/')}" if ".Arn/index" in resource else resource


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_is_allowed(needs, function):
    assert needs[function]
    refused = [need for need in needs[function] if not any(allows(one, need) for one in statements(function))]
    assert refused == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_permission_is_used(needs, function):
    idle = {}
    for one in statements(function):
        unused = [
            action for action in one["Action"] if not any(allows(one | {"Action": [action]}, need) for need in needs[function])
        ]
        if unused and one["Sid"] not in BY_LAMBDA_ITSELF:
            idle[function, one["Sid"]] = set(unused)
    assert idle == {place: actions for place, actions in IDLE.items() if place[0] == function}
