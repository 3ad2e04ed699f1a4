"""The choices of sound that a multivariant playlist offers: groups of EXT-X-MEDIA tags (RFC 8216 §4.3.4.1); a room of hls.

Every group offers the same choices under the same names, as Apple's authoring rules ask: where a stream has no surround track,
its stereo track stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinora.media.hls_text import quoted, yes_or_no
from kinora.media.languages import UNKNOWN
from kinora.media.plan import AudioTrack

_CHARACTERISTICS = {"description": "public.accessibility.describes-video"}


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
        characteristics = _CHARACTERISTICS.get(track.role)
        return {
            "TYPE": "AUDIO",
            "GROUP-ID": quoted(self.id),
            "NAME": quoted(name),
            **({} if track.language == UNKNOWN else {"LANGUAGE": quoted(track.language)}),
            "DEFAULT": yes_or_no(is_default),
            "AUTOSELECT": yes_or_no(is_automatic),
            **({"CHARACTERISTICS": quoted(characteristics)} if characteristics else {}),
            "CHANNELS": quoted(str(track.channels)),
            "URI": quoted(f"{track.track}/playlist.m3u8"),
        }


def audio_groups(tracks: Sequence[AudioTrack]) -> list[Group]:
    """The groups that the tracks form, the one for every player first; none without tracks."""
    ordered = sorted(tracks, key=lambda one: not one.default)
    common: dict[int, AudioTrack] = {}
    for track in ordered:
        if _group_of(track) == "aac-stereo":
            common[track.source_index] = track
    names = _names(list(common.values()))
    groups: list[Group] = []
    for group in sorted({_group_of(track) for track in tracks}, key=lambda one: (one != "aac-stereo", one)):
        own = {track.source_index: track for track in ordered if _group_of(track) == group}
        groups.append(Group(group, tuple((own.get(index, track), names[index]) for index, track in common.items())))
    return groups


def _group_of(track: AudioTrack) -> str:
    return f"{track.codec}-{'surround' if track.channels > 2 else 'stereo'}"


def _names(tracks: Sequence[AudioTrack]) -> dict[int, str]:
    """By source stream names that differ, as they must within a group (RFC 8216 §4.3.4.1.1)."""
    named: dict[int, str] = {}
    for track in tracks:
        name = " ".join(track.title.split()) or ("Audio" if track.language == UNKNOWN else track.language)
        taken = sum(1 for other in named.values() if other == name or other.startswith(f"{name} ("))
        named[track.source_index] = f"{name} ({taken + 1})" if taken else name
    return named
