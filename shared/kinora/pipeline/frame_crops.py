"""Making crops of the picture that a video shows at one time. Called for `frame-crop` tasks, which the API sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kinora.media.crop import Box, crop
from kinora.media.stills import Scaler, film_of, fitted, pictures_at, time_shown
from kinora.model import Job
from kinora.pipeline.crops import store_crops, wanted_boxes
from kinora.pipeline.export_states import complete_exports
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.services import Services


def make_frame_crops(services: Services, job: Job, task: Mapping[str, Any], remaining: Callable[[], int]) -> None:
    """Store every box of the task that is not there yet. Raises CorruptMedia, OriginalGone, UnsupportedMedia."""
    del remaining
    boxes = wanted_boxes(services, job, task)
    if boxes:
        _cut(services, job, task, boxes)
    complete_exports(services, job.hash, task)


def _cut(services: Services, job: Job, task: Mapping[str, Any], boxes: Sequence[Box]) -> None:
    plan = load_plan(services, job.hash)
    video = film_of(plan)
    with open_original(services, job) as original:
        (frame,) = pictures_at(original, plan, [time_shown(plan, task["time"])])
        picture = Scaler(plan, *fitted(video, max(video.width, video.height))).render(frame)
    store_crops(services, job, crop(picture, boxes, task["longest"], task["format"], services.settings.image_quality))
