"""`GET /api/events`: events as they happen, as a stream that a client can take up where it left off (server-sent events, HTML
§9.2). Only where one process serves for long: on AWS events come from EventBridge and by webhooks.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from threading import Lock
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from kinora.errors import InvalidInput, KinoraError, NotFound, Unavailable
from kinora.eventbus.base import EventFeed
from kinora.model import Event
from kinora.observability import logger
from kinora.pipeline.webhook_deliveries import event_body
from kinora.services import Services

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000
_BATCH = 100
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Listeners:
    """The streams of one process: no more than `limit` at once, all ended by `close`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._count = 0
        self.is_closed = False

    def enter(self) -> None:
        """Raises Unavailable if there are too many, or none are wanted any more."""
        with self._lock:
            if self.is_closed or self._count >= self._limit:
                raise Unavailable(code="too-many-listeners", public_message=f"{self._limit} listeners are connected already.")
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1

    def close(self) -> None:
        """Let every stream end within a moment, and no other one begin."""
        self.is_closed = True


class _EventStream(StreamingResponse):
    """The answer to a listener that has entered; it leaves when this is over, however it ends."""

    def __init__(self, listeners: Listeners, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, media_type="text/event-stream", headers=_HEADERS)
        self._listeners = listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listeners.leave()


def events_router(services: Services, listeners: Listeners) -> APIRouter:
    router = APIRouter(prefix="/api/events", tags=["events"])

    # Not in the schema: OpenAPI has no words for an answer that does not end.
    @router.get("", include_in_schema=False)
    def listen(
        after: Annotated[str | None, Query(description="As Last-Event-ID, for clients that cannot send it")] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        feed = services.event_feed
        if feed is None:
            raise NotFound(
                code="no-event-stream",
                public_message="Events are not streamed here; they come from EventBridge and by webhooks.",
            )
        position = _beginning(feed, last_event_id or after)
        listeners.enter()
        return _EventStream(listeners, _frames(feed, listeners, position))

    return router


def _beginning(feed: EventFeed, last: str | None) -> int:
    """The position after which to begin: the one that the client knows, or the present. One that is not reached yet comes from
    a feed that was made anew, so all of this one is news."""
    latest = feed.latest()
    if last is None:
        return latest
    if not re.fullmatch(r"[0-9]{1,18}", last):
        raise InvalidInput(code="invalid-event-id", public_message="Last-Event-ID must be the id of an event of this stream.")
    return int(last) if int(last) <= latest else 0


async def _frames(feed: EventFeed, listeners: Listeners, position: int) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    spoken = time.monotonic()
    while not listeners.is_closed:
        try:
            found = await run_sync(feed.after, position, _BATCH)
        except KinoraError as error:
            logger.warning("an event stream ended", extra={"code": error.code})
            return  # the client comes again and says how far it got
        for place, event in found:
            yield frame(place, event)
            position = place
            spoken = time.monotonic()
        if time.monotonic() - spoken >= HEARTBEAT_SECONDS:
            yield b": still here\n\n"
            spoken = time.monotonic()
        if not found:
            await anyio.sleep(LOOK_SECONDS)


def frame(position: int, event: Event) -> bytes:
    """One event: its place in the feed as `id`, its type, and as data what a webhook would send, with the event's own id."""
    data = json.dumps({"id": event.id, **json.loads(event_body(event))}, separators=(",", ":"))
    return f"id: {position}\nevent: {event.type}\ndata: {data}\n\n".encode()
