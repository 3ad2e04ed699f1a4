"""What a stream's folder offers to viewers, and having made what is planned and not there yet. Called by the API."""

from __future__ import annotations

import re

from kinora.errors import NotFound, Pending
from kinora.invoking.base import segment_request
from kinora.model import Scope, Stage, StageName, StageState
from kinora.object_keys import STORYBOARD_PATH, is_hash, video_key
from kinora.pipeline.exports import newest_job
from kinora.pipeline.having_made import have_made, note_hit
from kinora.pipeline.plans import is_planned, load_plan
from kinora.pipeline.revisions import revisions_of
from kinora.pipeline.segments import is_stored
from kinora.services import Services

_TRACK_FILE = re.compile(r"((?:video|audio)/[A-Za-z0-9_-]{1,64})/(playlist\.m3u8|init\.mp4|seg_(0|[1-9][0-9]{0,8})\.m4s)")
_REVISION = re.compile(r"rev_([1-9][0-9]{0,5})/(.+)")
_I_FRAMES = re.compile(r"video/[A-Za-z0-9_-]{1,64}/iframes\.m3u8")
_TEXT = re.compile(r"(subtitles/[A-Za-z0-9_-]{1,64})/(?:playlist\.m3u8|seg_0\.vtt)")
_SHEET = re.compile(r"storyboard/sheet_(0|[1-9][0-9]{0,3})\.jpg")
_STAGES = {
    "cover.jpg": StageName.POSTER,
    "preview.webp": StageName.PREVIEW,
    "preview.gif": StageName.PREVIEW,
    STORYBOARD_PATH: StageName.STORYBOARD,
    "waveform.json": StageName.WAVEFORM,
}
_EXPORT = re.compile(r"(?:proxy/[A-Za-z0-9_-]{1,64}|moments/[0-9a-f]{32}/v[1-9][0-9]{0,8})\.mp4")


def stream_key(content_hash: str, path: str) -> str:
    """The key of a file that viewers may ask for; raises NotFound for anything else, so that nothing else can be read."""
    revision, file = _split(path)
    files = (_TRACK_FILE,) if revision else (_TRACK_FILE, _I_FRAMES, _TEXT, _SHEET, _EXPORT)
    is_known = (not revision and (path == "master.m3u8" or path in _STAGES)) or any(one.fullmatch(file) for one in files)
    if not is_hash(content_hash) or not is_known:
        raise NotFound(f"no stream file {path!r}")
    return video_key(content_hash, path)


def read_index(services: Services, content_hash: str, path: str) -> str:
    """The text of a playlist, or of the storyboard. Raises NotFound."""
    with services.storage.open(Scope.MEDIA, stream_key(content_hash, path)) as reader:
        return reader.read().decode()


def make_missing(services: Services, content_hash: str, path: str) -> None:
    """Return when a file of the stream that was missing is stored. Raises NotFound if it is not planned or cannot be made,
    Pending if it is no segment or takes too long, and what making it raises."""
    wanted = _wanted(services, content_hash, path)
    if wanted is None or services.on_demand is None:
        raise Pending(f"{path} is planned")
    have_made(services, segment_request(content_hash, *wanted), lambda: is_stored(services, content_hash, *wanted))


def note_stored(services: Services, path: str) -> None:
    """A file that would have been made if it had not been there: a hit of the cache that the media scope is."""
    if path.endswith((".m4s", "/init.mp4")):
        note_hit(services, "segment")


def explain_absence(services: Services, content_hash: str, path: str) -> NotFound | Pending:
    """The error for a file of the stream that is not stored: Pending if the plan has it, else NotFound."""
    try:
        _wanted(services, content_hash, path)
    except NotFound as error:
        return error
    return Pending(f"{path} is planned")


def _wanted(services: Services, content_hash: str, path: str) -> tuple[str, int | None] | None:
    """Track and number (None: the init segment) of what is at `path`, or None if that is planned and no segment.

    Raises NotFound if it is not planned, or if the stage that would have made it has failed.
    """
    stage = _STAGES.get(path) or (StageName.STORYBOARD if _SHEET.fullmatch(path) else None)
    if stage is not None:
        _expect(services, content_hash, path, stage)
        return None
    revision, of_track = _split(path)
    media, text = _TRACK_FILE.fullmatch(of_track), None if revision else _TEXT.fullmatch(path)
    if media is None and text is None:
        raise NotFound(f"no stream file {path!r}")
    plan = load_plan(services, content_hash)
    if text is not None and text[1] in {one.track for one in plan.subtitles}:
        _expect(services, content_hash, path, StageName.SUBTITLES)
        return None
    if media is not None:
        track, file, number = media.groups()
        n = None if number is None else int(number)
        if is_planned(plan, track, n) and revision in revisions_of(services, content_hash).live:
            return None if file == "playlist.m3u8" else (track, n)
    raise NotFound(f"no stream file {path!r}")


def _split(path: str) -> tuple[int, str]:
    """The revision whose folder `path` lies in, 0 for none, and the rest."""
    found = _REVISION.fullmatch(path)
    return (int(found[1]), found[2]) if found else (0, path)


def _expect(services: Services, content_hash: str, path: str, name: StageName) -> None:
    """Raises NotFound unless the stage that makes `path` is still to come, or has just ended: with the code of what went wrong
    if it, or the whole job, has failed."""
    job = newest_job(services, content_hash)
    stage = job.stages.get(name, Stage(StageState.SKIPPED))
    if stage.state in {StageState.PENDING, StageState.RUNNING} and not job.state.is_final:
        return
    if stage.state is StageState.READY:
        services.storage.head(Scope.MEDIA, video_key(content_hash, path))
        return
    failure = stage.error if stage.state is StageState.FAILED else job.error
    if failure is None or stage.state is StageState.SKIPPED:
        raise NotFound(f"{name.value} of {content_hash} is {stage.state.value}")
    raise NotFound(f"{name.value} of {content_hash} has failed", public_message=failure.message, code=failure.code)
