"""Door of the notify function: committed outbox rows from the jobs table's stream, and deliveries of webhooks from their queue.
It answers which to try again."""

from collections.abc import Mapping
from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.notify import notify


@observed
def handler(event: dict[str, Any], _context: object) -> Mapping[str, Any]:
    return notify(services(), event)
