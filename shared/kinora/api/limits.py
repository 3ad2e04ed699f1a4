"""What holds for every answer: the size that a Lambda function may answer with."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinora.api.problems import problem
from kinora.api.serving import DIRECT
from kinora.observability import logger

MAX_ANSWER_BYTES = 6_000_000  # Lambda's limit of 6 MB, base64 and envelope aside: text answers only come near it


class AnswerLimits:
    """ASGI middleware. An answer that could not leave a Lambda function is refused in local mode too, except bytes of
    stored objects, which on AWS come from S3."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = False

        async def guarded(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                headers = message["headers"]
                length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
                if length > MAX_ANSWER_BYTES and not scope.get(DIRECT):
                    refused = True
                    logger.error("answer too large", extra={"path": scope["path"], "bytes": length})
                    await problem(500, "answer-too-large", "The answer is larger than 6 MB.")(scope, receive, send)
                    return
            if not refused:
                await send(message)

        await self._app(scope, receive, guarded)
