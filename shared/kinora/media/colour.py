"""How colour is signalled (ITU-T H.273): names for FFmpeg's numbers, and the colour that a rendition is given.

Called by probe and the encoder. Standard dynamic range keeps its own colour; everything else becomes BT.709.
"""

from __future__ import annotations

from dataclasses import dataclass

from kinora.media.plan import VideoSource

PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
MATRICES = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020c"}
RANGES = {1: "tv", 2: "pc"}
UNKNOWN = "unknown"
_HIGH_DYNAMIC_RANGE = {"smpte2084", "arib-std-b67"}
_STANDARD_MATRICES = {"bt709", "bt470bg", "smpte170m"}


@dataclass(frozen=True, slots=True)
class Colour:
    """H.273 code points of a rendition; always limited range. `is_converted` says that pixels must be mapped to it."""

    primaries: int
    transfer: int
    matrix: int
    is_converted: bool


BT709 = Colour(1, 1, 1, is_converted=True)


def rendition_colour(video: VideoSource) -> Colour:
    """The colour in which every rendition of `video` is encoded.

    Untagged sources are taken for BT.709 from 720 lines up and for BT.601 below, as players do, and then tagged, so that a
    small rendition is not shown in other colours than a large one.
    """
    if video.color_transfer in _HIGH_DYNAMIC_RANGE or video.color_primaries == "bt2020":
        return BT709
    matrix = video.color_space if video.color_space in _STANDARD_MATRICES else _untagged_matrix(video)
    matrix_code = _code(MATRICES, matrix)
    return Colour(
        primaries=_code(PRIMARIES, video.color_primaries) or matrix_code,
        transfer=_code(TRANSFERS, video.color_transfer) or (1 if matrix == "bt709" else 6),
        matrix=matrix_code,
        is_converted=False,
    )


def _untagged_matrix(video: VideoSource) -> str:
    if video.color_space != UNKNOWN or min(video.width, video.height) >= 720:
        return "bt709"
    return "bt470bg" if min(video.width, video.height) == 576 else "smpte170m"


def _code(table: dict[int, str], name: str) -> int:
    return next((code for code, known in table.items() if known == name), 0)
