"""What use cases and the API work with: a frozen set of protocols. Built by bootstrap, or by a test from what it likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kinora.eventbus.base import EventBus
from kinora.invoking.base import Maker
from kinora.keywrap.base import KeyWrapping
from kinora.metadata.base import Catalog, ContentKeys, Jobs, Leases
from kinora.queues.base import QueueSender
from kinora.secrets.base import Secrets
from kinora.settings import Settings
from kinora.storage.base import Presigner, Storage


@dataclass(frozen=True, slots=True)
class Services:
    """`presigner` is None where clients cannot reach the backend (local mode): bytes then come from the API itself.

    `on_demand` is None where nobody makes anything on demand: segments are then pending until they are encoded in the background.
    `clock` returns seconds since the Unix epoch; `close` releases what the drivers hold.
    """

    settings: Settings
    storage: Storage
    presigner: Presigner | None
    catalog: Catalog
    jobs: Jobs
    content_keys: ContentKeys
    key_wrapping: KeyWrapping
    leases: Leases
    queues: QueueSender
    on_demand: Maker | None
    event_bus: EventBus
    secrets: Secrets
    clock: Callable[[], float]
    close: Callable[[], None]
