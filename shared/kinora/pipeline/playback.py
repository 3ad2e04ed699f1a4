"""What a stream's folder offers to viewers, and whether something that is not there yet is on its way. Called by the API."""

from __future__ import annotations

import re

from kinora.errors import NotFound, Pending
from kinora.model import Scope
from kinora.object_keys import STORYBOARD_PATH, is_hash, video_key
from kinora.pipeline.plans import load_plan
from kinora.services import Services

_TRACK_FILE = re.compile(r"((?:video|audio)/[A-Za-z0-9_-]{1,64})/(playlist\.m3u8|init\.mp4|seg_(0|[1-9][0-9]{0,8})\.m4s)")
_FILES = frozenset({"master.m3u8", "cover.jpg", "preview.webp", "preview.gif", STORYBOARD_PATH, "waveform.json"})
_TEXT = re.compile(r"(subtitles/[A-Za-z0-9_-]{1,64})/(?:playlist\.m3u8|seg_0\.vtt)")
_SHEET = re.compile(r"storyboard/sheet_(0|[1-9][0-9]{0,3})\.jpg")


def stream_key(content_hash: str, path: str) -> str:
    """The key of a file that viewers may ask for; raises NotFound for anything else, so that nothing else can be read."""
    is_known = path in _FILES or any(files.fullmatch(path) for files in (_TRACK_FILE, _TEXT, _SHEET))
    if not is_hash(content_hash) or not is_known:
        raise NotFound(f"no stream file {path!r}")
    return video_key(content_hash, path)


def read_index(services: Services, content_hash: str, path: str) -> str:
    """The text of a playlist, or of the storyboard. Raises NotFound."""
    with services.storage.open(Scope.MEDIA, stream_key(content_hash, path)) as reader:
        return reader.read().decode()


def explain_absence(services: Services, content_hash: str, path: str) -> NotFound | Pending:
    """The error for a stream file that is not stored: Pending if the plan has it, else NotFound."""
    match = _TRACK_FILE.fullmatch(path)
    text = _TEXT.fullmatch(path)
    try:
        plan = load_plan(services, content_hash)
        planned = (text is not None and text[1] in {one.track for one in plan.subtitles}) or (
            match is not None
            and match[1] in plan.tracks()
            and (match[3] is None or int(match[3]) < plan.segment_count(match[1]))
        )
    except NotFound:
        planned = False
    return Pending(f"{path} is planned") if planned else NotFound(f"no stream file {path!r}")
