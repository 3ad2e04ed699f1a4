"""Writes HLS playlists from a plan (RFC 8216, draft-pantos-hls-rfc8216bis); called by prepare and, for tokens, by the API.

Every URI is relative, so that a stream can be moved and its playlists rewritten. Media is never read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import floor

from kinora.content_keys import segment_iv
from kinora.errors import InvalidInput
from kinora.media.hls_groups import SUBTITLES, Group, audio_groups, subtitle_media
from kinora.media.hls_text import quoted, tag
from kinora.media.plan import Plan, Rendition
from kinora.media.rates import Measured, average, with_measured_peaks

_VERSION = 7  # EXT-X-MAP for fMP4 segments needs 6, players' checks for it say 7
_START_RATE = 2_500_000  # bits per second that most connections carry at once
_COPIED_START_RATE = 8_000_000  # the same, for what need not be encoded, while segments are still to be made
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_NOTHING = Measured()
_OF_TRACK = re.compile(r'(?:^|(?<=URI="))(?=(?:video|audio)/)', re.MULTILINE)  # no other attribute can hold a quote
_KEYS = "../../../../../keys/"  # from /stream/{hash}/rev_1/video/{rendition}/
_QUERY = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]+")  # RFC 3986 §3.4


def media_playlist(plan: Plan, track: str, key_id: str | None = None) -> str:
    """The media playlist of `track` (`video/r720_h264`, `audio/und_aac_2ch`); raises KeyError if the plan has no such track.

    With `key_id` its segments are encrypted by that content key, each with an initialisation vector of its own; the init
    segment, which is named before the first key, is clear (RFC 8216 §4.3.2.4).

    A segment's place in the playlist is its `tfdt`: the first EXTINF counts from the origin, also where the first picture
    comes a little later, so that a seek finds the same instant in every rendition. Boundaries are rounded to microseconds,
    not durations: no rounding adds up.
    """
    if track in {one.track for one in plan.subtitles}:
        return _subtitle_playlist(plan)
    durations = segment_durations(plan, track)
    lines = _media_head(durations)
    for n, duration in enumerate(durations):
        keys = [_key(key_id, track, n)] if key_id else []
        lines += [*keys, _extinf(duration), f"seg_{n}.m4s"]
    return _text([*lines, "#EXT-X-ENDLIST"])


def i_frame_playlist(plan: Plan, track: str, lengths: Sequence[int]) -> str:
    """The playlist of the first pictures of all segments; `lengths` in bytes reach from a segment's start to that picture's end."""
    durations = segment_durations(plan, track)
    lines = [*_media_head(durations), "#EXT-X-I-FRAMES-ONLY"]
    for n, (duration, length) in enumerate(zip(durations, lengths, strict=True)):
        lines += [_extinf(duration), f"#EXT-X-BYTERANGE:{length}@0", f"seg_{n}.m4s"]
    return _text([*lines, "#EXT-X-ENDLIST"])


def segment_durations(plan: Plan, track: str) -> list[int]:
    """What the playlist says of the segments of an audio or video track, in microseconds; raises KeyError as `media_playlist`."""
    boundaries = [floor(second * 1_000_000 + Fraction(1, 2)) for second in _boundaries(plan, track)]
    return [stop - start for start, stop in zip([0, *boundaries[1:-1]], boundaries[1:], strict=True)]


def _media_head(durations: Sequence[int]) -> list[str]:
    return [
        *_head(),
        f"#EXT-X-TARGETDURATION:{_target(durations)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        tag("EXT-X-MAP", {"URI": quoted("init.mp4")}),
    ]


def _extinf(duration: int) -> str:
    return f"#EXTINF:{duration // 1_000_000}.{duration % 1_000_000:06d},"


def _key(key_id: str, track: str, n: int) -> str:
    iv = f"0x{segment_iv(key_id, track, n).hex().upper()}"
    return tag("EXT-X-KEY", {"METHOD": "AES-128", "URI": quoted(f"{_KEYS}{key_id}"), "IV": iv})


def _subtitle_playlist(plan: Plan) -> str:
    """All texts are one segment, as long as the longest track."""
    tracks = [_boundaries(plan, track) for track in plan.tracks()]
    length = max([ends[-1] for ends in tracks], default=Fraction(1))
    head = [*_head(), f"#EXT-X-TARGETDURATION:{max(floor(length + Fraction(1, 2)), 1)}", "#EXT-X-MEDIA-SEQUENCE:0"]
    return _text([*head, "#EXT-X-PLAYLIST-TYPE:VOD", f"#EXTINF:{float(length):.6f},", "seg_0.vtt", "#EXT-X-ENDLIST"])


def multivariant_playlist(plan: Plan, measured: Measured = _NOTHING, folder: str = "") -> str:
    """The multivariant playlist. The variant that players start with stands first: the best up to 2.5 Mb/s, or the lowest; or, until
    all is `measured`, one that is copied and therefore there at once.

    The others follow from the best to the lowest, those in AV1 after those in H.264, which everything plays; then the same with
    surround sound, where there is some. Rates are the plan's
    bounds until they are `measured`. Playlists of sound and pictures are named in `folder`, if they lie in one (`rev_1/`).
    """
    plan = with_measured_peaks(plan, measured)
    groups = audio_groups(plan.audio_tracks)
    texts = [tag("EXT-X-MEDIA", one) for one in subtitle_media(plan.subtitles)]
    with_texts = {"SUBTITLES": quoted(SUBTITLES)} if texts else {}
    if not plan.renditions:
        return _moved(_text([*_head(), *texts, *_sound_variants(groups, with_texts, measured)]), folder)
    lines = [*_head(), *(tag("EXT-X-MEDIA", one) for group in groups for one in group.media()), *texts]
    choices: list[Group | None] = [*groups] or [None]
    for group in choices:
        for rendition in _start_first(plan.renditions, measured):
            lines += [
                tag("EXT-X-STREAM-INF", _video_variant(rendition, group, measured) | with_texts),
                f"{rendition.track}/playlist.m3u8",
            ]
    lines += [
        tag("EXT-X-I-FRAME-STREAM-INF", _i_frame_variant(one, measured))
        for one in plan.renditions
        if one.track in measured.i_frames
    ]
    return _moved(_text(lines), folder)


def rewrite_uris(playlist_text: str, query: str) -> str:
    """Append `query` (`token=…`, encoded) to every relative URI of a playlist, on its own line or in a tag's URI attribute.

    Raises InvalidInput if `query` has characters that RFC 3986 does not allow there: it must not add lines or attributes.
    """
    if not _QUERY.fullmatch(query):
        raise InvalidInput("the query has characters that cannot stand in a URI")
    return "\n".join(_line_with_query(line, query) for line in playlist_text.split("\n"))


def _boundaries(plan: Plan, track: str) -> list[Fraction]:
    """Where the segments of a track begin, and its end, in seconds from the origin."""
    kind, _, name = track.partition("/")
    if kind == "audio":
        one = next((one for one in plan.audio_tracks if one.name == name), None)
        if one is None:
            raise KeyError(track)
        return [Fraction(one.offset + cut * one.frame_samples, one.sample_rate) for cut in plan.audio_timeline[name]]
    if plan.probe.video is None or track not in plan.tracks():
        raise KeyError(track)
    return [time * plan.probe.video.time_base - plan.origin for time in plan.timeline]


def _target(durations: Iterable[int]) -> int:
    """The smallest target duration that no EXTINF exceeds when rounded to whole seconds (RFC 8216 §4.3.3.1)."""
    return max(1, *(floor(Fraction(duration, 1_000_000) + Fraction(1, 2)) for duration in durations))


def _moved(playlist: str, folder: str) -> str:
    return _OF_TRACK.sub(folder, playlist)


def _start_first(renditions: Sequence[Rendition], measured: Measured) -> list[Rendition]:
    falling = sorted(renditions, key=lambda one: (one.codec != "h264", -one.bandwidth))
    common = [one for one in falling if one.codec == "h264"]
    start = next((one for one in common if one.bandwidth <= _START_RATE), common[-1])
    if not measured.tracks:
        start = next((one for one in common if one.copied and one.bandwidth <= _COPIED_START_RATE), start)
    return [start, *(one for one in falling if one is not start)]


def _video_variant(rendition: Rendition, group: Group | None, measured: Measured) -> dict[str, str]:
    tracks = [[rendition.track], *([[track.track for track, _ in group.tracks]] if group else [])]
    codecs = [rendition.codecs, *(group.codecs if group else [])]
    attributes = _variant(rendition.bandwidth + (group.bandwidth if group else 0), average(tracks, measured), codecs)
    attributes |= _picture(rendition)
    if rendition.frame_rate > 0:
        attributes["FRAME-RATE"] = f"{rendition.frame_rate:.3f}"
    if group:
        attributes["AUDIO"] = quoted(group.id)
    return attributes | {"CLOSED-CAPTIONS": "NONE"}


def _i_frame_variant(rendition: Rendition, measured: Measured) -> dict[str, str]:
    rates = measured.i_frames[rendition.track]
    uri = {"URI": quoted(f"{rendition.track}/iframes.m3u8")}
    return _variant(rates.peak, rates.average, [rendition.codecs]) | _picture(rendition) | uri


def _picture(rendition: Rendition) -> dict[str, str]:
    return {"RESOLUTION": f"{rendition.width}x{rendition.height}", "VIDEO-RANGE": "SDR"}


def _sound_variants(groups: Sequence[Group], with_texts: dict[str, str], measured: Measured) -> list[str]:
    """Without video each group is a variant, which names the default track's playlist."""
    has_choice = any(len(group.tracks) > 1 for group in groups)
    lines: list[str] = []
    for group in groups:
        mean = average([[track.track for track, _ in group.tracks]], measured)
        attributes = _variant(group.bandwidth, mean, group.codecs)
        attributes |= ({"AUDIO": quoted(group.id)} if has_choice else {}) | with_texts
        lines += [tag("EXT-X-STREAM-INF", attributes), f"{group.tracks[0][0].track}/playlist.m3u8"]
    choices = [tag("EXT-X-MEDIA", one) for group in groups for one in group.media()] if has_choice else []
    return choices + lines


