"""Door of the sweep function: called by the schedule; what one call does not finish, the next one does."""

from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.sweep import sweep


@observed
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    return sweep(services(), context.get_remaining_time_in_millis)
