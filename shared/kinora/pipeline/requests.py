"""Answering functions that are invoked directly because somebody waits: one place that turns errors into answers.

Called by the image and video functions. What makes the thing is imported when it is first asked for, so that a door stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from kinora.errors import KinoraError
from kinora.invoking.base import Request, answer_failed, answer_made
from kinora.observability import logger
from kinora.pipeline.measuring import measured
from kinora.services import Services

_MAKERS = {
    "segment": "kinora.pipeline.on_demand:make_requested",
    "picture": "kinora.pipeline.on_demand_images:make_picture",
    "frame": "kinora.pipeline.on_demand_frames:make_frame",
    "avatar": "kinora.pipeline.avatars:make_avatar",
}


def is_request(event: Mapping[str, object]) -> bool:
    return event.get("task") in _MAKERS


def answer_request(services: Services, event: Request) -> dict[str, object]:
    """Perform a request of `kinora.invoking.base`; errors that Kinora raises on purpose are an answer, too."""
    module, name = _MAKERS[str(event["task"])].split(":")
    make: Callable[[Services, Request], bool] = getattr(import_module(module), name)
    try:
        with measured(services, str(event["task"])) as ending:
            answer = answer_made(make(services, event))
            ending.outcome = "done"
            return answer
    except KinoraError as error:
        logger.warning("not made on demand", extra={"event": event, "code": error.code, "reason": str(error)})
        return answer_failed(error)
