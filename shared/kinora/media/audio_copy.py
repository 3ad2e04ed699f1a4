"""Takes AAC packets from the original as they are, where that is exact; called by audio_tracks to decide and by audio to do it.

All conditions are here. What fails one of them is encoded: the whole track when it is planned, or one segment when its packets
turn out to be damaged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import BinaryIO

import av
from av.index import IndexEntry
from av.packet import Packet

from kinora.media.aac_config import is_plain_lc
from kinora.media.audio_decode import AudioInput, new_decoder
from kinora.media.plan import AAC_FRAME, AudioSource, AudioTrack

_RATES = (44_100, 48_000)
_HIGHEST = {1: 320_000, 2: 320_000, 6: 640_000}  # bits per second by channels
_LARGEST_PACKET = 6144 // 8  # bytes for each channel (ISO/IEC 14496-3 §4.5.3.3)
_TRIAL = 8  # packets that are decoded to see what they hold
_ROW, _BOXES = 16, 150  # bytes of a fragment for each packet, and for itself


@dataclass(frozen=True, slots=True)
class Copy:
    """`frames` packets, the first of which begins `offset` samples after the origin; rates in bits per second."""

    offset: int
    frames: int
    bit_rate: int
    bandwidth: int


def find_copy(
    file: BinaryIO, source: AudioInput, declared: AudioSource, channels: int, origin: Fraction, end: Fraction
) -> Copy | None:
    """How a track of `channels` can be copied, or None; `origin` and the stream's true `end` are in seconds of the source.

    Exact means: AAC-LC at 44.1 or 48 kHz in an MP4 whose sample table counts in samples and puts every packet on a grid of
    1,024, without a gap. The first packet begins with the output or less than one packet later (only what primes the decoder
    or has no whole packet is left out); its place is rounded by half a sample at most.
    """
    if not _is_suitable(source, declared, channels) or not _is_grid(source):
        return None
    rate = declared.sample_rate
    begin, stop = round(origin * rate), round(end * rate)
    table = _whole_packets(source, begin, stop)
    if not table or table[0].timestamp - begin >= AAC_FRAME or table[-1].timestamp + AAC_FRAME < stop:
        return None
    sizes = [entry.size for entry in table]
    bit_rate = sum(sizes) * 8 * rate // (len(sizes) * AAC_FRAME)
    if bit_rate > _HIGHEST[channels] or not all(0 < size <= _LARGEST_PACKET * channels for size in sizes):
        return None
    is_hidden = any(entry.is_discard for entry in table)  # by an edit list
    if is_hidden or _read_plain(file, source, table[:_TRIAL], rate, channels) is None:
        return None
    return Copy(table[0].timestamp - begin, len(table), bit_rate, _bandwidth(sizes, rate))


def copy_packets(
    file: BinaryIO, source: AudioInput, track: AudioTrack, origin: Fraction, frames: tuple[int, int]
) -> list[bytes] | None:
    """The packets of the frames `[first, stop)` of a copied track, or None if they are not all there and sound."""
    start, stop = (round(origin * track.sample_rate) + track.offset + frame * AAC_FRAME for frame in frames)
    table = _whole_packets(source, start, stop)
    return _read_plain(file, source, table, track.sample_rate, track.channels)


def _is_suitable(source: AudioInput, declared: AudioSource, channels: int) -> bool:
    return (
        source.container.format.name.startswith("mov")
        and declared.codec == "aac"
        and declared.sample_rate in _RATES
        and source.tick == Fraction(1, declared.sample_rate)
        and declared.channels == channels
        and is_plain_lc(bytes(source.stream.codec_context.extradata or b""), declared.sample_rate, channels)
    )


def _is_grid(source: AudioInput) -> bool:
    """Whether all packets follow each other without gap."""
    times = [entry.timestamp for entry in source.stream.index_entries]
    return all(after - before == AAC_FRAME for before, after in pairwise(times))


def _whole_packets(source: AudioInput, start: int, stop: int) -> list[IndexEntry]:
    """The entries of the sample table, which is a grid, that begin in `[start, stop)`, in ticks."""
    entries = source.stream.index_entries
    first, end = (bisect_left(entries, time, key=attrgetter("timestamp")) for time in (start, stop))
    return [entries[n] for n in range(first, end)]


def _read_plain(
    file: BinaryIO, source: AudioInput, table: Sequence[IndexEntry], rate: int, channels: int
) -> list[bytes] | None:
    """Packets whose every frame decodes to 1,024 samples at `rate` in `channels`: sound, and no hidden SBR or PS."""
    packets = _read(file, table)
    if [len(packet) for packet in packets] != [entry.size for entry in table]:
        return None
    decoder = new_decoder(source.stream)
    try:
        decoded = [frame for packet in packets for frame in decoder.decode(Packet(packet))]
    except av.FFmpegError:
        return None
    forms = {(frame.samples, frame.sample_rate, frame.layout.nb_channels) for frame in decoded}
    return packets if len(decoded) == len(packets) and forms == {(AAC_FRAME, rate, channels)} else None


def _read(file: BinaryIO, table: Sequence[IndexEntry]) -> list[bytes]:
    """The bytes of the entries; FFmpeg, which reads the same file, finds its position as it left it."""
    position = file.tell()
    packets: list[bytes] = []
    for entry in table:
        file.seek(entry.pos)
        packets.append(file.read(entry.size))
    file.seek(position)
    return packets


def _bandwidth(sizes: Sequence[int], rate: int) -> int:
    """The rate of the worst second with its share of a fragment's boxes, and a twentieth for seconds that lie across two."""
    window = min(-(-rate // AAC_FRAME), len(sizes))
    totals = [0, *accumulate(size + _ROW for size in sizes)]
    worst = max(after - before for before, after in zip(totals, totals[window:], strict=False))
    return (worst + _BOXES) * 8 * rate * 21 // (window * AAC_FRAME * 20)
