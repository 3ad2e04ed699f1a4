"""The plan of one video or audio original: everything that every later step must agree on. Stored as `plan.json`.

Made once by `prepare` (probe → timeline → ladder) and read by every encode task; the same original and recipe give the same
plan. Times inside a stream are integers in its time base; `origin` is the one instant that becomes 0 in the output.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

PLAN_VERSION = 2
AAC_FRAME = 1024  # samples in one AAC-LC frame (ISO/IEC 14496-3)
OPUS_FRAME = 960  # samples in 20 ms at 48 kHz (RFC 6716)


@dataclass(frozen=True, slots=True)
class VideoSource:
    """The video stream that is used. `width` and `height` are display pixels: after rotation and with square pixels.

    `rotation` is how far decoded pictures are turned clockwise to be shown upright: 0, 90, 180 or 270 degrees; those of a
    `mirrored` video then change left and right. `start` and `end` are pts in `time_base`. The colour fields are FFmpeg's names,
    `unknown` where nothing is signalled.
    """

    index: int
    codec: str
    time_base: Fraction
    width: int
    height: int
    rotation: int
    pixel_format: str
    frame_rate: Fraction | None
    start: int
    end: int
    color_primaries: str
    color_transfer: str
    color_space: str
    color_range: str
    interlaced: bool = False
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class AudioSource:
    """One audio stream of the original; `start` in its time base, `language` is the container's tag or `und`.

    `layout` is FFmpeg's name of the channel layout; `role` is `commentary`, `description` or nothing.
    """

    index: int
    codec: str
    time_base: Fraction
    sample_rate: int
    channels: int
    start: int
    end: int
    language: str
    title: str
    default: bool
    layout: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the container says. `container` is the sniffed name of the demuxer, `duration` is in seconds."""

    container: str
    duration: float
    video: VideoSource | None
    audio: tuple[AudioSource, ...]


@dataclass(frozen=True, slots=True)
class Rendition:
    """One rung in one codec, such as `r720_h264`. Rates are in bits per second; `codecs` is the RFC 6381 string.

    Times in the segments are later than in the presentation by `delay` ticks of the output's timescale, so that pictures can be
    decoded in another order than they are shown; the edit list of the init segment takes the delay away. The pictures of a
    `copied` rendition are the original's own; only a segment that turns out not to be exact is encoded.
    """

    name: str
    codec: str
    width: int
    height: int
    crf: int
    max_rate: int
    buffer_size: int
    codecs: str
    bandwidth: int
    frame_rate: float
    delay: int = 0
    copied: bool = False

    @property
    def track(self) -> str:
        return f"video/{self.name}"


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One audio output, such as `und_aac_2ch`, made from stream `source_index` of the original; `language` is BCP 47 or `und`.

    Its frame k begins `offset` + k × `frame_samples` samples after the origin; `copied` frames are the original's own packets.
    Where sound ends long before the pictures, the frames from the sample `silent_from` on are silence.
    """

    name: str
    codec: str
    source_index: int
    channels: int
    sample_rate: int
    bit_rate: int
    codecs: str
    bandwidth: int
    language: str
    title: str
    default: bool
    role: str = ""
    copied: bool = False
    offset: int = 0
    silent_from: int | None = None

    @property
    def track(self) -> str:
        return f"audio/{self.name}"

    @property
    def frame_samples(self) -> int:
        return OPUS_FRAME if self.codec == "opus" else AAC_FRAME


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """One WebVTT output, such as `eng`; `source_index` is its stream in the original, `language` is BCP 47 or `und`.

    `forced` texts belong to the picture (signs, foreign speech); `role` is `captions`, for those who hear nothing, or empty.
    """

    name: str
    codec: str
    source_index: int
    language: str
    title: str
    default: bool
    forced: bool
    role: str = ""

    @property
    def track(self) -> str:
        return f"subtitles/{self.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """`timeline` holds the segment boundaries of the video stream: n + 1 ascending pts in its time base, the last one the end
    of the last frame; segment i is `[timeline[i], timeline[i + 1])`. Without video it is empty. `audio_timeline` holds, per
    audio track name, the boundaries in output frames (of `frame_samples` each), the last one the frame count. `entries` is, per
    video segment, the pts of the keyframe at which its decoding starts. `not_copied` is the reason why no rendition is copied.
    `places` are what was learned by reading the original once where it has no index: times of keyframes and bytes to seek to.
    """

    version: int
    hash: str
    probe: Probe
    origin: Fraction
    timeline: tuple[int, ...]
    renditions: tuple[Rendition, ...]
    audio_tracks: tuple[AudioTrack, ...]
    audio_timeline: dict[str, tuple[int, ...]]
    entries: tuple[int, ...] = ()
    subtitles: tuple[SubtitleTrack, ...] = ()
    not_copied: str = ""
    places: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), default=_plain, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Plan:
        raw: dict[str, Any] = json.loads(data)
        probe = raw["probe"]
        video = probe["video"]
        return cls(
            version=raw["version"],
            hash=raw["hash"],
            probe=Probe(
                container=probe["container"],
                duration=probe["duration"],
                video=_source(VideoSource, video) if video else None,
                audio=tuple(_source(AudioSource, one) for one in probe["audio"]),
            ),
            origin=Fraction(raw["origin"]),
            timeline=tuple(raw["timeline"]),
            renditions=tuple(Rendition(**one) for one in raw["renditions"]),
            audio_tracks=tuple(AudioTrack(**one) for one in raw["audio_tracks"]),
            audio_timeline={name: tuple(cuts) for name, cuts in raw["audio_timeline"].items()},
            entries=tuple(raw["entries"]),
            not_copied=raw.get("not_copied", ""),
            places=tuple((time, byte) for time, byte in raw.get("places", ())),
            subtitles=tuple(SubtitleTrack(**one) for one in raw.get("subtitles", ())),
        )

    def tracks(self) -> tuple[str, ...]:
        """Every track, `audio/…` first."""
        return tuple(one.track for one in self.audio_tracks) + tuple(one.track for one in self.renditions)

    def segment_count(self, track: str) -> int:
        """How many segments `track` has; KeyError if the plan has no such track."""
        kind, name = track.split("/")
        if kind == "audio":
            return len(self.audio_timeline[name]) - 1
        if name not in {one.name for one in self.renditions}:
            raise KeyError(track)
        return len(self.timeline) - 1


def _plain(value: object) -> str:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    raise TypeError(f"{type(value).__name__} cannot stand in a plan")


def _source(cls: type[Any], raw: dict[str, Any]) -> Any:
    fractions = {name: Fraction(raw[name]) for name in ("time_base", "frame_rate") if raw.get(name) is not None}
    return cls(**raw | fractions)
