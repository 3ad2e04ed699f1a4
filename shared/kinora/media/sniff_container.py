"""Recognises containers of video: ISO BMFF and QuickTime (ISO/IEC 14496-12), Matroska and WebM (RFC 9559), MPEG-TS and -PS
(ISO/IEC 13818-1), AVI, FLV, ASF, MXF (SMPTE 377), DV (IEC 61834). A room of `sniff`; HEIF and AVIF pictures are ISO BMFF
files too and are found here.
"""

from __future__ import annotations

import re

from kinora.media.sniffed import Sniffed, audio, image, video

AVIF = image("image/avif", "avif")
HEIC = image("image/heic", "heic")
HEIF = image("image/heif", "heif")
MP4 = video("video/mp4", "mov", "mp4")
M4A = audio("audio/mp4", "mov", "m4a")
QUICKTIME = video("video/quicktime", "mov", "mov")
THREE_GP = video("video/3gpp", "mov", "3gp")
THREE_G2 = video("video/3gpp2", "mov", "3g2")
MATROSKA = video("video/matroska", "matroska", "mkv")
WEBM = video("video/webm", "matroska", "webm")
TRANSPORT_STREAM = video("video/mp2t", "mpegts", "ts")
PROGRAM_STREAM = video("video/mpeg", "mpeg", "mpg")
AVI = video("video/vnd.avi", "avi", "avi")
FLV = video("video/x-flv", "flv", "flv")
ASF = video("video/x-ms-asf", "asf", "wmv")
MXF = video("application/mxf", "mxf", "mxf")
DV = video("video/x-dv", "dv", "dv")

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_PICTURE_BRANDS = {b"mif1", b"mif2", b"msf1"}
_SOUND_BRANDS = {b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "}
_OTHER_BRANDS = {b"crx ", b"jp2 ", b"jpx ", b"jpm ", b"jxl "}
_SIGNATURES = (
    (b"FLV\x01", FLV),
    (b"\x00\x00\x01\xba", PROGRAM_STREAM),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), ASF),
    (bytes.fromhex("060e2b34020501010d01020101"), MXF),
)
_DIF_BLOCK = 80  # bytes
_ATOMS_BEFORE_FTYP = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def recognise(head: bytes) -> Sniffed | None:
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska(head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return AVI
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    return DV if _is_dv(head) else _iso_bmff(head)


def recognise_transport_stream(head: bytes) -> Sniffed | None:
    """Packets of 188 bytes, 4 more with time codes (M2TS), 16 more with error correction; each starts with a sync byte and
    says in its fourth byte that it holds something."""
    for first, spacing in ((0, 188), (4, 192), (0, 204)):
        syncs, flags = head[first::spacing][:16], head[first + 3 :: spacing][:16]
        if len(syncs) >= 3 and syncs == b"\x47" * len(syncs) and all(flag & 0x30 for flag in flags):
            return TRANSPORT_STREAM
    return None


def _is_dv(head: bytes) -> bool:
    """A header block, and after it a block of subcodes."""
    return head.startswith(b"\x1f\x07\x00") and len(head) > _DIF_BLOCK and head[3] & 0x7F == 0x3F and head[_DIF_BLOCK] >> 5 == 1


def _matroska(head: bytes) -> Sniffed | None:
    doc_type = re.search(rb"\x42\x82([\x81-\x8f])([a-z]+)", head[:4096])
    if doc_type is None:
        return None
    name = doc_type[2][: doc_type[1][0] & 0x0F]
    return {b"webm": WEBM, b"matroska": MATROSKA}.get(name)


def _iso_bmff(head: bytes) -> Sniffed | None:
    position, seen = 0, 0
    while position + 8 <= len(head):
        size = int.from_bytes(head[position : position + 4], "big")
        name = head[position + 4 : position + 8]
        if name == b"ftyp":
            return _by_brand(head[position + 8 : position + size])
        if name not in _ATOMS_BEFORE_FTYP or 1 < size < 8:
            return None
        seen += 1
        if size < 8:
            break
        position += size
    return QUICKTIME if seen else None


def _by_brand(brands: bytes) -> Sniffed | None:
    """`brands` is the content of `ftyp`: the major brand, its version, the compatible brands."""
    major = brands[:4]
    compatible = {brands[at : at + 4] for at in range(8, len(brands), 4)}
    if len(major) < 4 or major in _OTHER_BRANDS:
        return None
    if major in _PICTURE_BRANDS | _HEIC_BRANDS | _AVIF_BRANDS:
        return _picture(major, compatible)
    if major in _SOUND_BRANDS:
        return M4A
    if major == b"qt  ":
        return QUICKTIME
    if major.startswith(b"3g2"):
        return THREE_G2
    return THREE_GP if major.startswith((b"3gp", b"3ge", b"3gg")) else MP4


def _picture(major: bytes, compatible: set[bytes]) -> Sniffed:
    if major in _AVIF_BRANDS:
        return AVIF
    if major in _HEIC_BRANDS:
        return HEIC
    if compatible & _AVIF_BRANDS:
        return AVIF
    return HEIC if compatible & _HEIC_BRANDS else HEIF
