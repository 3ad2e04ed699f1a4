"""What use cases and the API work with: a frozen set of protocols. Built by bootstrap, or by a test from what it likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kinora.eventbus.base import EventBus, EventFeed
from kinora.invoking.base import Maker
from kinora.keywrap.base import KeyWrapping
from kinora.metadata.base import Catalog, ContentKeys, Jobs, Leases, RateLimits
from kinora.metadata.base_webhooks import Webhooks
from kinora.metrics.base import Metrics, MetricsReader
from kinora.queues.base import Backlog, QueueSender
from kinora.secrets.base import Secrets
from kinora.settings import Settings
from kinora.storage.base import Presigner, Storage
from kinora.storage.multipart import MultipartUploads, PartPresigner
from kinora.webhooks.base import WebhookSender


@dataclass(frozen=True, slots=True)
class Services:
    """`presigner` and `part_presigner` are None where clients cannot reach the backend (local mode): bytes then come from the API itself.

    `on_demand` is None where nobody makes anything on demand: segments are then pending until they are encoded in the background.
    `metrics_reader` and `backlog` are None where others show the numbers (CloudWatch on AWS).
    `event_feed` is None where others deliver events (EventBridge on AWS).
    `clock` returns seconds since the Unix epoch; `close` releases what the drivers hold.
    """

    settings: Settings
    storage: Storage
    presigner: Presigner | None
    multipart: MultipartUploads
    part_presigner: PartPresigner | None
    catalog: Catalog
    jobs: Jobs
    content_keys: ContentKeys
    key_wrapping: KeyWrapping
    leases: Leases
    rate_limits: RateLimits
    queues: QueueSender
    on_demand: Maker | None
    event_bus: EventBus
    event_feed: EventFeed | None
    webhooks: Webhooks
    webhook_sender: WebhookSender
    secrets: Secrets
    metrics: Metrics
    metrics_reader: MetricsReader | None
    backlog: Backlog | None
    clock: Callable[[], float]
    close: Callable[[], None]
