"""Door of the notify function: committed outbox rows from the jobs table's stream. It answers which to try again."""

from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.notify import notify_stream


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return notify_stream(services(), event)
