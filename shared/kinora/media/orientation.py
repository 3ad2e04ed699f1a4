"""How a decoded picture is turned and mirrored to be shown upright, by its display matrix (ISO/IEC 14496-12 §6.2.2).

Called by the probe and the poster. Turns are by quarters; other angles go to the nearest one.
"""

from __future__ import annotations

import struct
from math import atan2, degrees

from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

_MATRIX = struct.Struct("=5i")


def orientation(picture: VideoFrame) -> tuple[int, bool]:
    """How far `picture` is turned clockwise, in degrees (0, 90, 180 or 270), and whether it is then mirrored left to right."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData) or len(bytes(matrix)) < _MATRIX.size:
        return 0, False
    a, b, _, c, d = _MATRIX.unpack_from(bytes(matrix))  # x and y become a·x + c·y and b·x + d·y, y pointing down
    is_mirrored = a * d - b * c < 0
    turn = degrees(atan2(b, -a if is_mirrored else a))
    return round(turn / 90) * 90 % 360, is_mirrored
