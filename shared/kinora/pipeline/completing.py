"""Having every segment that an export needs: those that are missing are made as for a viewer, or waited for.

Called by the exports. Encodes nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kinora.model import Job, JobState
from kinora.pipeline.on_demand import make_segment
from kinora.pipeline.segments import is_stored
from kinora.services import Services

WAIT_SECONDS = 15  # between two looks at what others are encoding

Wanted = Iterable[tuple[str, int | None]]


def complete_segments(services: Services, job: Job, wanted: Wanted, is_late: Callable[[], bool]) -> int | None:
    """Make what is missing of `wanted` (track and number; None is the init segment). None when all is stored, else the seconds
    after which to look again: time ran out, or somebody else is at work. Raises what making a segment raises."""
    others = 0
    for track, n in wanted:
        if is_stored(services, job.hash, track, n):
            continue
        if is_late():
            return 0
        if _is_being_encoded(services, job):
            return WAIT_SECONDS
        others += not make_segment(services, job.hash, track, n)
    return WAIT_SECONDS if others else None


def _is_being_encoded(services: Services, job: Job) -> bool:
    """Whether the tasks of the job make every segment soon anyway."""
    return job.state is JobState.ENCODING or (job.state is JobState.PLAYABLE and services.settings.encode == "eager")
