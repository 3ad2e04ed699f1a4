"""Events on their way to webhooks: a real receiver, real queues and rows, a clock that the test holds."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import itertools
import json
from contextlib import contextmanager

import pytest

from kinora.errors import InvalidEvent, InvalidInput, NotFound, Unavailable
from kinora.events import stream_event
from kinora.model import DeliveryState, Event, Failure, JobState
from kinora.pipeline.notify import notify
from kinora.pipeline.webhook_deliveries import GIVE_UP_SECONDS, LATER_WAIT, WAITS, deliver, redeliver, waiting
from kinora.pipeline.webhooks import (
    all_webhooks,
    create_webhook,
    edit_webhook,
    find_webhook,
    remove_webhook,
    rotate_secret,
)
from kinora.queues.sqlite import SqliteQueues
from kinora.secrets.base import SecretName
from tests.house import house, sqs_record
from tests.unit.webhooks.receiver import receiver

ARN = "arn:aws:dynamodb:local:000000000000:table/jobs/stream/local"
START = 1_700_000_000.0


class Post:
    """A Kinora whose time goes by only when the test lets it; `walk` is what Lambda does with the queue."""

    def __init__(self, home, hook, clock):
        self.hook, self.clock = hook, clock
        queues = SqliteQueues(home.database, home.services.settings, clock=lambda: clock[0])
        self.services = dataclasses.replace(home.services, clock=lambda: clock[0], queues=queues)
        self.services.secrets.ensure(SecretName.WEBHOOK_KEY)
        self.queues = queues

    def tell(self, identity="evt-1", kind="job.ready", **data):
        event = Event(identity, kind, START, {"job": "j1", "state": kind.removeprefix("job."), **data})
        return notify(self.services, stream_event([(1, "j1", event)], ARN))

    def step(self, jitter=lambda: 0.5):
        """Perform the visible messages once; a failure leaves its message in the queue."""
        done = 0
        for message in self.queues.receive("webhook", 10):
            deliver(self.services, json.loads(message.body), jitter)
            self.queues.delete("webhook", message.receipt)
            done += 1
        return done

    def walk(self, until):
        """Let time go by in steps of the queue until `until` seconds after the start."""
        while self.clock[0] < START + until:
            if not self.step():
                self.clock[0] += 5
        self.step()

    def delivery(self, webhook=None, identity="evt-1"):
        return self.services.webhooks.delivery(webhook or all_webhooks(self.services)[0].id, identity)


@contextmanager
def post(folder, **settings):
    with receiver() as hook, house(folder, webhook_loopback="true", **settings) as home:
        home.database = folder / "kinora.db"
        one = Post(home, hook, [START])
        yield one
        one.queues.close()


@pytest.fixture
def ready(tmp_path):
    with post(tmp_path) as one:
        one.webhook, one.secret = create_webhook(one.services, one.hook.url, [], "")
        yield one


def verified(secret, headers, body):
    """Verification as a receiver writes it, from the specification alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


def test_an_event_is_delivered_and_can_be_verified(ready):
    assert ready.tell(original="uploads/é.mov") == {"batchItemFailures": []}
    ready.step()
    ((path, headers, body),) = ready.hook.received
    assert path == "/hook?a=b"
    assert verified(ready.secret, headers, body)
    assert not verified(ready.secret, headers, body + b" ")
    assert headers["webhook-id"] == "evt-1"
    assert headers["webhook-timestamp"] == str(int(START))
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "type": "job.ready",
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "data": {"job": "j1", "state": "ready", "original": "uploads/é.mov"},
    }
    delivery = ready.delivery()
    assert (delivery.state, delivery.attempts, delivery.history[0].status) == (DeliveryState.DELIVERED, 1, 204)


