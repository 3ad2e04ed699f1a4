"""Door of the API function: HTTP API events (payload 2.0) for the FastAPI app, through Mangum."""

from functools import cache
from typing import Any

from mangum import Mangum

from kinora.api.app import create_app
from kinora.bootstrap import services
from kinora.observability import observed

TEXT = ["text/", "application/json", "application/problem+json", "application/vnd.apple.mpegurl"]


@cache
def app() -> Mangum:
    return Mangum(create_app(services()), lifespan="off", text_mime_types=TEXT)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    return app()(event, context)
