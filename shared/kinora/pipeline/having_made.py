"""Having something made that somebody waits for, by whoever is first: used for segments and for pictures, by the API."""

from __future__ import annotations

import time
from collections.abc import Callable

from kinora.errors import KinoraError, Pending
from kinora.invoking.base import WAIT_SECONDS, Maker, Request
from kinora.metrics.base import CACHE, ON_DEMAND
from kinora.services import Services

_LOOK_SECONDS = 0.1  # between two looks for what somebody else is making
_ASK_SECONDS = 2.0  # until it is asked for again: whoever was making it may have failed


def have_made(services: Services, request: Request, is_there: Callable[[], bool]) -> None:
    """Return when what `request` names is stored. Raises Pending if nobody makes it or it takes longer than WAIT_SECONDS, and
    what making it raises."""
    cache = str(request["task"])
    services.metrics.record_soon({CACHE: 1}, cache=cache, result="miss")
    if services.on_demand is None:
        raise Pending(f"nobody makes {request}")
    try:
        _wait(services.on_demand, request, is_there)
    except KinoraError as error:
        services.metrics.record_soon({ON_DEMAND: 1}, cache=cache, result="pending" if isinstance(error, Pending) else "failed")
        raise
    services.metrics.record_soon({ON_DEMAND: 1}, cache=cache, result="made")


def note_hit(services: Services, task: str) -> None:
    """What a request of `task` would make was there already."""
    services.metrics.record_soon({CACHE: 1}, cache=task, result="hit")


def _wait(maker: Maker, request: Request, is_there: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    while not maker.make(request):
        ask_again = time.monotonic() + _ASK_SECONDS
        while time.monotonic() < ask_again:
            if is_there():
                return
            if time.monotonic() > give_up:
                raise Pending(f"{request} is being made by somebody else")
            time.sleep(_LOOK_SECONDS)
