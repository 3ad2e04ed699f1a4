"""The storyboard of a video: sheet by sheet, then the WebVTT file that names them. A stage of its own that never blocks
playback; a task that runs out of time hands the sheets that are left back to the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kinora.errors import InvalidEvent
from kinora.media.plan import Plan
from kinora.media.storyboard import layout_of, make_sheets
from kinora.media.storyboard_layout import Layout, write_vtt
from kinora.model import Job, StageName
from kinora.object_keys import STORYBOARD_PATH, sheet_path, video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.side_stages import side_stage
from kinora.queues.base import QueueName
from kinora.services import Services

_KEPT_BACK = 0.35  # of the time a task began with: no sheet may take longer than that


@side_stage(StageName.STORYBOARD)
def make_storyboard(services: Services, job: Job, task: Mapping[str, object], remaining: Callable[[], int]) -> bool:
    """Store the sheets from `first` (0) on, then `storyboard.vtt`. Raises InvalidEvent, CorruptMedia, OriginalGone."""
    allowance = remaining() * _KEPT_BACK
    plan = load_plan(services, job.hash)
    layout = layout_of(plan)
    first = task.get("first", 0)
    if not isinstance(first, int) or not 0 <= first < layout.sheets:
        raise InvalidEvent(f"sheet {first!r} of {layout.sheets} is not in the storyboard of {job.hash}")
    with open_original(services, job) as original:
        for sheet, data in make_sheets(original, plan, first):
            put_media(services, job.hash, _sheet_key(job, sheet), data)
            if sheet + 1 < layout.sheets and remaining() < allowance:
                services.queues.send(QueueName.ENCODE, [{**task, "first": sheet + 1}])
                return False
    _store_index(services, job, plan, layout)
    return True


def _store_index(services: Services, job: Job, plan: Plan, layout: Layout) -> None:
    key = video_key(job.hash, STORYBOARD_PATH)
    width, height = layout.tile_width, layout.tile_height
    vtt = write_vtt(plan, layout).encode()
    store_derivative(services, job, "storyboard", key, vtt, width=width, height=height, duration=plan.probe.duration)


def _sheet_key(job: Job, sheet: int) -> str:
    return video_key(job.hash, sheet_path(sheet))
