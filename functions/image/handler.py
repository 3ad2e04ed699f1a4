"""Door of the image function: batches of tasks from the image queue. It answers which of them to try again."""

from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.tasks import run_batch


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return run_batch(services(), event, context.get_remaining_time_in_millis)
