"""Reads an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1): whether a stream is nothing but AAC-LC. Called by audio_copy."""

from __future__ import annotations

_AAC_LC, _SBR, _ESCAPE = 2, 5, 31
_SAMPLE_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_SYNC_EXTENSION = 0x2B7


def is_plain_lc(config: bytes, rate: int, channels: int) -> bool:
    """Whether `config` says AAC-LC in frames of 1,024 samples, at `rate` in Hz, in the usual order of `channels` (1, 2 or 6),
    and no spectral band replication, neither in place of it nor behind it."""
    bits = _Bits(config)
    object_type, index, layout = bits.take(5), bits.take(4), bits.take(4)
    if object_type != _AAC_LC or index >= len(_SAMPLE_RATES) or (_SAMPLE_RATES[index], layout) != (rate, channels):
        return False
    if bits.take(3):  # frames of 960 samples, a core coder, or an extension
        return False
    return not (bits.take(11) == _SYNC_EXTENSION and bits.take(5) in {_SBR, _ESCAPE} and bits.take(1))


class _Bits:
    """The bits of some bytes from the left; behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> int:
        self._position += count
        width = len(self._data) * 8
        number = int.from_bytes(self._data, "big")
        shift = width - self._position
        return (number >> shift if shift >= 0 else number << -shift) & ((1 << count) - 1)
