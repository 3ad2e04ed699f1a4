"""Segments and pictures made on demand on AWS: a function is invoked and waited for, by a bounded number of callers at once."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from kinora.errors import Pending, Unavailable
from kinora.invoking.base import WAIT_SECONDS, Request, is_made
from kinora.metadata.base import Leases

_SLOT_SECONDS = 60.0
_SLOTS_TRIED = 3  # with p of all slots taken, p³ of the callers are sent away early; past the limit everybody is
_THROTTLED = {"TooManyRequestsException", "EC2ThrottledException", "ThrottlingException"}


class LambdaMaker:
    """Maker on Lambda. `functions` names the function for each task. At most `limit` callers of all API functions together
    wait, each for `seconds` at most."""

    def __init__(
        self,
        functions: Mapping[str, str],
        leases: Leases,
        limit: int,
        clock: Callable[[], float],
        *,
        seconds: float = WAIT_SECONDS,
    ) -> None:
        self._functions = functions
        self._leases = leases
        self._limit = limit
        self._clock = clock
        self._config = Config(connect_timeout=3, read_timeout=seconds, retries={"total_max_attempts": 1})

    def make(self, request: Request) -> bool:
        function = self._functions.get(str(request["task"]))
        if function is None:
            raise Unavailable(f"nobody is known who makes a {request['task']}")
        with self._slot():
            return is_made(self._invoke(function, json.dumps(request)))

    def close(self) -> None:
        """Close the connections; the object cannot be used afterwards."""
        self._client.close()

    @cached_property
    def _client(self) -> Any:
        return boto3.client("lambda", config=self._config)  # no stubs are installed for this service

    def _invoke(self, function: str, payload: str) -> Any:
        try:
            answer = self._client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
            body = answer["Payload"].read()
        except ReadTimeoutError as error:
            raise Pending(f"{function} is still at it") from error
        except ClientError as error:
            kind = Pending if error.response["Error"]["Code"] in _THROTTLED else Unavailable
            raise kind(f"{function}: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(f"{function}: {error}") from error
        if answer.get("FunctionError"):
            raise Unavailable(f"{function} failed: {body[:1000]!r}")
        return json.loads(body)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of `limit` leases. Raises Pending when those that are tried are taken."""
        owner = uuid.uuid4().hex
        until = self._clock() + _SLOT_SECONDS
        for number in random.sample(range(self._limit), min(_SLOTS_TRIED, self._limit)):
            name = f"on-demand-slot#{number}"
            if self._leases.acquire(name, owner, until, self._clock()):
                try:
                    yield
                finally:
                    self._leases.release(name, owner)
                return
        raise Pending("as much is being made on demand as may be")
