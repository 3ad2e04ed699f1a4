"""Crops of pictures and of video frames: the right part, upright, never larger, made once."""

from __future__ import annotations

import pytest
import pyvips
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.media.crop import Box
from kinora.model import JobState
from tests.house import house
from tests.unit.media import clips

SMALL = {"ladder": "64", "image_variants": "thumb=64"}
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    """Quarters red and green over blue and white, 200 × 100 as they are seen; the photo is stored lying on its side."""
    folder = tmp_path_factory.mktemp("quarters")
    quarter = [
        pyvips.Image.black(100, 50, bands=3).new_from_image(list(colour)).cast("uchar") for colour in (RED, GREEN, BLUE, WHITE)
    ]
    picture = pyvips.Image.arrayjoin(quarter, across=2).copy(interpretation="srgb")
    sideways = picture.rot270().copy()
    sideways.set_type(pyvips.GValue.gint_type, "orientation", 6)
    sideways.write_to_file(str(folder / "photo.jpg"), Q=95)
    picture.write_to_file(str(folder / "frame.png"))
    video = (
        f"-loop 1 -framerate 5 -i {folder / 'frame.png'} -t 2 -vf negate=enable='gte(t,1)' -pix_fmt yuv420p -c:v libx264 -g 5"
    )
    clips.ffmpeg(*video.replace("'", "").replace("gte(t,1)", r"gte(t\,1)").split(), str(folder / "film.mp4"))
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def post(home, client, **body):
    answer = client.post(f"/api/media/{home.job().hash}/crops", json=body, headers={"X-Api-Key": home.api_key})
    return answer.status_code, answer.json().get("crops", answer.json())


def colours(client, crops) -> list[tuple[int, ...]]:
    found = []
    for one in crops:
        image = pyvips.Image.new_from_buffer(client.get(one["url"]).content, "")
        assert (image.width, image.height) == (one["width"], one["height"])
        pixel = image(image.width // 2, image.height // 2)
        found.append(tuple(255 if value > 128 else 0 for value in pixel[:3]))
    return found


def box(left, top, width, height, unit="pixels"):
    return {"left": left, "top": top, "width": width, "height": height, "unit": unit}


@pytest.fixture
def begun(tmp_path, originals, request):
    with house(tmp_path, **SMALL) as home, TestClient(create_app(home.services)) as client:
        home.ingest(home.put(request.param, originals[request.param]))
        home.work()
        assert home.job().state is JobState.READY
        yield home, client


@pytest.mark.parametrize("begun", ["photo.jpg", "film.mp4"], indirect=True)
def test_boxes_are_cut_where_they_are_seen(begun):
    home, client = begun
    boxes = [
        box(0, 0, 90, 40),
        box(110, 5, 500, 40),
        box(0.1, 0.6, 0.3, 0.3, "fractions"),
        box(0.6, 0.6, 0.9, 0.9, "fractions"),
    ]
    assert post(home, client, boxes=boxes, longest=40)[0] == 202
    home.work()
    status, crops = post(home, client, boxes=boxes, longest=40)
    assert (status, home.waiting("image"), home.waiting("encode")) == (200, [], [])
    assert colours(client, crops) == [RED, GREEN, BLUE, WHITE]
    assert max(crops[0]["width"], crops[0]["height"]) == 40
    again = post(home, client, boxes=boxes[:1], format="jpg")
    assert (again[0], again[1][0]["url"]) == (202, None)
    home.work()
    (large,) = post(home, client, boxes=boxes[:1], format="jpg")[1]
    assert (large["width"], large["height"]) == (90, 40)
    assert colours(client, [large]) == [RED]


@pytest.mark.parametrize("begun", ["film.mp4"], indirect=True)
def test_a_video_is_cropped_at_its_time(begun):
    home, client = begun
    for time in (0.5, 1.5, 2.0):
        post(home, client, boxes=[box(0, 0, 90, 40)], time=time)
    home.work()
    crops = [post(home, client, boxes=[box(0, 0, 90, 40)], time=time)[1][0] for time in (0.5, 1.5, 2.0)]
    assert colours(client, crops) == [RED, (0, 255, 255), (0, 255, 255)]
    assert post(home, client, boxes=[box(0, 0, 9, 9)], time=9)[0] == 400


@pytest.mark.parametrize("begun", ["photo.jpg"], indirect=True)
def test_what_cannot_be_is_refused(begun):
    home, client = begun
    assert post(home, client, boxes=[box(0, 0, 9, 9)], time=0.5)[0] == 400
    for boxes in ([], [box(-1, 0, 9, 9)], [box(0, 0, 0, 9)], [box(1, 0, 1, 1, "fractions")], [box(0, 0, 9, 9)] * 51):
        assert post(home, client, boxes=boxes)[0] == 422


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10)),
        ((90, 40, 50, 50), (90, 40, 10, 10)),
        ((500, 500, 9, 9), (99, 49, 1, 1)),
        ((5, 5, 0.1, 0.1), (5, 5, 1, 1)),
    ],
)
def test_a_box_is_clamped_to_the_picture(given, seen):
    assert Box("x", *given, is_fraction=False).within(100, 50) == seen
