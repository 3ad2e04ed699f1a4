"""Webhooks and their deliveries as both metadata drivers store them: one JSON document each, replaced only by who knows the revision."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from kinora.errors import StaleState
from kinora.metadata.documents import failure_document, failure_of
from kinora.model import Delivery, DeliveryAttempt, DeliveryState, Webhook, WebhookSecret

DELIVERY_SECONDS = 30 * 86_400  # how long a delivery is kept after its event


def webhook_document(webhook: Webhook) -> str:
    return json.dumps(asdict(webhook) | {"error": failure_document(webhook.error)}, separators=(",", ":"))


def webhook_of(document: str) -> Webhook:
    raw = json.loads(document)
    secrets = tuple(WebhookSecret(**one) for one in raw["secrets"])
    return Webhook(**raw | {"events": tuple(raw["events"]), "error": failure_of(raw["error"]), "secrets": secrets})


def next_webhook(webhook: Webhook, stored: Webhook | None) -> Webhook:
    """`webhook` as it is to be stored in the place of `stored`; raises StaleState if it was made from another."""
    if webhook.revision != (stored.revision if stored else 0):
        raise StaleState(f"webhook {webhook.id} has changed")
    return replace(webhook, revision=webhook.revision + 1)


def delivery_document(delivery: Delivery) -> str:
    return json.dumps(asdict(delivery), separators=(",", ":"))


def delivery_of(document: str) -> Delivery:
    raw = json.loads(document)
    history = tuple(DeliveryAttempt(**one) for one in raw["history"])
    return Delivery(**raw | {"state": DeliveryState(raw["state"]), "history": history})


def next_delivery(delivery: Delivery, stored: Delivery | None) -> Delivery:
    """As `next_webhook`."""
    if delivery.revision != (stored.revision if stored else 0):
        raise StaleState(f"delivery {delivery.id} has changed")
    return replace(delivery, revision=delivery.revision + 1)


def expiry_of(delivery: Delivery) -> int:
    return int(delivery.created_at) + DELIVERY_SECONDS
