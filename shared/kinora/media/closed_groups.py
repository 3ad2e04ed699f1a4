"""Tells at which keyframes decoding may begin where pictures are only counted: no picture behind one is shown before it.

Called by the scan for AVI, which stores no times. Reads headers of coded pictures, never the pictures.
"""

from __future__ import annotations

from kinora.media.h264_stream import IDR_SLICE, SLICE, ParameterSets, Unreadable, unit_type

_ANNEX_B = ParameterSets((), (), 0)
_VOP = b"\x00\x00\x01\xb6"  # the start of a picture (ISO/IEC 14496-2 §6.3.5); two bits follow that tell its kind
_B_VOP = 2


def is_closed(codec: str, keyframe: bytes, following: bytes) -> bool:
    """Whether that is sure of the keyframe with these bytes; `following` is the packet stored next, empty at the end."""
    if codec == "h264":
        return _is_idr(keyframe)
    if codec == "mpeg4":
        return _kinds(keyframe) == [0] and _B_VOP not in _kinds(following)
    return False


def _is_idr(picture: bytes) -> bool:
    try:
        slices = {unit_type(unit) for unit in _ANNEX_B.units(picture)} & {SLICE, IDR_SLICE}
    except Unreadable:
        return False
    return slices == {IDR_SLICE}


def _kinds(packet: bytes) -> list[int]:
    """The kinds of all pictures in a packet: some writers pack two into one."""
    return [rest[0] >> 6 for rest in packet.split(_VOP)[1:] if rest]
