"""The waveform of a video or audio original: a stage of its own that never blocks playback."""

from __future__ import annotations

from collections.abc import Mapping

from kinora.media import waveform
from kinora.model import Job, StageName
from kinora.object_keys import video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.side_stages import side_stage
from kinora.services import Services


@side_stage(StageName.WAVEFORM)
def make_waveform(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> bool:
    """Store `waveform.json`. Raises CorruptMedia, OriginalGone."""
    del task, remaining
    plan = load_plan(services, job.hash)
    with open_original(services, job) as original:
        data = waveform.make_waveform(original, plan)
    key = video_key(job.hash, "waveform.json")
    store_derivative(services, job, "waveform", key, data, duration=plan.probe.duration)
    return True