def test_the_door_takes_the_queue_too_and_keeps_the_failed_ones(ready):
    ready.tell()
    (message,) = ready.queues.receive("webhook")
    assert notify(ready.services, sqs_record(message, 1)) == {"batchItemFailures": []}
    assert ready.hook.ids == ["evt-1"]
    wrong = dataclasses.replace(message, body='{"task":"webhook"}')
    assert notify(ready.services, sqs_record(wrong, 1)) == {"batchItemFailures": [{"itemIdentifier": message.id}]}


def test_webhooks_hear_of_what_they_asked_for(ready):
    create_webhook(ready.services, ready.hook.url + "&only=failed", ["job.failed"], "")
    other, _ = create_webhook(ready.services, ready.hook.url + "&off", [], "")
    edit_webhook(ready.services, other.id, enabled=False)
    ready.tell("evt-1")
    ready.tell("evt-2", "job.failed", error={"code": "corrupt-media", "message": "…"})
    ready.step()
    assert sorted((path, headers["webhook-id"]) for path, headers, _ in ready.hook.received) == [
        ("/hook?a=b", "evt-1"),
        ("/hook?a=b", "evt-2"),
        ("/hook?a=b&only=failed", "evt-2"),
    ]


def test_an_event_that_is_announced_again_is_delivered_once(ready):
    for _ in range(3):
        ready.tell()
    ready.walk(600)
    ready.tell()
    ready.walk(1200)
    assert ready.hook.ids == ["evt-1"]
    assert ready.queues.depth("webhook").delayed == 0


def test_failures_are_tried_again_with_growing_waits_under_the_same_id_and_new_timestamps(ready):
    ready.hook.answers = [500, 404, 302, 429, "cut"]
    ready.tell()
    ready.walk(3 * 3600)
    assert ready.hook.ids == ["evt-1"] * 6
    times = [int(headers["webhook-timestamp"]) - START for _, headers, _ in ready.hook.received]
    waits = [b - a for a, b in itertools.pairwise(times)]
    assert all(planned <= wait <= planned + 10 for planned, wait in zip(WAITS[:5], waits, strict=True)), waits
    assert all(verified(ready.secret, headers, body) for _, headers, body in ready.hook.received)
    assert len({body for _, _, body in ready.hook.received}) == 1
    delivery = ready.delivery()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 6)
    assert [one.status for one in delivery.history] == [500, 404, 302, 429, None, 204]


def test_after_a_day_it_is_given_up_and_can_be_seen(ready):
    ready.hook.answers = [503] * 100
    ready.tell()
    ready.walk(2 * 86_400)
    delivery = ready.delivery()
    assert (delivery.state, delivery.error) == (DeliveryState.FAILED, "It was tried for a day in vain.")
    assert 15 <= delivery.attempts == len(ready.hook.received) <= 20
    last = int(ready.hook.received[-1][1]["webhook-timestamp"])
    assert GIVE_UP_SECONDS - LATER_WAIT - 10 < last - START <= GIVE_UP_SECONDS
    assert ready.queues.depth("webhook") == type(ready.queues.depth("webhook"))(0, 0, 0)
    assert find_webhook(ready.services, ready.webhook.id).enabled


def test_waits_vary_by_a_fifth():
    assert [waiting(0, lambda: 0.0), waiting(0, lambda: 1.0)] == pytest.approx([4.0, 6.0])
    assert [waiting(50, lambda: 0.0), waiting(50, lambda: 1.0)] == pytest.approx([LATER_WAIT * 0.8, LATER_WAIT * 1.2])


def test_410_disables_the_webhook_and_ends_what_waits(ready):
    ready.hook.answers = [500, 410]
    ready.tell("evt-1")
    ready.step()
    ready.tell("evt-2")
    ready.walk(60)
    webhook = find_webhook(ready.services, ready.webhook.id)
    assert (webhook.enabled, webhook.error) == (False, Failure("gone", "The endpoint answered 410 Gone."))
    assert ready.delivery(identity="evt-2").state is DeliveryState.FAILED
    assert ready.delivery(identity="evt-1").error == "The webhook is disabled."
    ready.tell("evt-3")
    assert ready.delivery(identity="evt-3") is None
    assert len(ready.hook.received) == 2
    with pytest.raises(InvalidInput):
        redeliver(ready.services, webhook.id, "evt-1")
    assert edit_webhook(ready.services, webhook.id, enabled=True).error is None
    redeliver(ready.services, webhook.id, "evt-1")
    ready.step()
    assert ready.delivery(identity="evt-1").state is DeliveryState.DELIVERED


