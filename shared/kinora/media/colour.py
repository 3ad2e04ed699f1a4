"""How colour is signalled (ITU-T H.273): names for FFmpeg's numbers, and the colour that a rendition is given.

Called by probe and the encoder. Standard dynamic range keeps its own colour; everything else becomes BT.709.
"""

from __future__ import annotations

from dataclasses import dataclass

from kinora.media.plan import VideoSource
from kinora.media.tone_curve import Mapping

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
_OTHER_PRIMARIES = {"bt709", "smpte432"}  # that are mapped; anything else is taken for BT.2020
_STANDARD_MATRICES = {"bt709", "bt470bg", "smpte170m"}


@dataclass(frozen=True, slots=True)
class Colour:
    """H.273 code points of a rendition; always limited range."""

    primaries: int
    transfer: int
    matrix: int


BT709 = Colour(1, 1, 1)


def rendition_colour(video: VideoSource) -> Colour:
    """The colour in which every rendition of `video` is encoded.

    Untagged sources are taken for BT.709 from 720 lines up and for BT.601 below, as players do, and then tagged, so that a
    small rendition is not shown in other colours than a large one.
    """
    if mapping_to_bt709(video.color_primaries, video.color_transfer, video.color_space):
        return BT709
    matrix = video.color_space if video.color_space in _STANDARD_MATRICES else _untagged_matrix(video)
    matrix_code = _code(MATRICES, matrix)
    return Colour(
        primaries=_code(PRIMARIES, video.color_primaries) or matrix_code,
        transfer=_code(TRANSFERS, video.color_transfer) or (1 if matrix == "bt709" else 6),
        matrix=matrix_code,
    )


def mapping_to_bt709(primaries: str, transfer: str, matrix: str) -> Mapping | None:
    """How pictures signalled with these names become BT.709; None for standard range and gamut, which keep their own colour."""
    is_wide = primaries == "bt2020" or matrix.startswith("bt2020")
    if transfer not in _HIGH_DYNAMIC_RANGE and not is_wide:
        return None
    return Mapping(
        transfer=transfer if transfer in _HIGH_DYNAMIC_RANGE else "bt709",
        primaries=primaries if primaries in _OTHER_PRIMARIES else "bt2020",
    )


def _untagged_matrix(video: VideoSource) -> str:
    if video.color_space != UNKNOWN or min(video.width, video.height) >= 720:
        return "bt709"
    return "bt470bg" if min(video.width, video.height) == 576 else "smpte170m"


def _code(table: dict[int, str], name: str) -> int:
    return next((code for code, known in table.items() if known == name), 0)
