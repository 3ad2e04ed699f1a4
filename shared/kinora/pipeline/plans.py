"""Reading and storing `plan.json`: the first plan that is stored is the plan."""

from __future__ import annotations

from kinora.errors import AlreadyExists
from kinora.media.plan import Plan
from kinora.model import Scope
from kinora.object_keys import video_key
from kinora.pipeline.media_objects import put_media
from kinora.services import Services
from kinora.storage.base import PutMode


def load_plan(services: Services, content_hash: str) -> Plan:
    """Raises NotFound before `prepare` has stored it."""
    with services.storage.open(Scope.MEDIA, video_key(content_hash, "plan.json")) as reader:
        return Plan.from_json(reader.read())


def store_plan(services: Services, plan: Plan) -> Plan:
    """Store `plan` unless there is one, and return the one that is stored then."""
    try:
        put_media(services, plan.hash, video_key(plan.hash, "plan.json"), plan.to_json(), PutMode.CREATE)
    except AlreadyExists:
        return load_plan(services, plan.hash)
    return plan


def is_planned(plan: Plan, track: str, n: int | None) -> bool:
    """Whether `track` has a segment `n`; None stands for its init segment."""
    return track in plan.tracks() and (n is None or 0 <= n < plan.segment_count(track))
