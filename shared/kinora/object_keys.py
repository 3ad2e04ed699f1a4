"""Where every object lies (DESIGN: layout of the media scope) and which keys are allowed at all.

Called by the storage drivers, the pipeline and the API, so that no key is ever put together anywhere else.
"""

from __future__ import annotations

import re

from kinora.errors import InvalidKey

MAX_KEY_BYTES = 1024
MAX_COMPONENT_BYTES = 255
RESERVED_FOLDER = ".kinora"  # the filesystem driver's own working folder inside each root
STORYBOARD_PATH = "storyboard/storyboard.vtt"
RATES_PATH = "rates.json"
SUBTITLES_FOLDER = "subtitles/"
CACHE_FOLDER = "cache/"

_HASH = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPES = {
    "avif": "image/avif",
    "flac": "audio/flac",
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "json": "application/json",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4s": "video/iso.segment",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "png": "image/png",
    "vtt": "text/vtt; charset=utf-8",
    "webp": "image/webp",
}


def check_key(key: str) -> str:
    """Return `key` unchanged if every driver can store it safely.

    A key is 1 to 1,024 bytes of UTF-8 in `/`-separated components of 1 to 255 bytes, none of them `.` or `..`,
    without control characters and backslashes. Anything else raises InvalidKey: on a disk such keys could name
    something outside the scope's root.
    """
    try:
        raw = key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidKey(f"key is not valid Unicode: {key!r}") from error
    if not raw or len(raw) > MAX_KEY_BYTES:
        raise InvalidKey(f"key has {len(raw)} bytes; 1 to {MAX_KEY_BYTES} are allowed")
    if any(byte < 0x20 or byte == 0x7F for byte in raw) or "\\" in key:
        raise InvalidKey(f"key has a control character or backslash: {key!r}")
    components = key.split("/")
    if components[0] == RESERVED_FOLDER or any(part in {"", ".", ".."} for part in components):
        raise InvalidKey(f"key could leave its root: {key!r}")
    if any(len(part.encode()) > MAX_COMPONENT_BYTES for part in components):
        raise InvalidKey(f"key has a component over {MAX_COMPONENT_BYTES} bytes: {key!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` unchanged if it is empty or the beginning of an allowed key (it may end with `/`)."""
    if prefix:
        check_key(prefix + "x" if prefix.endswith("/") else prefix)
    return prefix


def encrypt_mark(key: str) -> str:
    """The key of the empty, hidden object beside an original that says, where objects have no metadata, that it shall be encrypted."""
    folder, slash, name = key.rpartition("/")
    return check_key(f"{folder}{slash}.{name}.kinora-encrypt")


def is_hash(text: str) -> bool:
    """Whether `text` is a lower-case hex SHA-256."""
    return _HASH.fullmatch(text) is not None


def image_folder(content_hash: str) -> str:
    return f"images/{content_hash[:2]}/{content_hash}/"


def video_folder(content_hash: str) -> str:
    return f"videos/{content_hash[:2]}/{content_hash}/"


def image_key(content_hash: str, variant: str, extension: str) -> str:
    return f"{image_folder(content_hash)}{variant}.{extension}"


def video_key(content_hash: str, path: str) -> str:
    """The key of `path` (`master.m3u8`, `plan.json`, `video/r720_h264/seg_3.m4s`) below a video's folder."""
    return video_folder(content_hash) + path


def revision_path(revision: int, path: str) -> str:
    """`path` of a track's file in a revision of the stream; the clear one, 0, has no folder of its own."""
    return f"{revision_folder(revision)}{path}"


def revision_folder(revision: int) -> str:
    return f"rev_{revision}/" if revision else ""


def segment_path(track: str, n: int) -> str:
    """`track` is `video/{rendition}` or `audio/{track}`, as everywhere in Kinora."""
    return f"{track}/seg_{n}.m4s"


def text_path(track: str) -> str:
    """The one segment of `track`, which is `subtitles/{name}`."""
    return f"{track}/seg_0.vtt"


def cached_image_key(processing_hash: str, extension: str) -> str:
    """A picture made on demand. Only its catalog row says what it was made of."""
    return f"{CACHE_FOLDER}{processing_hash}.{extension}"


def init_path(track: str) -> str:
    return f"{track}/init.mp4"


def playlist_path(track: str) -> str:
    return f"{track}/playlist.m3u8"


def i_frames_path(track: str) -> str:
    return f"{track}/iframes.m3u8"


def sheet_path(sheet: int) -> str:
    return f"storyboard/sheet_{sheet}.jpg"


def proxy_path(rendition: str) -> str:
    return f"proxy/{rendition}.mp4"


def moment_folder(moment: str) -> str:
    return f"moments/{moment}/"


def moment_path(moment: str, version: int) -> str:
    return f"{moment_folder(moment)}v{version}.mp4"


def media_type_of(key: str) -> str:
    """The media type that Kinora declares for a stored object, from its extension alone."""
    extension = key.rsplit(".", 1)[-1].lower() if "." in key else ""
    return _MEDIA_TYPES.get(extension, "application/octet-stream")
