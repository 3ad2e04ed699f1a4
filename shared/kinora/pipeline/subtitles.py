"""The texts of a video: a stage of its own that reads the original once for each text track, after playback is possible."""

from __future__ import annotations

from collections.abc import Mapping

from kinora.media.subtitles import make_subtitles
from kinora.model import Job, StageName
from kinora.object_keys import text_path, video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.side_stages import side_stage
from kinora.services import Services


@side_stage(StageName.SUBTITLES)
def make_texts(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> bool:
    """Store the WebVTT file of every text track; made again it is the same bytes. Raises CorruptMedia, OriginalGone."""
    del task, remaining
    plan = load_plan(services, job.hash)
    for track in (one.track for one in plan.subtitles):
        with open_original(services, job) as original:
            text = make_subtitles(original, plan, track)
        store_derivative(services, job, track, video_key(job.hash, text_path(track)), text)
    return True