def _variant(bandwidth: int, mean: int | None, codecs: Sequence[str]) -> dict[str, str]:
    known = {} if mean is None else {"AVERAGE-BANDWIDTH": str(mean)}
    return {"BANDWIDTH": str(bandwidth)} | known | {"CODECS": quoted(",".join(dict.fromkeys(codecs)))}


def _head() -> list[str]:
    return ["#EXTM3U", f"#EXT-X-VERSION:{_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _line_with_query(line: str, query: str) -> str:
    if line.startswith("#EXT-X-"):
        tag, colon, attributes = line.partition(":")
        return tag + colon + _ATTRIBUTE.sub(lambda found: _attribute_with_query(found, query), attributes)
    if line.strip() and not line.startswith("#"):
        return _uri_with_query(line.rstrip("\r"), query) + line[len(line.rstrip("\r")) :]
    return line


def _attribute_with_query(found: re.Match[str], query: str) -> str:
    if found[1] != "URI" or not found[2].startswith('"'):
        return found[0]
    return f'URI="{_uri_with_query(found[2][1:-1], query)}"'


def _uri_with_query(uri: str, query: str) -> str:
    if _HAS_SCHEME.match(uri):
        return uri
    path, hash_mark, fragment = uri.partition("#")
    return f"{path}{'&' if '?' in path else '?'}{query}{hash_mark}{fragment}"
