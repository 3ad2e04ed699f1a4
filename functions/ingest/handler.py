"""Door of the ingest function: S3 events of the source bucket, invoked asynchronously. An error makes Lambda try again."""

from typing import Any

from kinora.bootstrap import services
from kinora.observability import observed
from kinora.pipeline.ingest import ingest_event


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return ingest_event(services(), event)