class Killed(BaseException):
    pass


def test_killed_between_sending_and_recording_it_is_sent_again_under_the_same_id(ready):
    class DiesAfterwards:
        def post(self, *arguments):
            ready_sender.post(*arguments)
            raise Killed

    ready_sender, alive = ready.services.webhook_sender, ready.services
    ready.tell()
    ready.services = dataclasses.replace(alive, webhook_sender=DiesAfterwards())
    with pytest.raises(Killed):
        ready.step()
    ready.services = alive
    ready.clock[0] += 30  # the default visibility timeout of a queue that nobody declared
    ready.walk(600)
    assert ready.hook.ids == ["evt-1", "evt-1"]
    assert ready.delivery().state is DeliveryState.DELIVERED
    assert ready.queues.depth("webhook").delayed == 0


def test_killed_between_the_next_message_and_recording_nothing_is_lost(ready):
    class Dies:
        def __init__(self, webhooks):
            self.webhooks, self.saves = webhooks, 0

        def __getattr__(self, name):
            return getattr(self.webhooks, name)

        def save_delivery(self, delivery):
            self.saves += 1
            if self.saves == 2:  # the first one is the claim
                raise Killed
            return self.webhooks.save_delivery(delivery)

    alive = ready.services
    ready.hook.answers = [500]
    ready.tell()
    ready.services = dataclasses.replace(alive, webhooks=Dies(alive.webhooks))
    with pytest.raises(Killed):
        ready.step()
    ready.services = alive
    ready.walk(1200)
    assert ready.hook.ids == ["evt-1", "evt-1"]
    assert ready.delivery().state is DeliveryState.DELIVERED
    assert ready.queues.depth("webhook").delayed == 0


def test_of_two_who_look_at_once_one_sends(ready):
    class AndMeanwhile:
        def post(self, *arguments):
            deliver(ready.services, {"task": "webhook", "webhook": ready.webhook.id, "delivery": "evt-1", "attempt": 0})
            return sender.post(*arguments)

    sender = ready.services.webhook_sender
    ready.tell()
    ready.services = dataclasses.replace(ready.services, webhook_sender=AndMeanwhile())
    ready.walk(300)
    assert ready.hook.ids == ["evt-1"]


def test_a_crash_before_the_message_is_sent_is_healed_by_the_next_announcement(ready):
    class Refuses:
        def send(self, *_, **__):
            raise Unavailable("the queue is away")

    alive = ready.services
    ready.services = dataclasses.replace(alive, queues=Refuses())
    assert ready.tell()["batchItemFailures"]
    ready.services = alive
    assert ready.tell() == {"batchItemFailures": []}
    ready.step()
    assert ready.hook.ids == ["evt-1"]


def test_both_secrets_sign_until_the_grace_is_over(ready):
    webhook, new = rotate_secret(ready.services, ready.webhook.id, 600)
    assert len(webhook.secrets) == 2
    ready.tell("evt-1")
    ready.step()
    ready.clock[0] += 600
    ready.tell("evt-2")
    ready.step()
    (_, during, body), (_, afterwards, later) = ready.hook.received
    assert verified(new, during, body)
    assert verified(ready.secret, during, body)
    assert verified(new, afterwards, later)
    assert not verified(ready.secret, afterwards, later)
    assert len(afterwards["webhook-signature"].split(" ")) == 1


