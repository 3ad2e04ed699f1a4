"""Door of the video function: tasks from the prepare and encode queues, answered by which of them to try again; or, called
directly, one segment that a viewer waits for."""

from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.tasks import perform


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return perform(services(), event, context.get_remaining_time_in_millis)
