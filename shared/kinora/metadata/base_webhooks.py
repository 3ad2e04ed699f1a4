"""The metadata protocol of webhooks: endpoints, and a delivery for each event and endpoint. tests/contract/webhooks_suite.py
states the behaviour.
"""

from __future__ import annotations

from typing import Protocol

from kinora.model import Delivery, Page, Webhook


class Webhooks(Protocol):
    """Endpoints are few; deliveries are kept for 30 days after their event."""

    def save_webhook(self, webhook: Webhook) -> Webhook:
        """Store a webhook if the stored revision is `webhook.revision` (0: none is stored); returns it with its new revision.
        Raises StaleState otherwise, also for one that was removed."""

    def webhook(self, identifier: str) -> Webhook | None: ...

    def webhooks(self) -> tuple[Webhook, ...]:
        """All of them, oldest first."""

    def remove_webhook(self, identifier: str) -> None:
        """Remove it and its deliveries; unknown is no error."""

    def add_delivery(self, delivery: Delivery) -> Delivery:
        """Store a new delivery unless there is one of that event to that webhook; returns the stored one."""

    def save_delivery(self, delivery: Delivery) -> Delivery:
        """As `save_webhook`, for the delivery of its event to its webhook."""

    def delivery(self, webhook: str, identifier: str) -> Delivery | None: ...

    def deliveries(self, webhook: str, *, cursor: str | None = None, limit: int = 50) -> Page[Delivery]:
        """Those of a webhook, the newest event first. Raises InvalidInput for a cursor that no listing returned or a limit
        below 1."""
