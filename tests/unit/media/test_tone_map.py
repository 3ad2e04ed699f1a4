"""High dynamic range and wide gamut become BT.709: against formulas of the standards, written here once more, and real encodes."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from kinora.media import segment
from kinora.media.planning import make_plan
from kinora.media.poster import make_poster
from kinora.media.preview import make_preview
from kinora.media.tone_curve import Mapping
from kinora.media.tone_map import ToneMap

TRANSFERS = {"smpte2084": 16, "arib-std-b67": 18, "bt709": 14}
WEIGHTS_2020 = np.array([0.2627, 0.6780, 0.0593])
WEIGHTS_709 = np.array([0.2126, 0.7152, 0.0722])


def pq_to_light(signal):
    root = np.power(signal, 32 / 2523)
    return 10000 * np.power(np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root), 16384 / 2610)


def light_to_pq(light):
    power = np.power(light / 10000, 2610 / 16384)
    return np.power((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 2523 / 32)


def hlg_to_light(signal):
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return 1000 * (scene @ WEIGHTS_2020)[..., None] ** 0.2 * scene


def eetf(light):
    """BT.2390-10 §5.4.1 from 0…1000 to 0…203 cd/m², without lift of black."""
    peak = light_to_pq(1000)
    highest = light_to_pq(203) / peak
    start = 1.5 * highest - 0.5
    e1 = np.minimum(light_to_pq(light) / peak, 1)
    t = (e1 - start) / (1 - start)
    p = (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * (1 - start) + (-2 * t**3 + 3 * t**2) * highest
    return pq_to_light(np.where(e1 < start, e1, p) * peak)


def primaries_matrix(red, green, blue):
    """RP 177: linear RGB to XYZ, white D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue)]).T
    return columns * np.linalg.solve(columns, [0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])


TO_709 = np.linalg.inv(primaries_matrix((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))) @ primaries_matrix(
    (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)
)


