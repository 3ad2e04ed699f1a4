"""Wrapped content keys, and webhooks with their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kinora.model.work import Failure


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A wrapped content key. The plain key never leaves the process that unwraps it."""

    key_id: str
    hash: str
    revision: int
    wrapped: bytes
    nonce: bytes
    kek_version: str
    created_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """One signing secret of a webhook. It follows from `salt` and the installation's webhook key, and is not stored.

    It is valid until `expires_at`, which the newest one does not have.
    """

    salt: str
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that is told of events. `events` are the types it hears of; none means all.

    `error` says why it was disabled by itself. `secrets` are those that may still be valid, the newest first. `revision` grows
    with every change and is the condition of the next one; 0 is not stored yet.
    """

    id: str
    url: str
    created_at: float
    updated_at: float
    events: tuple[str, ...] = ()
    description: str = ""
    enabled: bool = True
    error: Failure | None = None
    secrets: tuple[WebhookSecret, ...] = ()
    revision: int = 0


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One request to an endpoint: when it began, how many seconds it took, the status that came back or why none did."""

    at: float
    seconds: float
    status: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. `id` is the event's, and what receivers know duplicates by; `body` is what is sent.

    It is tried since `started_at`, `tries` times so far, and next at `due_at`. `attempts` counts all attempts, also those before
    it was sent again on request; `history` holds the latest of them. `revision` is as in a Webhook.
    """

    id: str
    webhook: str
    type: str
    body: str
    created_at: float
    started_at: float
    due_at: float
    state: DeliveryState = DeliveryState.PENDING
    error: str = ""
    attempts: int = 0
    tries: int = 0
    history: tuple[DeliveryAttempt, ...] = ()
    revision: int = 0
