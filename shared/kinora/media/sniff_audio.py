"""Recognises sound: WAV, Wave64, AIFF, CAF, FLAC, Ogg (also with video), AMR, MP3 and AAC. A room of `sniff`.

MPEG audio has no signature: its frame headers (ISO/IEC 11172-3 §2.4, ISO/IEC 13818-7 §6.2) must chain.
"""

from __future__ import annotations

from collections.abc import Callable

from kinora.media.sniffed import HEAD_BYTES, Sniffed, audio, video

WAV = audio("audio/wav", "wav", "wav")
WAVE64 = audio("audio/x-w64", "w64", "w64")
AIFF = audio("audio/aiff", "aiff", "aiff")
CAF = audio("audio/x-caf", "caf", "caf")
AMR = audio("audio/amr", "amr", "amr")
FLAC = audio("audio/flac", "flac", "flac")
OGG = audio("audio/ogg", "ogg", "ogg")
OGG_VIDEO = video("video/ogg", "ogg", "ogv")
MP3 = audio("audio/mpeg", "mp3", "mp3")
AAC = audio("audio/aac", "aac", "aac")

_SIGNATURES = (
    (b"fLaC", FLAC),
    (b"caff\x00\x01", CAF),
    (b"#!AMR\n", AMR),
    (b"#!AMR-WB\n", AMR),
    (bytes.fromhex("726966662e91cf11a5d628db04c10000"), WAVE64),
)
_OGG_VIDEO_CODECS = (b"\x80theora", b"OVP80", b"BBCD\x00", b"\x01video")
_OGG_AUDIO_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_BIT_RATES = {  # kbit/s by (is MPEG-1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def recognise_container(head: bytes) -> Sniffed | None:
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return AIFF
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    return _ogg(head) if head.startswith(b"OggS") else None


def recognise_stream(head: bytes) -> Sniffed | None:
    """MP3, AAC or FLAC, with or without an ID3v2 tag in front. A tag that is longer than the head is believed to be an MP3's."""
    start = _after_id3(head)
    if start is None:
        return None
    if head and start >= len(head):
        return MP3
    if head.startswith(b"fLaC", start):
        return FLAC
    start += len(head) - start - len(head[start:].lstrip(b"\x00"))  # padding
    if _chains(head, start, _mpeg_frame):
        return MP3
    return AAC if _chains(head, start, _adts_frame) else None


def _ogg(head: bytes) -> Sniffed | None:
    """The first pages hold one codec header each (RFC 3533 §4): theirs are the only pages with flag 2."""
    position, found = 0, None
    while head.startswith(b"OggS", position) and len(head) > position + 27 and head[position + 5] & 2:
        segments = head[position + 26]
        body = position + 27 + segments
        packet = head[body : body + 8]
        if packet.startswith(_OGG_VIDEO_CODECS):
            return OGG_VIDEO
        if packet.startswith(_OGG_AUDIO_CODECS):
            found = OGG
        position = body + sum(head[position + 27 : body])
    return found


def _after_id3(head: bytes) -> int | None:
    """Where the content after any ID3v2 tags starts, 0 without one; None if a tag says that nothing follows."""
    position = 0
    while head.startswith(b"ID3", position) and len(head) >= position + 10:
        size = head[position + 6 : position + 10]
        if any(byte & 0x80 for byte in size):
            return None
        footer = 10 if head[position + 5] & 0x10 else 0
        position += 10 + footer + sum(byte << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=True))
        if position >= len(head) < HEAD_BYTES:
            return None
    return position


def _chains(head: bytes, start: int, frame_at: Callable[[bytes], tuple[int, bytes] | None]) -> bool:
    """Whether frames of one constant format follow each other: at least two, three where the head is long enough."""
    position, formats = start, set()
    for count in range(3):
        header = head[position : position + 8]
        if count >= 2 and len(header) < 8:
            return True
        frame = frame_at(header)
        if frame is None:
            return False
        length, constant = frame
        formats.add(constant)
        position += length
    return len(formats) == 1


def _mpeg_frame(header: bytes) -> tuple[int, bytes] | None:
    """Length in bytes of the MPEG audio frame with this header, and the bits of the header that no frame changes."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sample_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index in {0, 15} or sample_index == 3:
        return None
    bit_rate = _BIT_RATES[version == 3, layer][rate_index - 1] * 1000
    sample_rate = _SAMPLE_RATES[version][sample_index]
    if layer == 1:
        length = (12 * bit_rate // sample_rate + padding) * 4
    else:
        length = (72 if layer == 3 and version != 3 else 144) * bit_rate // sample_rate + padding
    return length, bytes((header[1] & 0xFE, sample_index))


def _adts_frame(header: bytes) -> tuple[int, bytes] | None:
    """The same for an ADTS frame."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return (length, bytes((header[1], header[2] & 0xFC))) if length > 7 else None
