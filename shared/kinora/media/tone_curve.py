"""How light of high dynamic range or wide gamut becomes a BT.709 picture: the arithmetic, point by point; called by tone_map.

Display light, 203 cd/m² being reference white (BT.2408), passes the tone curve of BT.2390 and is brought into the smaller gamut
towards grey of the same brightness. Colours within both gamuts and below the curve's knee come out exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WHITE = 203.0  # cd/m²: reference white of BT.2408, what becomes full white at most
PEAK = 1000.0  # cd/m²: the brightest that is told apart, that of nearly all masters and HLG's nominal one
_DISPLAY_GAMMA = 2.4  # BT.1886
_HLG_GAMMA = 1.2  # BT.2100 table 5, at 1000 cd/m²
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # BT.2100 table 4
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # BT.2100 table 5

Triple = tuple[float, float, float]
# Rows give linear BT.709 red, green and blue; from the chromaticities of BT.2020 and Display P3 (SMPTE EG 432-1), all with D65.
_TO_BT709: dict[str, tuple[Triple, Triple, Triple]] = {
    "bt2020": (
        (1.6604910021, -0.5876411388, -0.0728498633),
        (-0.1245504745, 1.1328998971, -0.0083494226),
        (-0.0181507634, -0.1005788980, 1.1187296614),
    ),
    "smpte432": (
        (1.2249401763, -0.2249401763, 0.0),
        (-0.0420569547, 1.0420569547, 0.0),
        (-0.0196375546, -0.0786360456, 1.0982736001),
    ),
    "bt709": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """What pictures are mapped from: `transfer` is FFmpeg's name (PQ is `smpte2084`, HLG `arib-std-b67`, anything else is taken
    for BT.1886), `primaries` is `bt2020`, `smpte432` or `bt709`."""

    transfer: str
    primaries: str

    @property
    def is_high_dynamic_range(self) -> bool:
        return self.transfer in {"smpte2084", "arib-std-b67"}


def cube(mapping: Mapping, size: int, brightest: float) -> Iterator[Triple]:
    """The BT.709 picture of every colour of a grid of `size` steps per component, red fastest, then green, then blue.

    Steps reach from 0 to `brightest`, a little above 1, the signal's nominal white; results are signals of 0 to 1 for a BT.1886 display.
    """
    steps = [_linear(mapping.transfer, step / (size - 1) * brightest) for step in range(size)]
    for blue in steps:
        for green in steps:
            for red in steps:
                yield _mapped(mapping, (red, green, blue))


def _mapped(mapping: Mapping, signal: Triple) -> Triple:
    light = signal
    if mapping.is_high_dynamic_range:
        light = _toned(_hlg_display(signal) if mapping.transfer == "arib-std-b67" else signal)
    red, green, blue = light
    to_red, to_green, to_blue = _TO_BT709[mapping.primaries]
    return _within_gamut(
        to_red[0] * red + to_red[1] * green + to_red[2] * blue,
        to_green[0] * red + to_green[1] * green + to_green[2] * blue,
        to_blue[0] * red + to_blue[1] * green + to_blue[2] * blue,
    )


def _linear(transfer: str, signal: float) -> float:
    """Light of one component: of the display in parts of WHITE for PQ, of the scene (0 to 1) for HLG, of white otherwise."""
    if transfer == "smpte2084":
        return pq_light(signal) / WHITE
    if transfer == "arib-std-b67":
        return signal * signal / 3 if signal <= 0.5 else (2.718281828459045 ** ((signal - _C) / _A) + _B) / 12
    return float(signal**_DISPLAY_GAMMA)


def _hlg_display(scene: Triple) -> Triple:
    """The opto-optical transfer of BT.2100 for a display of PEAK, in parts of WHITE."""
    brightness = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2]
    factor = PEAK / WHITE * brightness ** (_HLG_GAMMA - 1)
    return factor * scene[0], factor * scene[1], factor * scene[2]


def _toned(light: Triple) -> Triple:
    """All components times the same, so that hue stays. What is measured lies between luminance, which would wash out bright
    colours, and the largest component, which would darken them."""
    measured = (0.2627 * light[0] + 0.6780 * light[1] + 0.0593 * light[2] + max(light)) / 2
    if measured <= 0:
        return light
    factor = tone(measured * WHITE) / (measured * WHITE)
    return factor * light[0], factor * light[1], factor * light[2]


def tone(light: float) -> float:
    """The tone curve of BT.2390 §5.4.1 (EETF) in cd/m²: 0 to PEAK become 0 to WHITE, without change below its knee."""
    signal = min(pq_signal(light) / _PEAK_SIGNAL, 1.0)
    if signal <= _KNEE:
        return light
    t = (signal - _KNEE) / (1 - _KNEE)
    spline = (2 * t**3 - 3 * t**2 + 1) * _KNEE + (t**3 - 2 * t**2 + t) * (1 - _KNEE) + (3 * t**2 - 2 * t**3) * _HIGHEST
    return pq_light(spline * _PEAK_SIGNAL)


def _within_gamut(red: float, green: float, blue: float) -> Triple:
    """Colours outside move towards grey of the same luminance until they fit, then become signals."""
    grey = min(max(0.2126 * red + 0.7152 * green + 0.0722 * blue, 0.0), 1.0)
    highest, lowest = max(red, green, blue), min(red, green, blue)
    kept = 1.0
    if highest > 1:
        kept = (1 - grey) / (highest - grey)
    if lowest < 0:
        kept = min(kept, grey / (grey - lowest))
    return _signal(grey + kept * (red - grey)), _signal(grey + kept * (green - grey)), _signal(grey + kept * (blue - grey))


def _signal(light: float) -> float:
    return float(min(max(light, 0.0), 1.0) ** (1 / _DISPLAY_GAMMA))


def pq_light(signal: float) -> float:
    """The PQ EOTF (SMPTE ST 2084, BT.2100 table 4): cd/m² of a signal from 0 to 1."""
    root = max(signal, 0.0) ** (1 / _M2)
    return float(10_000 * (max(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1 / _M1))


def pq_signal(light: float) -> float:
    """The inverse of `pq_light`."""
    power = (light / 10_000) ** _M1
    return float(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


_PEAK_SIGNAL = pq_signal(PEAK)
_HIGHEST = pq_signal(WHITE) / _PEAK_SIGNAL  # of the tone curve's results, as a part of the source's peak
_KNEE = 1.5 * _HIGHEST - 0.5  # as a part of the source's peak
