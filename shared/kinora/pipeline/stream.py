"""Publishing the multivariant playlist: always a function of the plan, the sidecars' rows, the revision that is
served and the measured rates.

Called by prepare, by finish and for sidecars, also at the same time: whoever stores it looks afterwards whether it still
says what is known, so that the last one stored does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from kinora.errors import NotFound, StaleState
from kinora.media import hls
from kinora.media.plan import Plan, SubtitleTrack
from kinora.media.rates import Measured, Rates
from kinora.model import Job, Scope, Sidecar
from kinora.object_keys import RATES_PATH, playlist_path, revision_folder, video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.revisions import revisions_of
from kinora.services import Services

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class _Known:
    measured: Measured
    sidecars: tuple[Sidecar, ...]
    revision: int


def publish_stream(services: Services, job: Job, plan: Plan) -> None:
    """Store the playlists of sidecars and the multivariant playlist, from which all else is found.

    Raises NotFound if the blob was removed meanwhile, StaleState if what is known changes faster than it is published.
    """
    for _ in range(_ATTEMPTS):
        known = _known(services, plan.hash)
        _publish(services, job, plan, known)
        if _known(services, plan.hash) == known:
            return
    raise StaleState(f"the stream of {plan.hash} changes all the time")


def store_rates(services: Services, content_hash: str, measured: Measured) -> None:
    """Keep what was measured for everybody who publishes."""
    put_media(services, content_hash, video_key(content_hash, RATES_PATH), json.dumps(asdict(measured)).encode())


def load_rates(services: Services, content_hash: str) -> Measured | None:
    """What was measured, if it was."""
    try:
        with services.storage.open(Scope.MEDIA, video_key(content_hash, RATES_PATH)) as reader:
            raw = json.loads(reader.read())
    except NotFound:
        return None
    return Measured(*({track: Rates(**one) for track, one in raw[name].items()} for name in ("tracks", "i_frames")))


def sidecars_of(services: Services, content_hash: str) -> tuple[Sidecar, ...]:
    """Those that are shown: by the API first, then files by key."""
    found = [one for one in services.catalog.sidecars(content_hash) if not one.removed]
    return tuple(sorted(found, key=lambda one: (one.source, one.id)))


def _known(services: Services, content_hash: str) -> _Known:
    revision = revisions_of(services, content_hash).served
    measured = load_rates(services, content_hash) or Measured()
    if revision:
        measured = replace(measured, i_frames={})  # byte ranges of encrypted segments cannot be decrypted
    return _Known(measured, sidecars_of(services, content_hash), revision)


def _publish(services: Services, job: Job, plan: Plan, known: _Known) -> None:
    whole = replace(plan, subtitles=(*_tracks(known.sidecars), *plan.subtitles))
    for sidecar in known.sidecars:
        playlist = hls.media_playlist(whole, sidecar.track).encode()
        put_media(services, plan.hash, video_key(plan.hash, playlist_path(sidecar.track)), playlist)
    video = plan.probe.video
    store_derivative(
        services,
        job,
        "stream",
        video_key(job.hash, "master.m3u8"),
        hls.multivariant_playlist(whole, known.measured, revision_folder(known.revision)).encode(),
        width=video.width if video else None,
        height=video.height if video else None,
        duration=plan.probe.duration,
    )


def _tracks(sidecars: Sequence[Sidecar]) -> list[SubtitleTrack]:
    return [
        SubtitleTrack(
            name=one.track.removeprefix("subtitles/"),
            codec="webvtt",
            source_index=-1,
            language=one.language,
            title=one.title,
            default=one.default,
            forced=one.forced,
            role=one.role,
        )
        for one in sidecars
    ]
