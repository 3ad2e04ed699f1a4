"""The choices of sound and text that a multivariant playlist offers: groups of EXT-X-MEDIA tags (RFC 8216 §4.3.4.1); a room of hls.

Every group offers the same choices under the same names, as Apple's authoring rules ask: where a stream has no surround track,
its stereo track stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import TypeVar

from kinora.media.hls_text import quoted, yes_or_no
from kinora.media.languages import UNKNOWN
from kinora.media.plan import AudioTrack, SubtitleTrack

K = TypeVar("K")
T = TypeVar("T", AudioTrack, SubtitleTrack)

_CHARACTERISTICS = {
    "description": "public.accessibility.describes-video",
    "captions": "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound",
}
SUBTITLES = "subtitles"  # the one group of texts


@dataclass(frozen=True, slots=True)
class Group:
    """`tracks` with the names of their choices, the default one first."""

    id: str
    tracks: tuple[tuple[AudioTrack, str], ...]

    @property
    def bandwidth(self) -> int:
        return max(track.bandwidth for track, _ in self.tracks)

    @property
    def codecs(self) -> list[str]:
        return [track.codecs for track, _ in self.tracks]

    def media(self) -> list[dict[str, str]]:
        """The attributes of the group's tags. A player may select each of them by its attributes, so those that are the
        same as an earlier one's, and commentaries, are only for the viewer to select."""
        seen: set[tuple[str, str]] = set()
        tags: list[dict[str, str]] = []
        for n, (track, name) in enumerate(self.tracks):
            alike = (track.language, track.role)
            is_automatic = n == 0 or (alike not in seen and track.role != "commentary")
            seen.add(alike)
            tags.append(self._tag(track, name, is_default=n == 0, is_automatic=is_automatic))
        return tags

    def _tag(self, track: AudioTrack, name: str, *, is_default: bool, is_automatic: bool) -> dict[str, str]:
        choice = _choice("AUDIO", self.id, track, name, is_default=is_default, is_automatic=is_automatic)
        return choice | {"CHANNELS": quoted(str(track.channels)), "URI": quoted(f"{track.track}/playlist.m3u8")}


def subtitle_media(tracks: Sequence[SubtitleTrack]) -> list[dict[str, str]]:
    """The attributes of the tags for texts: of those that are the same only the first is automatic, and of several that want
    to be the default only the first is it (RFC 8216 §4.3.4.1.1)."""
    seen: set[tuple[str, bool, str]] = set()
    tags: list[dict[str, str]] = []
    named = _names([(one.name, one) for one in sorted(tracks, key=lambda one: not one.default)])
    for n, (track, name) in enumerate(named.values()):
        alike = (track.language, track.forced, track.role)
        is_default = track.default and n == 0
        choice = _choice("SUBTITLES", SUBTITLES, track, name, is_default=is_default, is_automatic=alike not in seen)
        seen.add(alike)
        tags.append(choice | {"FORCED": yes_or_no(track.forced), "URI": quoted(f"{track.track}/playlist.m3u8")})
    return tags


def _choice(
    kind: str, group: str, track: AudioTrack | SubtitleTrack, name: str, *, is_default: bool, is_automatic: bool
) -> dict[str, str]:
    characteristics = _CHARACTERISTICS.get(track.role)
    return {
        "TYPE": kind,
        "GROUP-ID": quoted(group),
        "NAME": quoted(name),
        **({} if track.language == UNKNOWN else {"LANGUAGE": quoted(track.language)}),
        "DEFAULT": yes_or_no(is_default),
        "AUTOSELECT": yes_or_no(is_automatic),
        **({"CHARACTERISTICS": quoted(characteristics)} if characteristics else {}),
    }


def audio_groups(tracks: Sequence[AudioTrack]) -> list[Group]:
    """The groups that the tracks form, the one for every player first; none without tracks."""
    ordered = sorted(tracks, key=lambda one: not one.default)
    common: dict[int, AudioTrack] = {}
    for track in ordered:
        if _group_of(track) == "aac-stereo":
            common[track.source_index] = track
    names = {index: name for index, (_, name) in _names(list(common.items())).items()}
    groups: list[Group] = []
    for group in sorted({_group_of(track) for track in tracks}, key=lambda one: (one != "aac-stereo", one)):
        own = {track.source_index: track for track in ordered if _group_of(track) == group}
        groups.append(Group(group, tuple((own.get(index, track), names[index]) for index, track in common.items())))
    return groups


def _group_of(track: AudioTrack) -> str:
    return f"{track.codec}-{'surround' if track.channels > 2 else 'stereo'}"


def _names(tracks: Sequence[tuple[K, T]]) -> dict[K, tuple[T, str]]:
    """The tracks with names that differ, as they must within a group (RFC 8216 §4.3.4.1.1)."""
    named: dict[K, tuple[T, str]] = {}
    for key, track in tracks:
        unknown = "Audio" if isinstance(track, AudioTrack) else "Subtitles"
        wanted = quoted(" ".join(track.title.split()))[1:-1] or (unknown if track.language == UNKNOWN else track.language)
        others = {other for _, other in named.values()}
        numbered = (f"{wanted} ({n})" for n in count(2))
        named[key] = track, next(name for name in chain((wanted,), numbered) if name not in others)
    return named
