"""Door of the ingest function: S3 events of the source bucket, invoked asynchronously; what Lambda gave up comes by a queue."""

from collections.abc import Mapping
from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.intake import take_in


@observed
def handler(event: dict[str, Any], _context: object) -> Mapping[str, Any]:
    return take_in(services(), event)
