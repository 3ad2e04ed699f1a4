"""The animated preview of a video, as WebP and GIF: a stage of its own that never blocks playback."""

from __future__ import annotations

from collections.abc import Mapping

from kinora.media import preview
from kinora.model import Job, StageName
from kinora.object_keys import video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.side_stages import side_stage
from kinora.services import Services


@side_stage(StageName.PREVIEW)
def make_preview(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> bool:
    """Store `preview.webp` and `preview.gif`. Raises CorruptMedia, OriginalGone."""
    del task, remaining
    plan = load_plan(services, job.hash)
    with open_original(services, job) as original:
        made = preview.make_preview(original, plan)
    for name, data in (("preview.webp", made.webp), ("preview.gif", made.gif)):
        key = video_key(job.hash, name)
        store_derivative(services, job, name, key, data, width=made.width, height=made.height, duration=made.duration)
    return True
