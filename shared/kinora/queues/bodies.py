"""What may be sent through a queue, the same for every driver: the limits are those of Amazon SQS."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from kinora.aws_batches import MAX_BYTES
from kinora.errors import InvalidInput, LimitExceeded

MAX_DELAY = 900
MAX_VISIBILITY_TIMEOUT = 43_200


def encoded(bodies: Sequence[Mapping[str, object]], delay: int) -> list[str]:
    """Each body as JSON in ASCII. Raises InvalidInput (not JSON, or a delay outside 0 to 900 s), LimitExceeded (256 KiB)."""
    if not 0 <= delay <= MAX_DELAY:
        raise InvalidInput(f"a delay of {delay} s is outside 0 to {MAX_DELAY}")
    return [_encoded(body) for body in bodies]


def _encoded(body: Mapping[str, object]) -> str:
    try:
        text = json.dumps(dict(body), separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"a message body is not JSON: {error}") from error
    if len(text) > MAX_BYTES:
        raise LimitExceeded(f"a message body has {len(text)} bytes; {MAX_BYTES} are allowed")
    return text


def check_timeout(timeout: int) -> int:
    """Return `timeout` if a message may be hidden for so many seconds; raises InvalidInput."""
    if not 0 <= timeout <= MAX_VISIBILITY_TIMEOUT:
        raise InvalidInput(f"a visibility timeout of {timeout} s is outside 0 to {MAX_VISIBILITY_TIMEOUT}")
    return timeout
