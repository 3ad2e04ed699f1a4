"""Conditional writes to DynamoDB: transactions, their repetition when others interfere, and Kinora's errors.

Used by the rooms of the DynamoDB metadata driver. An attempt reads, decides and writes on the condition that nothing of
what it read has changed; if something has, the whole attempt is made again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.transactions import TransactWrite

from kinora.errors import InvalidInput, KinoraError, StaleState, Unavailable

MAX_ITEMS = 100
ATTEMPTS = 12
FIRST_WAIT = 0.02
LONGEST_WAIT = 1.0

_INTERFERENCE = {
    "ConditionalCheckFailed",
    "ConditionalCheckFailedException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_INVALID = {"ValidationError", "ValidationException"}

T = TypeVar("T")


class Interference(Exception):
    """Somebody else wrote, or is writing, a row that an attempt depends on."""


def settled(attempt: Callable[[], T], pause: Callable[[float], object] = time.sleep) -> T:
    """The result of the first `attempt` that nobody interferes with.

    Raises StaleState after a dozen attempts with growing pauses (seconds), and whatever else the attempt raises as Kinora's errors.
    """
    for number in range(ATTEMPTS):
        try:
            with kinora_errors():
                return attempt()
        except Interference:
            longest = min(FIRST_WAIT * 2**number, LONGEST_WAIT)
            pause(random.uniform(0, longest))  # noqa: S311 (jitter is no secret)
    raise StaleState(f"others interfered {ATTEMPTS} times")


@contextmanager
def kinora_errors() -> Iterator[None]:
    """Turn the backend's errors into Kinora's, and failed conditions into Interference."""
    try:
        yield
    except (PynamoDBException, BotoCoreError, ClientError) as error:
        raise _translated(error) from error


@contextmanager
def transaction(connection: Connection) -> Iterator[TransactWrite]:
    """All the writes of the block or none of them. It holds up to MAX_ITEMS."""
    with TransactWrite(connection=connection) as writes:
        yield writes


def _translated(error: Exception) -> KinoraError | Interference:
    codes = _codes(error)
    if codes & _INVALID:
        return InvalidInput(f"DynamoDB: {error}")
    if codes & _INTERFERENCE:
        return Interference(str(error))
    return Unavailable(f"DynamoDB: {error}")


def _codes(error: Exception) -> set[str]:
    """Why it failed: the error's own code, or those of the items of a canceled transaction."""
    if isinstance(error, TransactWriteError) and error.cancellation_reasons:
        return {reason.code for reason in error.cancellation_reasons if reason is not None}
    if isinstance(error, PynamoDBException):
        return {error.cause_response_code or ""}
    if isinstance(error, ClientError):
        return {error.response["Error"]["Code"]}
    return set()
