"""Asking for crops: which of them exist, and sending one task for the rest. Called by the API; imports nothing that decodes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from kinora.errors import InvalidInput
from kinora.model import Kind
from kinora.pipeline.export_states import Requested, look, open_exports, send_exports
from kinora.pipeline.exports import newest_job
from kinora.pipeline.plans import load_plan
from kinora.queues.base import QueueName
from kinora.services import Services

_VERSION = 1
RawBox = Mapping[str, Any]


def request_crops(
    services: Services,
    content_hash: str,
    boxes: Sequence[RawBox],
    *,
    time: float | None,
    longest: int,
    image_format: str,
    retry: bool = False,
) -> list[Requested]:
    """Have `boxes` (left, top, width, height, is_fraction) cut out; per box what became of it.

    `time` is in seconds and for videos only. Asking again is harmless; what has failed is tried again only with `retry`.
    Raises NotFound, InvalidInput.
    """
    job = newest_job(services, content_hash, Kind.IMAGE, Kind.VIDEO)
    is_video = job.kind is Kind.VIDEO
    if time is not None and not (is_video and time <= load_plan(services, content_hash).probe.duration):
        raise InvalidInput(public_message="There is nothing at that time.")
    moment = (time or 0.0) if is_video else None
    named = [{**box, "name": _canonical(box, moment, longest)} for box in boxes]
    queue, task = (QueueName.ENCODE, "frame-crop") if is_video else (QueueName.IMAGE, "crop")
    common = {"task": task, "job": job.id, "time": moment, "longest": longest, "format": image_format}
    by_name = {crop_name(box["name"], image_format): box for box in named}
    tasks = {name: {**common, "boxes": [box]} for name, box in by_name.items()}
    opened = open_exports(services, content_hash, queue, tasks, retry=retry)
    if opened:
        send_exports(services, opened, {**common, "boxes": [by_name[one.name] for one in opened]})
    return look(services, content_hash, [crop_name(box["name"], image_format) for box in named])


def missing_crops(services: Services, content_hash: str, boxes: Sequence[RawBox], image_format: str) -> list[RawBox]:
    """The named boxes of which there is no derivative yet."""
    made = {one.name for one in services.catalog.derivatives(content_hash)}
    return [box for box in boxes if crop_name(box["name"], image_format) not in made]


def crop_name(canonical: str, image_format: str) -> str:
    """The name of the derivative."""
    return f"crop/{canonical}.{image_format}"


def _canonical(box: RawBox, time: float | None, longest: int) -> str:
    """The same box, time and size have the same name: 24 hex digits."""
    sides = [float(box[side]) for side in ("left", "top", "width", "height")]
    parameters = json.dumps([_VERSION, sides, box["is_fraction"], time, longest], separators=(",", ":"))
    return hashlib.sha256(parameters.encode()).hexdigest()[:24]
