"""What an original is: its hash and its type, both from its bytes and in constant memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from kinora.errors import KinoraError, LimitExceeded, UnsupportedMedia
from kinora.media.sniff import HEAD_BYTES, Sniffed, sniff
from kinora.media.subtitle_file import MOST_FILE_BYTES, is_subtitle_name, read_subtitles
from kinora.model import Original, Scope
from kinora.services import Services
from kinora.storage.base import ObjectInfo

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Either `sniffed` says what media it is, or `text_type` what subtitles, or `unsupported` why the content is of no use."""

    hash: str
    sniffed: Sniffed | None = None
    unsupported: KinoraError | None = None
    text_type: str = ""


def fingerprint(services: Services, info: ObjectInfo, known: Original | None) -> Fingerprint:
    """Hash and sniff the original that `info` describes.

    The hash is not computed again when S3 has verified it, or when `known` is the same state of the same object.
    Raises NotFound or PreconditionFailed if the object changes meanwhile.
    """
    with services.storage.open(Scope.SOURCE, info.key, etag=info.etag) as reader:
        head = read_head(reader)
        content_hash = info.sha256 or _known_hash(info, known)
        if content_hash is None:
            digest = hashlib.sha256(head)
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
            content_hash = digest.hexdigest()
    try:
        return Fingerprint(content_hash, sniff(head))
    except UnsupportedMedia as error:
        if not is_subtitle_name(info.key):
            return Fingerprint(content_hash, unsupported=error)
    try:
        return Fingerprint(content_hash, text_type=_text_type(services, info))
    except (UnsupportedMedia, LimitExceeded) as error:
        return Fingerprint(content_hash, unsupported=error)


def read_head(reader: BinaryIO) -> bytes:
    """The first bytes of a file, as many as `sniff` wants."""
    head = b""
    while len(head) < HEAD_BYTES and (chunk := reader.read(HEAD_BYTES - len(head))):
        head += chunk
    return head


def _text_type(services: Services, info: ObjectInfo) -> str:
    """The type of a file that is called subtitles; raises UnsupportedMedia, LimitExceeded if it has none."""
    with services.storage.open(Scope.SOURCE, info.key, etag=info.etag) as reader:
        return read_subtitles(reader.read(MOST_FILE_BYTES + 1)).media_type


def _known_hash(info: ObjectInfo, known: Original | None) -> str | None:
    if known is None or known.removed or (known.etag, known.size, known.version) != (info.etag, info.size, info.version):
        return None
    return known.hash
