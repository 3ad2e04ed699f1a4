"""Publishing what is known once all segments exist: measured rates and I-frame playlists. Called before a job becomes ready.

Everything is read from what is stored, so that doing it twice, or once more after being killed, gives the same playlists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kinora.errors import NotFound
from kinora.media import hls
from kinora.media.iframes import HEAD_BYTES, first_sample_end, headers_end
from kinora.media.plan import Plan
from kinora.media.rates import Measured, Rates, measured_rates
from kinora.model import Job, Scope
from kinora.object_keys import i_frames_path, revision_path, segment_path, video_key
from kinora.observability import logger
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.plans import load_plan
from kinora.pipeline.revisions import revisions_of
from kinora.pipeline.stream import publish_stream, store_rates
from kinora.services import Services
from kinora.storage.base import ByteRange

_READERS = 16  # reads under way at once: each takes a few milliseconds, nearly all of it waiting
_SEGMENT = re.compile(r"/seg_([0-9]+)\.m4s")


def publish_measured(services: Services, job: Job) -> None:
    """Store the I-frame playlists and, last, the multivariant playlist with true rates.

    A track of which a segment is missing keeps the plan's bound. Raises NotFound if the blob was removed meanwhile.
    """
    plan = load_plan(services, job.hash)
    store_rates(services, plan.hash, _measure(services, plan))
    publish_stream(services, job, plan)


def _measure(services: Services, plan: Plan) -> Measured:
    """The rates of what is stored; I-frame playlists are stored on the way, of clear streams only: their byte ranges cannot be
    decrypted."""
    revision = revisions_of(services, plan.hash).served
    tracks: dict[str, Rates] = {}
    i_frames: dict[str, Rates] = {}
    for track in plan.tracks():
        sizes = _segment_sizes(services, plan, revision, track)
        if sizes is None:
            logger.warning("track is not complete", extra={"hash": plan.hash, "track": track})
            continue
        durations = hls.segment_durations(plan, track)
        tracks[track] = measured_rates(sizes, durations)
        has_i_frames = track.startswith("video/") and revision == 0
        lengths = _i_frame_lengths(services, plan, track, len(sizes)) if has_i_frames else None
        if lengths is not None:
            playlist = hls.i_frame_playlist(plan, track, lengths).encode()
            put_media(services, plan.hash, video_key(plan.hash, i_frames_path(track)), playlist)
            i_frames[track] = measured_rates(lengths, durations)
    return Measured(tracks, i_frames)


def _segment_sizes(services: Services, plan: Plan, revision: int, track: str) -> list[int] | None:
    """The bytes of every segment in order; None if one is missing."""
    sizes: dict[int, int] = {}
    for info in services.storage.list(Scope.MEDIA, video_key(plan.hash, revision_path(revision, f"{track}/"))):
        number = _SEGMENT.search(info.key)
        if number:
            sizes[int(number[1])] = info.size
    numbers = range(plan.segment_count(track))
    return [sizes[n] for n in numbers] if all(n in sizes for n in numbers) else None


def _i_frame_lengths(services: Services, plan: Plan, track: str, count: int) -> Sequence[int] | None:
    """How far the first picture of every segment reaches; None if a segment does not say."""

    def length(n: int) -> int | None:
        return _first_picture_end(lambda size: _head(services, video_key(plan.hash, segment_path(track, n)), size))

    try:
        with ThreadPoolExecutor(_READERS) as readers:
            lengths = list(readers.map(length, range(count)))
    except NotFound:
        return None
    known = [one for one in lengths if one is not None]
    return known if len(known) == count else None


def _first_picture_end(read: Callable[[int], bytes]) -> int | None:
    head = read(HEAD_BYTES)
    needed = headers_end(head)
    if needed is not None and needed > len(head):
        head = read(needed)
    return first_sample_end(head)


def _head(services: Services, key: str, size: int) -> bytes:
    with services.storage.open(Scope.MEDIA, key, ByteRange(0, size - 1)) as reader:
        return reader.read()
