"""`/api/webhooks`: endpoints that are told of events, and what became of each telling. Secrets are answered once, when made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from kinora.api.webhook_views import (
    DeliveryPage,
    DeliveryView,
    GraceRequest,
    WebhookChange,
    WebhookList,
    WebhookRequest,
    WebhookView,
    WebhookWithSecret,
    view_delivery,
    view_webhook,
    view_webhook_with_secret,
)
from kinora.errors import NotFound
from kinora.pipeline.webhook_deliveries import redeliver
from kinora.pipeline.webhooks import (
    GRACE_SECONDS,
    all_webhooks,
    create_webhook,
    edit_webhook,
    find_webhook,
    remove_webhook,
    rotate_secret,
)
from kinora.services import Services

WebhookId = Annotated[str, Path(pattern="^([0-9a-f]{32}|setting)$")]
DeliveryId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,200}$")]


def webhooks_router(services: Services) -> APIRouter:
    router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])

    @router.get("", summary="The webhooks")
    def list_webhooks() -> WebhookList:
        return WebhookList(webhooks=[view_webhook(one) for one in all_webhooks(services)])

    @router.post("", status_code=status.HTTP_201_CREATED, summary="Add a webhook; the answer shows its secret, this once")
    def add_webhook(wanted: WebhookRequest) -> WebhookWithSecret:
        return view_webhook_with_secret(*create_webhook(services, wanted.url, wanted.events, wanted.description))

    @router.get("/{webhook_id}", summary="One webhook")
    def get_webhook(webhook_id: WebhookId) -> WebhookView:
        return view_webhook(find_webhook(services, webhook_id))

    @router.patch("/{webhook_id}", summary="Change a webhook, or enable it again")
    def change_webhook(webhook_id: WebhookId, change: WebhookChange) -> WebhookView:
        changed = edit_webhook(
            services,
            webhook_id,
            url=change.url,
            events=change.events,
            description=change.description,
            enabled=change.enabled,
        )
        return view_webhook(changed)

    @router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT, summary="Remove a webhook and its deliveries")
    def delete_webhook(webhook_id: WebhookId) -> None:
        remove_webhook(services, webhook_id)

    @router.post("/{webhook_id}/rotate", summary="Make a new secret; the one before stays valid for a while")
    def rotate(webhook_id: WebhookId, wanted: GraceRequest | None = None) -> WebhookWithSecret:
        grace = GRACE_SECONDS if wanted is None else wanted.grace_seconds
        return view_webhook_with_secret(*rotate_secret(services, webhook_id, grace))

    return router


def deliveries_router(services: Services) -> APIRouter:
    router = APIRouter(prefix="/api/webhooks/{webhook_id}/deliveries", tags=["webhooks"])

    @router.get("", summary="What was sent to a webhook, the newest event first")
    def list_deliveries(
        webhook_id: WebhookId,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> DeliveryPage:
        find_webhook(services, webhook_id)
        page = services.webhooks.deliveries(webhook_id, cursor=cursor, limit=limit)
        return DeliveryPage(deliveries=[view_delivery(one) for one in page.items], cursor=page.cursor)

    @router.get("/{delivery_id}", summary="One delivery")
    def get_delivery(webhook_id: WebhookId, delivery_id: DeliveryId) -> DeliveryView:
        found = services.webhooks.delivery(webhook_id, delivery_id)
        if found is None:
            raise NotFound(f"no delivery {delivery_id} to webhook {webhook_id}")
        return view_delivery(found)

    @router.post(
        "/{delivery_id}/redeliver",
        status_code=status.HTTP_202_ACCEPTED,
        summary="Send an event once more, under the same id",
    )
    def send_again(webhook_id: WebhookId, delivery_id: DeliveryId) -> DeliveryView:
        return view_delivery(redeliver(services, webhook_id, delivery_id))

    return router
