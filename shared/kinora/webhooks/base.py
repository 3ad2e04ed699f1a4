"""The protocol of whoever carries a webhook to its receiver. Used by the delivering use case; drivers are named by bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kinora.webhooks.targets import Target


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, or None and why there is none, in words that the owner of the endpoint may read."""

    status: int | None
    error: str = ""


class WebhookSender(Protocol):
    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and wait for its answer, for a limited time. Never raises for what the receiver or the network does,
        follows no redirect, and connects to no address that the target's rules refuse."""
