"""What every driver of the metadata protocols does with webhooks and their deliveries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.errors import InvalidInput, StaleState
from kinora.model import Delivery, DeliveryAttempt, DeliveryState, Failure, Webhook, WebhookSecret
from tests.contract.metadata_records import Metadata

NOW = 1_700_000_000.0


def webhook(identifier: str, at: float = NOW) -> Webhook:
    return Webhook(identifier, "https://hooks.example.com/é?a=b", at, at, secrets=(WebhookSecret("salt", at),))


def delivery(identifier: str, of: str = "w", at: float = NOW) -> Delivery:
    return Delivery(identifier, of, "job.ready", '{"type":"job.ready","é":1}', at, at, at)


class WebhooksSuite:
    """Endpoints and deliveries, replaced only by who knows their revision."""

    def test_a_webhook_is_stored_whole(self, metadata: Metadata) -> None:
        saved = metadata.webhooks.save_webhook(webhook("w"))
        assert metadata.webhooks.webhook("w") == saved == replace(webhook("w"), revision=1)
        changed = replace(
            saved,
            url="https://other.example.com/",
            updated_at=NOW + 0.125,
            events=("job.failed", "job.ready"),
            description="the é one",
            enabled=False,
            error=Failure("gone", "It is gone."),
            secrets=(WebhookSecret("new", NOW), WebhookSecret("old", NOW - 1, NOW + 86_400.5)),
        )
        metadata.webhooks.save_webhook(changed)
        assert metadata.webhooks.webhooks() == (replace(changed, revision=2),)

    def test_only_who_knows_the_revision_changes_a_webhook(self, metadata: Metadata) -> None:
        saved = metadata.webhooks.save_webhook(webhook("w"))
        with pytest.raises(StaleState):
            metadata.webhooks.save_webhook(webhook("w"))
        metadata.webhooks.save_webhook(replace(saved, enabled=False))
        with pytest.raises(StaleState):
            metadata.webhooks.save_webhook(saved)
        metadata.webhooks.remove_webhook("w")
        with pytest.raises(StaleState):
            metadata.webhooks.save_webhook(replace(saved, revision=2))
        assert metadata.webhooks.webhook("w") is None

    def test_webhooks_are_listed_by_age(self, metadata: Metadata) -> None:
        for identifier, at in (("a", 20.0), ("b", 10.0), ("c", 30.0)):
            metadata.webhooks.save_webhook(webhook(identifier, at))
        assert [one.id for one in metadata.webhooks.webhooks()] == ["b", "a", "c"]

    def test_a_delivery_is_made_once(self, metadata: Metadata) -> None:
        added = metadata.webhooks.add_delivery(delivery("e"))
        assert added == replace(delivery("e"), revision=1)
        changed = replace(
            added,
            state=DeliveryState.FAILED,
            error="in vain",
            attempts=3,
            tries=1,
            due_at=NOW + 5.5,
            history=(DeliveryAttempt(NOW, 0.25, 503), DeliveryAttempt(NOW + 5, 5.0, None, "no answer")),
        )
        saved = metadata.webhooks.save_delivery(changed)
        assert metadata.webhooks.add_delivery(delivery("e")) == saved == replace(changed, revision=2)
        assert metadata.webhooks.delivery("w", "e") == saved
        with pytest.raises(StaleState):
            metadata.webhooks.save_delivery(changed)

    def test_the_same_event_goes_to_several_webhooks(self, metadata: Metadata) -> None:
        for of in ("w", "v"):
            metadata.webhooks.add_delivery(delivery("e", of))
        assert metadata.webhooks.delivery("w", "e") != metadata.webhooks.delivery("v", "e")
        assert metadata.webhooks.delivery("u", "e") is None

    def test_deliveries_are_listed_by_the_age_of_their_events(self, metadata: Metadata) -> None:
        for identifier, at in (("1", 20.0), ("2", 10.0), ("3", 30.0), ("4", 30.0)):
            metadata.webhooks.add_delivery(delivery(identifier, at=NOW + at))
        metadata.webhooks.add_delivery(delivery("5", "v", at=NOW + 50))
        first = metadata.webhooks.deliveries("w", limit=3)
        assert [one.id for one in first.items] == ["4", "3", "1"]
        last = metadata.webhooks.deliveries("w", cursor=first.cursor, limit=3)
        assert ([one.id for one in last.items], last.cursor) == (["2"], None)
        assert metadata.webhooks.deliveries("u").items == ()
        for wrong in ({"cursor": "x"}, {"limit": 0}):
            with pytest.raises(InvalidInput):
                metadata.webhooks.deliveries("w", **wrong)

    def test_deliveries_go_with_their_webhook(self, metadata: Metadata) -> None:
        metadata.webhooks.save_webhook(webhook("w"))
        for identifier in map(str, range(30)):
            metadata.webhooks.add_delivery(delivery(identifier))
        metadata.webhooks.add_delivery(delivery("e", "v"))
        metadata.webhooks.remove_webhook("w")
        metadata.webhooks.remove_webhook("w")
        assert metadata.webhooks.deliveries("w").items == ()
        assert len(metadata.webhooks.deliveries("v").items) == 1
        with pytest.raises(StaleState):
            metadata.webhooks.save_delivery(replace(delivery("1"), revision=1))
