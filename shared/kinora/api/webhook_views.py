"""What `/api/webhooks` takes and answers. No view of a webhook holds a secret but the one that is answered when it was made."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from kinora.api.schemas import FailureView, view_failure
from kinora.model import Delivery, Webhook
from kinora.pipeline.webhooks import BY_SETTING, EVENT_TYPES
from kinora.webhooks.targets import MAX_URL

Url = Annotated[str, Field(min_length=1, max_length=MAX_URL, description="https://…, public, without credentials")]
Events = Annotated[list[str], Field(max_length=20, description=f"Of {', '.join(EVENT_TYPES)}; empty: all of them")]
Description = Annotated[str, Field(max_length=200)]


class WebhookRequest(BaseModel):
    url: Url
    events: Events = Field(default_factory=list)
    description: Description = ""


class WebhookChange(BaseModel):
    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None


class GraceRequest(BaseModel):
    grace_seconds: int = Field(ge=0, le=604_800, description="How long the secret before stays valid; 0: not at all")


class SecretView(BaseModel):
    created_at: float
    expires_at: float | None = Field(description="None for the newest one")


class WebhookView(BaseModel):
    id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    error: FailureView | None = Field(description="Why it was disabled by itself")
    by_setting: bool = Field(description="Whether the setting KINORA_WEBHOOK_URL names it")
    secrets: list[SecretView]
    created_at: float
    updated_at: float


class WebhookWithSecret(WebhookView):
    secret: str = Field(description="whsec_…, shown this once")


class WebhookList(BaseModel):
    webhooks: list[WebhookView]


class AttemptView(BaseModel):
    at: float
    seconds: float
    status: int | None
    error: str


class DeliveryView(BaseModel):
    id: str = Field(description="That of the event: the header webhook-id of every attempt")
    type: str
    state: str = Field(description="pending, delivered or failed")
    error: str
    attempts: int
    next_attempt_at: float | None
    created_at: float = Field(description="When the event happened")
    body: str
    history: list[AttemptView] = Field(description="The latest attempts, oldest first")


class DeliveryPage(BaseModel):
    deliveries: list[DeliveryView]
    cursor: str | None


def view_webhook(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        description=webhook.description,
        enabled=webhook.enabled,
        error=view_failure(webhook.error),
        by_setting=webhook.id == BY_SETTING,
        secrets=[SecretView(created_at=one.created_at, expires_at=one.expires_at) for one in webhook.secrets],
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
    )


def view_webhook_with_secret(webhook: Webhook, secret: str) -> WebhookWithSecret:
    return WebhookWithSecret(**view_webhook(webhook).model_dump(), secret=secret)


def view_delivery(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        type=delivery.type,
        state=delivery.state.value,
        error=delivery.error,
        attempts=delivery.attempts,
        next_attempt_at=delivery.due_at if delivery.state.value == "pending" else None,
        created_at=delivery.created_at,
        body=delivery.body,
        history=[AttemptView(at=one.at, seconds=one.seconds, status=one.status, error=one.error) for one in delivery.history],
    )
