"""Door of the image function: tasks from the image queue, answered by which of them to try again; or, called directly, one
picture that a viewer waits for."""

from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.tasks import perform


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return perform(services(), event, context.get_remaining_time_in_millis)
