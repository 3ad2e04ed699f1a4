"""Which subtitle files of the source scope belong to which media: decided by names alone, and by what lies there now.

Called by ingest, which tells media that something beside them has changed, and by the task that then looks. Order and
repetition of events make no difference: whoever looks last sees what there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from kinora.errors import InvalidKey
from kinora.media.subtitle_file import MOST_FILE_BYTES, NameParts, is_subtitle_name, possible_stems
from kinora.model import Kind, Scope
from kinora.services import Services
from kinora.storage.base import ObjectInfo

_MOST_FILES = 32  # of one original
_MOST_LISTED = 2000


@dataclass(frozen=True, slots=True)
class SidecarFile:
    """A file at `key`, in the state `etag`, with what its name says."""

    key: str
    etag: str
    parts: NameParts


def files_of(services: Services, content_hash: str) -> list[SidecarFile]:
    """The files beside every original of the hash, by key; whether they hold subtitles is not looked at."""
    found: dict[str, SidecarFile] = {}
    for original in services.catalog.originals(content_hash):
        found |= {one.key: one for one in _files_beside(services, original.key)}
    return [found[key] for key in sorted(found)]


def media_beside(services: Services, key: str) -> set[str]:
    """The hashes of the media that may gain or lose a subtitle file by a change at `key`, itself a file or an original."""
    files = [key] if is_subtitle_name(key) else [one.key for one in _beside(services, key) if is_subtitle_name(one.key)]
    hashes: set[str] = set()
    for file in files[:_MOST_FILES]:
        hashes |= {one for one in (media_at(services, owner) for owner in _possible_owners(services, file)) if one}
    return hashes


def media_at(services: Services, key: str) -> str | None:
    """The hash of the original at `key` if it is video or sound."""
    original = services.catalog.original(key)
    if original is None or original.removed:
        return None
    blob = services.catalog.blob(original.hash)
    return blob.hash if blob is not None and blob.kind in {Kind.VIDEO, Kind.AUDIO} else None


def _possible_owners(services: Services, file: str) -> Iterable[str]:
    folder, name = _split(file)
    stems = [stem for stem in possible_stems(name) if stem]
    if not stems:
        return []
    listed = _listed(services, f"{folder}{stems[-1]}.")
    return [folder + stems[-1], *(one.key for one in listed if _has_one_of(one.key, stems))]


def _files_beside(services: Services, original: str) -> list[SidecarFile]:
    listed = _beside(services, original)
    files = [one for one in listed if is_subtitle_name(one.key) and one.key != original and one.size <= MOST_FILE_BYTES]
    claims = ((one, _claim(services, original, one.key, listed)) for one in files)
    return list(islice((SidecarFile(one.key, one.etag, parts) for one, parts in claims if parts is not None), _MOST_FILES))


def _claim(services: Services, original: str, file: str, listed: list[ObjectInfo]) -> NameParts | None:
    """What the file's name says if it belongs to the original; another one with a longer part of the name comes first."""
    for stem, parts in possible_stems(_split(file)[1]).items():
        if _has_one_of(original, [stem]):
            return parts
        rivals = (one.key for one in listed if _has_one_of(one.key, [stem]) and not is_subtitle_name(one.key))
        if any(media_at(services, rival) for rival in rivals):
            return None
    return None


def _beside(services: Services, key: str) -> list[ObjectInfo]:
    folder, name = _split(key)
    return _listed(services, f"{folder}{_stem(name)}.")


def _listed(services: Services, prefix: str) -> list[ObjectInfo]:
    """What begins with `prefix` in its folder, not below; nothing if a key is not allowed to begin so."""
    try:
        found = list(islice(services.storage.list(Scope.SOURCE, prefix), _MOST_LISTED))
    except InvalidKey:  # a name that is as long as names may be
        return []
    return [one for one in found if "/" not in one.key[len(prefix) :]]


def _has_one_of(key: str, stems: list[str]) -> bool:
    name = _split(key)[1]
    return name in stems or _stem(name) in stems


def _split(key: str) -> tuple[str, str]:
    folder, slash, name = key.rpartition("/")
    return folder + slash, name


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
