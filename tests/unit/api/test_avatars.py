"""Avatars over HTTP: any picture in, one small square out, by the functions' own way of making pictures."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
import pyvips

from kinora.api.access import Access
from kinora.api.avatars import MAX_AVATAR_BYTES
from kinora.model import Scope
from kinora.pipeline.sweep import sweep
from tests.house import HOUR
from tests.pictures import picture
from tests.unit.api.picture_house import pictures
from tests.unit.api.test_api import code_of

USERS = ["42", "a/b", "..x", "é 日本", "x" * 128, "a+b", "a?b#c", "🙂", "A", "a"]


@pytest.fixture
def house(tmp_path):
    with pictures(tmp_path) as one:
        one.key = {"X-Api-Key": one.home.api_key}
        yield one


def address(user):
    return f"/api/avatars/{quote(user, safe='')}"


def send(house, user, data):
    return house.client.put(address(user), content=data, headers=house.key)


def shown(house, user):
    answer = house.client.get(address(user), headers=house.key)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    return pyvips.Image.new_from_buffer(answer.content, "")


def left(house):
    return [info.key for info in house.home.services.storage.list(Scope.AVATARS) if info.key.startswith("incoming/")]


def test_whatever_the_picture_it_becomes_a_square(house):
    for data, side in ((picture(900, 600), 512), (picture(60, 300), 60)):
        answer = send(house, "42", data)
        assert answer.status_code == 200, answer.text
        image = shown(house, "42")
        assert (image.width, image.height) == (side, side)
        assert not [name for name in image.get_fields() if name.startswith("exif")]
    assert left(house) == []


def test_the_middle_is_shown_upright_and_of_an_animation_the_first_frame(house):
    red, blue = (pyvips.Image.black(100, 100, bands=3) + colour for colour in ([250, 0, 0], [0, 0, 250]))
    wide = red.join(blue, "horizontal").join(red, "horizontal").copy(interpretation="srgb").cast("uchar")
    turned = wide.rot270().copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", 6)
    for data in (wide.write_to_buffer(".png"), turned.write_to_buffer(".jpg")):
        assert send(house, "42", data).status_code == 200
        pixel = shown(house, "42").getpoint(50, 50)
        assert pixel[2] > 200 > 60 > pixel[0]
    roll = red.join(blue, "vertical").cast("uchar").copy(interpretation="srgb")
    roll.set_type(pyvips.GValue.gint_type, "page-height", 100)
    assert send(house, "42", roll.write_to_buffer(".gif")).status_code == 200
    image = shown(house, "42")
    assert (image.width, image.height) == (100, 100)
    assert image.getpoint(50, 50)[0] > 200


def test_users_are_told_apart_whatever_they_are_called(house):
    for side, user in enumerate(USERS, start=20):
        assert send(house, user, picture(side, side)).json()["user"] == user
    assert [shown(house, user).width for user in USERS] == list(range(20, 20 + len(USERS)))
    assert send(house, "x" * 129, picture(20, 20)).status_code == 422
    assert len(list(house.home.services.storage.list(Scope.AVATARS))) == len(USERS)


def test_what_is_no_picture_leaves_the_avatar_as_it_was(house):
    send(house, "42", picture(50, 50))
    before = house.client.get(address("42"), headers=house.key)
    refused = {
        b"only words": "unsupported-media",
        picture(300, 300)[:2000]: "corrupt-media",
        bytes(MAX_AVATAR_BYTES + 1): "limit-exceeded",
    }
    for data, code in refused.items():
        assert code_of(send(house, "42", data)) == code
    assert code_of(send(house, "42", b"")) in {"unsupported-media", "corrupt-media"}
    after = house.client.get(address("42"), headers=house.key)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    assert left(house) == []


def test_it_is_asked_for_again_only_when_it_changed(house):
    send(house, "42", picture(50, 50))
    first = house.client.get(address("42"), headers=house.key)
    assert first.headers["cache-control"] == "private, no-cache"
    condition = house.key | {"If-None-Match": first.headers["etag"]}
    assert house.client.get(address("42"), headers=condition).status_code == 304
    send(house, "42", picture(51, 51))
    assert house.client.get(address("42"), headers=condition).status_code == 200
    assert house.client.head(address("42"), headers=house.key).headers["content-length"].isdigit()


def test_a_signature_shows_one_avatar_and_the_key_all(house):
    url = send(house, "a/b", picture(50, 50)).json()["url"]
    assert house.client.get(url).headers["content-type"] == "image/webp"
    assert code_of(house.client.get(url.replace("a%2Fb", "c"))) == "signature-invalid"
    other = Access(house.home.services).sign("thumb", "a/b")
    assert code_of(house.client.get(f"/avatar/{other}/a%2Fb")) == "signature-invalid"
    assert code_of(house.client.get(address("a/b"))) == "unauthorized"
    assert code_of(house.client.put(address("a/b"), content=b"x")) == "unauthorized"


def test_removing_is_final_and_may_be_repeated(house):
    url = send(house, "42", picture(50, 50)).json()["url"]
    for _ in range(2):
        assert house.client.delete(address("42"), headers=house.key).status_code == 204
    for answer in (house.client.get(url), house.client.get(address("42"), headers=house.key)):
        assert code_of(answer) == "not-found"


def test_the_sweep_forgets_pictures_whose_request_was_killed(tmp_path):
    with pictures(tmp_path, upload_days="1") as house:
        services = house.home.services
        services.storage.put(Scope.AVATARS, "incoming/new", b"x")
        assert sweep(services, lambda: HOUR)["uploads"] == 0
        path = tmp_path / "avatars" / "incoming" / "new"
        os.utime(path, (1_000_000_000, 1_000_000_000))
        assert sweep(services, lambda: HOUR)["uploads"] == 1
        assert left(house) == []