def test_no_more_than_two_secrets_are_valid_and_without_grace_only_one(ready):
    for _ in range(3):
        webhook, _ = rotate_secret(ready.services, ready.webhook.id)
    assert len(webhook.secrets) == 2
    webhook, _ = rotate_secret(ready.services, ready.webhook.id, 0)
    assert len(webhook.secrets) == 1


def test_sending_again_keeps_the_id_and_has_a_day_of_its_own(ready):
    ready.tell()
    ready.step()
    ready.clock[0] += 5 * 86_400
    ready.hook.answers = [500]
    again = redeliver(ready.services, ready.webhook.id, "evt-1")
    assert (again.state, again.tries) == (DeliveryState.PENDING, 0)
    ready.walk(5 * 86_400 + 60)
    assert ready.hook.ids == ["evt-1"] * 3
    delivery = ready.delivery()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 3)
    with pytest.raises(NotFound):
        redeliver(ready.services, ready.webhook.id, "evt-9")


def test_what_waits_goes_with_its_webhook(ready):
    ready.hook.answers = [500]
    ready.tell()
    ready.step()
    remove_webhook(ready.services, ready.webhook.id)
    ready.walk(60)
    assert len(ready.hook.received) == 1
    assert ready.queues.depth("webhook").delayed == 0


def test_the_webhook_of_the_setting(tmp_path):
    with receiver() as hook, house(tmp_path, webhook_loopback="true", webhook_url=hook.url) as home:
        home.database = tmp_path / "kinora.db"
        one = Post(home, hook, [START])
        _, secret = rotate_secret(one.services, "setting")
        one.tell()
        one.step()
        assert verified(secret, hook.received[0][1], hook.received[0][2])
        hook.answers = [410]
        one.tell("evt-2")
        one.step()
        assert not find_webhook(one.services, "setting").enabled
        with pytest.raises(InvalidInput):
            remove_webhook(one.services, "setting")
        with pytest.raises(InvalidInput):
            edit_webhook(one.services, "setting", url="https://hooks.example.com/")
        settings = dataclasses.replace(one.services.settings, webhook_url=hook.url + "&moved")
        one.services = dataclasses.replace(one.services, settings=settings)
        assert find_webhook(one.services, "setting").enabled, "another place may answer otherwise"
        one.tell("evt-3")
        one.step()
        assert verified(secret, hook.received[2][1], hook.received[2][2]), "its secret stays"
        one.queues.close()


def test_a_url_that_settings_no_longer_allow_is_not_sent_to(ready):
    ready.tell()
    ready.services = dataclasses.replace(
        ready.services, settings=dataclasses.replace(ready.services.settings, webhook_loopback=False)
    )
    ready.step()
    assert ready.hook.received == []
    assert ready.delivery().history[0].error == "The URL must begin with https://."


def test_messages_that_name_nothing_are_refused(ready):
    for task in ({}, {"task": "webhook"}, {"task": "webhook", "webhook": 1, "delivery": "a", "attempt": 0}):
        with pytest.raises(InvalidEvent):
            deliver(ready.services, task)


def test_no_secret_is_stored_or_logged(ready, tmp_path, capsys):
    rotate_secret(ready.services, ready.webhook.id)
    ready.hook.answers = [500]
    ready.tell()
    ready.walk(60)
    key = ready.services.secrets.get(SecretName.WEBHOOK_KEY)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("kinora.db*"))
    for secret in (key, ready.secret, ready.secret.removeprefix("whsec_")):
        assert secret.encode() not in stored
        assert secret not in "".join(capsys.readouterr())


def test_every_outcome_that_is_announced_is_a_type_that_can_be_asked_for(ready):
    finals = sorted(f"job.{state.value}" for state in JobState if state.is_final or state is JobState.PLAYABLE)
    assert list(create_webhook(ready.services, ready.hook.url, finals, "")[0].events) == finals
    with pytest.raises(InvalidInput):
        create_webhook(ready.services, ready.hook.url, ["job.queued"], "")