def reference(transfer: str, signal) -> np.ndarray:
    """BT.709 signals (0 to 1) that BT.2020 signals of shape (n, 3) should become."""
    if transfer == "bt709":
        light = signal**2.4
    else:
        light = pq_to_light(signal) if transfer == "smpte2084" else hlg_to_light(signal)
        measured = np.maximum((light @ WEIGHTS_2020 + light.max(axis=1)) / 2, 1e-9)
        light = light * (eetf(measured) / measured)[:, None] / 203
    light = light @ TO_709.T
    grey = np.clip(light @ WEIGHTS_709, 0, 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(light > 1, (1 - grey) / (light - grey), np.where(light < 0, grey / (grey - light), 1.0))
    fitted = grey + room.min(axis=1, keepdims=True) * (light - grey)
    return np.clip(fitted, 0, 1) ** (1 / 2.4)


def ten_bit(signals, transfer: str, *, tagged: bool = True) -> VideoFrame:
    """A picture of 16 × 16 blocks, one for each BT.2020 signal, limited range 4:2:0."""
    y = signals @ WEIGHTS_2020
    chroma = ((signals[:, 2] - y) / 1.8814, (signals[:, 0] - y) / 1.4746)
    frame = VideoFrame(16 * len(signals), 16, "yuv420p10le")
    for plane, values, size in zip(frame.planes, (64 + 876 * y, *(512 + 896 * one for one in chroma)), (16, 8, 8), strict=True):
        row = np.zeros(plane.line_size // 2, np.uint16)
        row[: plane.width] = np.repeat(np.round(values).astype(np.uint16), size)
        plane.update(np.tile(row, plane.height).tobytes())
    frame.color_range = 1
    if tagged:
        frame.colorspace, frame.color_trc, frame.color_primaries = 9, TRANSFERS[transfer], 9
    return frame


def stored(signals) -> np.ndarray:
    """What is left of BT.2020 signals in ten bits."""
    y = signals @ WEIGHTS_2020
    luma = (np.round(64 + 876 * y) - 64) / 876
    blue = luma + 1.8814 * (np.round(512 + 896 * (signals[:, 2] - y) / 1.8814) - 512) / 896
    red = luma + 1.4746 * (np.round(512 + 896 * (signals[:, 0] - y) / 1.4746) - 512) / 896
    green = (luma - 0.2627 * red - 0.0593 * blue) / 0.6780
    return np.clip(np.array([red, green, blue]).T, 0, 1)


def middles(frame: VideoFrame) -> np.ndarray:
    """Y, Cb, Cr in the middle of every block of a picture."""
    planes = []
    for plane, size in zip(frame.planes, (16, 8, 8), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        planes.append(rows[size // 2, size // 2 : plane.width : size].astype(float))
    return np.array(planes).T


def expected_yuv(signals) -> np.ndarray:
    y = signals @ WEIGHTS_709
    return np.array([16 + 219 * y, 128 + 224 * (signals[:, 2] - y) / 1.8556, 128 + 224 * (signals[:, 0] - y) / 1.5748]).T


def mapped(signals, transfer: str) -> np.ndarray:
    frame = ten_bit(signals, transfer)
    return middles(ToneMap(Mapping(transfer, "bt2020")).render(frame, frame.width, frame.height))


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_greys_are_those_of_the_standards_and_rise(transfer):
    greys = np.repeat(np.linspace(0, 1, 65)[:, None], 3, axis=1)
    got = mapped(greys, transfer)
    assert np.abs(got - expected_yuv(reference(transfer, stored(greys)))).max() <= 1.0
    assert (np.diff(got[:, 0]) >= 0).all()
    assert got[0, 0] == 16
    assert got[-1, 0] >= 234


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_colours_are_those_of_the_standards(transfer):
    """Colours of both gamuts; at the very border of BT.2020 the table's steps show a little more."""
    random = np.random.default_rng(7)
    greys = random.uniform(0.2, 0.8, (200, 1))
    signals = np.clip(greys + random.uniform(-0.06, 0.06, (200, 3)), 0, 1)
    error = np.abs(mapped(signals, transfer) - expected_yuv(reference(transfer, stored(signals))))
    assert error.mean() < 0.6
    assert np.percentile(error, 99) < 3
    everything = random.uniform(0, 1, (400, 3))
    error = np.abs(mapped(everything, transfer) - expected_yuv(reference(transfer, stored(everything))))
    assert error.mean() < 1


def test_reference_white_is_the_same_from_pq_and_hlg():
    """BT.2408 table 1: 203 cd/m² are 58 % PQ and 75 % HLG; what is white paper stays near white, with room for lights above."""
    pq = mapped(np.full((1, 3), 0.5806), "smpte2084")[0]
    hlg = mapped(np.full((1, 3), 0.75), "arib-std-b67")[0]
    assert abs(pq[0] - hlg[0]) <= 1
    assert 205 <= pq[0] <= 225
    assert list(pq[1:]) == [128, 128] == list(hlg[1:])


def test_middle_tones_keep_their_light():
    """Below the knee a SDR display of 203 cd/m² shows the light that was mastered: 26 cd/m² is an 18 % grey card (BT.2408)."""
    grey = mapped(np.full((1, 3), 0.38), "smpte2084")[0][0]
    shown = 203 * ((grey - 16) / 219) ** 2.4
    assert shown == pytest.approx(float(pq_to_light(0.38)), rel=0.02)


def test_hue_is_kept():
    """Of a bright orange all of BT.709's gamut, as bright as the display and four times brighter, the hue is the same."""
    to_2020 = np.linalg.inv(TO_709)
    hues = []
    for light in (60, 240):
        linear = to_2020 @ (np.array([1.0, 0.45, 0.2]) * light)
        y, cb, cr = mapped(light_to_pq(linear)[None], "smpte2084")[0]
        red, blue = (cr - 128) / 224 * 1.5748, (cb - 128) / 224 * 1.8556
        luma = (y - 16) / 219
        rgb = np.array([luma + red, (luma - 0.2126 * (luma + red) - 0.0722 * (luma + blue)) / 0.7152, luma + blue]) ** 2.4
        hues.append((rgb[1] - rgb[2]) / (rgb[0] - rgb[2]))
    assert hues[0] == pytest.approx(0.3125, abs=0.02)
    assert hues[1] == pytest.approx(hues[0], abs=0.02)


def test_every_process_maps_alike():
    program = (
        "import hashlib\nfrom kinora.media.tone_curve import Mapping\nfrom kinora.media.tone_map import ToneMap\n"
        "from tests.unit.media.test_tone_map import ten_bit\nimport numpy as np\n"
        "frame = ten_bit(np.random.default_rng(3).uniform(0, 1, (64, 3)), 'smpte2084')\n"
        "result = ToneMap(Mapping('smpte2084', 'bt2020')).render(frame, 320, 12)\n"
        "print(hashlib.sha256(b''.join(bytes(plane) for plane in result.planes)).hexdigest())"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout for _ in range(2)
    }
    assert len(outputs) == 1


def test_full_range_and_untagged_matrices():
    """A picture whose matrix is not signalled is BT.2020's; nominal white of full range is white."""
    signals = np.array([[0.5, 0.4, 0.3]])
    tagged, bare = ten_bit(signals, "smpte2084"), ten_bit(signals, "smpte2084", tagged=False)
    mapping = Mapping("smpte2084", "bt2020")
    assert (middles(ToneMap(mapping).render(tagged, 16, 16)) == middles(ToneMap(mapping).render(bare, 16, 16))).all()
    full = ten_bit(np.full((1, 3), 0.58), "smpte2084")
    full.color_range = 2
    ((y, _, _),) = middles(ToneMap(mapping).render(full, 16, 16))
    code = round(64 + 876 * 0.58)
    assert y == pytest.approx(expected_yuv(reference("smpte2084", np.full((1, 3), code / 1023)))[0, 0], abs=1)


@pytest.fixture(scope="module")
def bars(tmp_path_factory) -> dict[str, Path]:
    """Ten-bit films of coloured blocks, in PQ (HEVC), HLG (VP9) and BT.2020 of standard range (H.264)."""
    folder = tmp_path_factory.mktemp("bars")
    signals = np.array([[0.58, 0.58, 0.58], [0.3, 0.3, 0.3], [0.5, 0.35, 0.3], [0.3, 0.42, 0.5]])
    frame = ten_bit(signals, "smpte2084")
    raw = folder / "frame.yuv"
    with raw.open("wb") as file:
        for plane in frame.planes:
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            file.write(rows[:, : plane.width * 2].tobytes())
    made = {}
    codecs = {
        "smpte2084": "-c:v libx265 -preset ultrafast -x265-params log-level=none:qp=4",
        "arib-std-b67": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 4 -b:v 0",
        "bt2020-10": "-c:v libx264 -preset ultrafast -qp 4",
    }
    for transfer, codec in codecs.items():
        made[transfer] = folder / f"{transfer}.mkv"
        tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
        arguments = (
            f"-f rawvideo -pix_fmt yuv420p10le -s 64x16 -r 10 -i {raw} -vf scale=256:64:flags=neighbor,loop=19:1,{tags} {codec}"
        )
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments.split(), "-threads", "1", str(made[transfer])]
        subprocess.run(command, check=True)
    return made


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67", "bt2020-10"])
def test_renditions_covers_and_previews_of_real_films(bars, transfer):
    signals = np.array([[0.58, 0.58, 0.58], [0.3, 0.3, 0.3], [0.5, 0.35, 0.3], [0.3, 0.42, 0.5]])
    wanted = reference(transfer if transfer in TRANSFERS else "bt709", signals)
    with bars[transfer].open("rb") as file:
        plan = make_plan(file, "matroska", "0" * 64, ladder=(240,), max_duration=60, max_pixels=1 << 20)
        assert plan.probe.video is not None
        assert plan.probe.video.color_transfer == transfer
        ((_, header),) = segment.init_segments(file, plan)
        shown = decoded(header + segment.encode(file, plan, plan.renditions[0].name, 0))
        poster = np.asarray(Image.open(io.BytesIO(make_poster(file, "matroska"))).convert("RGB"), float)
        preview = np.asarray(Image.open(io.BytesIO(make_preview(file, plan).webp)).convert("RGB"), float)
    assert (shown.color_primaries, shown.color_trc, shown.colorspace, shown.color_range) == (1, 1, 1, 1)
    planes = [np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size) for plane in shown.planes]
    for block, (colour, yuv) in enumerate(zip(wanted, expected_yuv(wanted), strict=True)):
        x = block * 64 + 32
        assert [planes[0][32, x], planes[1][16, x // 2], planes[2][16, x // 2]] == pytest.approx(list(yuv), abs=4)
        assert list(poster[32, x]) == pytest.approx(list(colour * 255), abs=8)
        assert list(preview[32, x]) == pytest.approx(list(colour * 255), abs=12)


def decoded(data: bytes) -> VideoFrame:
    with av.open(io.BytesIO(data)) as container:
        return next(container.decode(video=0))


def test_any_size_is_mapped():

    frame = ten_bit(np.full((3, 3), 0.58), "smpte2084")
    tone_map = ToneMap(Mapping("smpte2084", "bt2020"))
    for width, height in ((48, 16), (30, 10), (48, 16), (2, 2)):
        result = tone_map.render(frame, width, height)
        assert (result.width, result.height) == (width, height)
        assert bytes(result.planes[0])[0] == pytest.approx(213, abs=2)
