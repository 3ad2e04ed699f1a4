"""Making a picture of what a video shows at some time because somebody waits for it. Called by the video function when it is
invoked directly."""

from __future__ import annotations

from kinora.errors import NotFound, Pending
from kinora.image_options import ImageOptions
from kinora.invoking.base import Request
from kinora.media.deadline import Deadline
from kinora.media.image import Picture
from kinora.media.plan import Plan
from kinora.media.stills import Scaler, film_of, fitted, pictures_at, time_shown
from kinora.media.transform import make_still
from kinora.pipeline.cached_images import make_once
from kinora.pipeline.exports import newest_job
from kinora.pipeline.on_demand_images import SECONDS, what_is_wanted
from kinora.pipeline.originals import open_content
from kinora.pipeline.plans import load_plan
from kinora.services import Services


def make_frame(services: Services, request: Request) -> bool:
    """Whether the picture is stored now; False if somebody else is making it. Times past the end show the last picture.

    Raises Pending before the video is planned, CorruptMedia, LimitExceeded, OriginalGone, UnsupportedMedia.
    """
    content_hash, options = what_is_wanted(request)
    return make_once(services, content_hash, options, lambda: _make(services, content_hash, options))


def _make(services: Services, content_hash: str, options: ImageOptions) -> Picture:
    plan = _plan(services, content_hash)
    video = film_of(plan)
    with open_content(services, content_hash) as original, Deadline(SECONDS) as deadline:
        (frame,) = pictures_at(original, plan, [time_shown(plan, options.time)])
        picture = Scaler(plan, *fitted(video, max(video.width, video.height))).render(frame)
        return make_still(picture, options, max_output=services.settings.max_output_pixels, deadline=deadline)


def _plan(services: Services, content_hash: str) -> Plan:
    try:
        return load_plan(services, content_hash)
    except NotFound:
        job = newest_job(services, content_hash)
        if job.error is not None:
            raise NotFound(f"job {job.id} has failed", public_message=job.error.message, code=job.error.code) from None
        if job.state.is_final:
            raise
        raise Pending(f"{content_hash} is not planned yet") from None
