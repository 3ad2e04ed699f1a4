"""`/img` over real local drivers: who may, what is answered, and that a picture is made once."""

from __future__ import annotations

import dataclasses
import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from kinora.api.access import Access
from kinora.errors import KinoraError, NotFound
from kinora.model import BlobState, MediaAccess, Scope
from kinora.object_keys import video_key
from kinora.pipeline.having_made import have_made
from kinora.pipeline.leases import LEASE_SECONDS
from tests.pictures import picture
from tests.unit.api.picture_house import Pictures, pictures

MEDIA = Path(__file__).parents[2] / "media"
PRESETS = "public:card=w:40,h:30,fit:cover hero=w:60"


def code_of(answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def opened(answer) -> Image.Image:
    assert answer.status_code == 200, answer.text
    found = Image.open(io.BytesIO(answer.content))
    found.load()
    return found


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory):
    with pictures(tmp_path_factory.mktemp("shop"), image_presets=PRESETS, max_pixels="4000000") as made:
        yield made


@pytest.fixture
def shop(one_shop):
    """With nothing but a fresh cat in it."""
    one_shop.home.services.storage.delete_prefix(Scope.MEDIA, "cache/")
    one_shop.maker.use(one_shop.home.services)
    one_shop.take_in(CAT, picture(120, 80, next(COLOURS)))
    return one_shop


CAT = "a cat/ünï.jpg"
COLOURS = ((200, n, 30) for n in range(256))


@pytest.mark.parametrize(
    ("extension", "kind", "media_type"),
    [
        ("jpg", "JPEG", "image/jpeg"),
        ("jpeg", "JPEG", "image/jpeg"),
        ("png", "PNG", "image/png"),
        ("gif", "GIF", "image/gif"),
        ("webp", "WEBP", "image/webp"),
        ("avif", "AVIF", "image/avif"),
    ],
)
def test_a_picture_in_every_format(shop, extension, kind, media_type):
    answer = shop.get("w:60", f"{CAT}.{extension}")
    found = opened(answer)
    assert (found.format, found.size, answer.headers["content-type"]) == (kind, (60, 40), media_type)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert shop.cached() == ["cache/" + answer.headers["etag"].strip('"') + "." + extension.replace("jpeg", "jpg")]


def test_what_was_made_is_found_without_anybody_being_asked_and_without_the_original(shop):
    first = shop.get("w:60,h:50", f"{CAT}.webp")
    shop.home.services.storage.delete(Scope.SOURCE, f"uploads/{CAT}")
    for options in ("w:60,h:50", "h:50,w:60", "w:30,h:25,dpr:2,q:80,fit:inside,g:north,rot:0"):
        again = shop.get(options, f"{CAT}.webp")
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert len(shop.maker.asked) == 1
    gone = shop.get("w:61", f"{CAT}.webp")
    assert code_of(gone) == (404, "original-gone")


def test_conditions_ranges_and_head(shop):
    whole = shop.get("w:60", f"{CAT}.jpg")
    tag = whole.headers["etag"]
    part = shop.get("w:60", f"{CAT}.jpg", Range="bytes=2-5")
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    stale = shop.get("w:60", f"{CAT}.jpg", Range="bytes=2-5", If_Range='"other"')
    assert (stale.status_code, stale.content) == (200, whole.content)
    same = shop.get("w:60", f"{CAT}.jpg", If_None_Match=f'"x", W/{tag}')
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert shop.get("w:60", f"{CAT}.jpg", If_None_Match="*").status_code == 304
    assert shop.get("w:60", f"{CAT}.jpg", If_Match='"other"').status_code == 412
    head = shop.get("w:60", f"{CAT}.jpg", method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "cache-control"):
        assert head.headers[name] == whole.headers[name]
    assert len(shop.maker.asked) == 1
    new = shop.get("w:50", f"{CAT}.jpg", method="HEAD")
    assert new.headers["content-length"] == str(len(shop.get("w:50", f"{CAT}.jpg").content))


def test_who_has_the_picture_is_told_so_even_when_it_is_cached_no_more(shop):
    tag = shop.get("w:60", f"{CAT}.jpg").headers["etag"]
    shop.home.services.storage.delete_prefix(Scope.MEDIA, "cache/")
    assert shop.get("w:60", f"{CAT}.jpg", If_None_Match=tag).status_code == 304
    assert len(shop.maker.asked) == 1
    assert shop.get("w:60", f"{CAT}.jpg", If_None_Match="*").status_code == 304
    assert len(shop.maker.asked) == 2, "without its name it must be there"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("image/avif,image/webp,*/*", "AVIF"),
        ("image/webp,image/*;q=0.8", "WEBP"),
        ("image/avif;q=0, image/webp;q=0.5", "WEBP"),
        ("*/*", "JPEG"),
        ("", "JPEG"),
    ],
)
def test_the_format_that_the_client_understands(shop, accept, expected):
    answer = shop.get("w:60", f"{CAT}.auto", Accept=accept)
    assert (opened(answer).format, answer.headers["vary"]) == (expected, "Accept")
    not_modified = shop.get("w:60", f"{CAT}.auto", Accept=accept, If_None_Match=answer.headers["etag"])
    assert (not_modified.status_code, not_modified.headers["vary"]) == (304, "Accept")


def test_what_moves_goes_on_moving_and_what_is_clear_stays_clear(shop):
    shop.take_in("loop.gif", (MEDIA / "animated-loop-3.gif").read_bytes())
    shop.take_in("clear.png", (MEDIA / "alpha.png").read_bytes())
    browser, old = "image/avif,image/webp", "image/png,*/*"
    moving = opened(shop.get("w:20", "loop.gif.auto", Accept=browser))
    assert (moving.format, moving.n_frames) == ("WEBP", 10)
    assert opened(shop.get("w:20", "loop.gif.auto", Accept=old)).n_frames == 10
    assert opened(shop.get("w:20,page:2", "loop.gif.auto", Accept=browser)).format == "AVIF"
    clear = opened(shop.get("w:20", "clear.png.auto", Accept=old))
    assert (clear.format, clear.mode) == ("PNG", "RGBA")


def test_the_signature_covers_options_key_and_format_and_comes_first(shop):
    good = shop.access.sign("img", f"uploads/{CAT}.jpg", options="w:60")
    for options, name in [("w:61", f"{CAT}.jpg"), ("w:60", f"{CAT}.png"), ("w:60", "b.jpg.jpg"), ("w:060", f"{CAT}.jpg")]:
        assert code_of(shop.get(options, name, signature=good)) == (403, "signature-invalid")
    for nonsense in ("w:-1", "what?", "w:60,w:60", ",", "preset:none"):
        assert code_of(shop.get(nonsense, f"{CAT}.jpg", signature=good)) == (403, "signature-invalid")
        assert code_of(shop.get(nonsense, f"{CAT}.jpg")) == (400, "invalid-option")
    for other in ("thumb", "original", "playback"):
        wrong = shop.access.sign(other, f"uploads/{CAT}.jpg", options="w:60")
        assert code_of(shop.get("w:60", f"{CAT}.jpg", signature=wrong)) == (403, "signature-invalid")
    long_ago = Access(dataclasses.replace(shop.home.services, clock=lambda: 1_600_000_000.0))
    late = long_ago.sign("img", f"uploads/{CAT}.jpg", options="w:60")
    assert code_of(shop.get("w:60", f"{CAT}.jpg", signature=late)) == (410, "signature-expired")
    assert shop.maker.asked == []


def test_public_presets_need_no_signature_and_open_nothing_else(shop):
    answer = shop.get("preset:card", f"{CAT}.webp", signature="public")
    assert (opened(answer).size, answer.headers["cache-control"]) == ((40, 30), "no-cache")
    assert opened(shop.get("preset:hero,q:50", f"{CAT}.webp")).size == (60, 40)
    for options in ("preset:hero", "preset:none", "preset:card,w:50", "w:40", "-", "preset:card,preset:hero"):
        assert code_of(shop.get(options, f"{CAT}.webp", signature="public")) == (403, "signature-invalid")
    media = shop.home.services.catalog.original(f"uploads/{CAT}").hash
    shop.home.services.catalog.set_access(media, MediaAccess.TOKEN)
    assert code_of(shop.get("preset:card", f"{CAT}.webp", signature="public")) == (403, "signature-invalid")
    assert shop.get("preset:card", f"{CAT}.webp").status_code == 200


def test_immutable_only_where_the_address_names_the_content(shop):
    media = shop.home.services.catalog.original(f"uploads/{CAT}").hash
    pinned = f"w:60,v:{media[:12]}"
    before = shop.get(pinned, f"{CAT}.png")
    assert re.fullmatch(r"private, max-age=(3600|359\d), immutable", before.headers["cache-control"]), "as long as it is signed"
    open_to_all = shop.get(f"preset:card,v:{media[:12]}", f"{CAT}.png", signature="public")
    assert open_to_all.headers["cache-control"] == "public, max-age=31536000, immutable"
    loose = shop.get("w:60", f"{CAT}.png")
    assert (loose.content, loose.headers["etag"]) == (before.content, before.headers["etag"])

    shop.take_in(CAT, picture(120, 80, (10, 200, 30)))

    after = shop.get("w:60", f"{CAT}.png")
    assert after.content != before.content
    assert shop.get("w:60", f"{CAT}.png", If_None_Match=before.headers["etag"]).status_code == 200
    assert code_of(shop.get(pinned, f"{CAT}.png")) == (404, "content-replaced")


def test_many_at_once_make_one_picture(shop):
    shop.maker.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(shop.get, "w:60", f"{CAT}.webp") for _ in range(8)]
        while len(shop.maker.asked) < 8:
            threading.Event().wait(0.01)
        made: list[str] = []
        count_puts(shop, made)
        shop.maker.gate.set()
        answers = [one.result(20) for one in waiting]
    assert {one.status_code for one in answers} == {200}
    assert len({one.content for one in answers}) == 1
    assert len(made) == 1, "seven found it being made, or made"


def count_puts(shop: Pictures, made: list[str]) -> None:
    class Counting:
        def __getattr__(self, name):
            return getattr(shop.home.services.storage, name)

        def put(self, scope, key, *arguments, **named):
            made.append(key)
            return shop.home.services.storage.put(scope, key, *arguments, **named)

    shop.maker.use(dataclasses.replace(shop.home.services, storage=Counting()))


def test_a_maker_that_was_killed_holds_nobody_up_for_ever(shop):
    now = [1000.0]
    shop.maker.use(dataclasses.replace(shop.home.services, clock=lambda: now[0]))
    shop.take_in("cat.jpg", picture())
    tag = shop.get("w:20", "cat.jpg.png").headers["etag"].strip('"')
    shop.home.services.storage.delete(Scope.MEDIA, f"cache/{tag}.png")
    shop.home.services.leases.acquire(f"picture#cache/{tag}.png", "killed", now[0] + LEASE_SECONDS, now[0])
    threading.Timer(0.3, lambda: now.__setitem__(0, now[0] + LEASE_SECONDS)).start()
    assert shop.get("w:20", "cat.jpg.png").status_code == 200


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (picture()[:700], (422, "corrupt-media")),
        ((MEDIA / "animated-loop-3.gif").read_bytes()[:600], (422, "corrupt-media")),
        (b"only words\n", (415, "unsupported-media")),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', (415, "unsupported-media")),
        (picture(2200, 2000), (413, "limit-exceeded")),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(shop, data, expected):
    shop.take_in("bad.jpg", data)
    assert code_of(shop.get("w:20", "bad.jpg.webp")) == expected
    assert shop.cached() == []


def test_limits_have_codes(tmp_path):
    with pictures(tmp_path, max_output_pixels="10000") as shop:
        shop.take_in("cat.jpg", picture(400, 300))
        for options, status, code in [
            ("-", 413, "output-too-large"),
            ("w:9000,h:9000,fit:contain", 413, "output-too-large"),
            ("w:16000,dpr:2", 400, "invalid-option"),
            ("dpr:6", 400, "invalid-option"),
            ("blur:51", 400, "invalid-option"),
            ("page:2,w:9", 400, "no-such-page"),
        ]:
            assert code_of(shop.get(options, "cat.jpg.jpg")) == (status, code), options
        for name in (
            "cat.jpg",
            "cat.jpg.exe",
            "cat",
            "nobody.jpg.webp",
            "a//b.jpg",
            "\x00.jpg",
            "a/\x00/.jpg",
            "x" * 2000 + ".jpg",
        ):
            assert shop.get("w:9", name).status_code in {400, 404}, name
        loop = (MEDIA / "animated-loop-3.gif").read_bytes()
        shop.take_in("loop.gif", loop)
        assert code_of(shop.get("w:100", "loop.gif.webp")) == (413, "output-too-large")
        assert shop.get("w:100,page:1", "loop.gif.webp").status_code == 200


def test_cached_pictures_go_with_their_medium(shop):
    services = shop.home.services
    for width in (10, 20, 30):
        assert shop.get(f"w:{width}", f"{CAT}.webp").status_code == 200
    media = services.catalog.original(f"uploads/{CAT}").hash
    assert len(shop.cached()) == 3
    key = {"X-Api-Key": shop.home.api_key}
    shown = shop.client.get(f"/api/media/{media}", headers=key).json()
    assert not [one for one in shown["derivatives"] if one["name"].startswith("cache/")]
    assert shop.client.delete(f"/api/media/{media}", headers=key).json()["complete"]
    assert shop.cached() == []
    assert code_of(shop.get("w:10", f"{CAT}.webp")) == (404, "not-found")


def test_a_picture_of_a_medium_that_is_removed_meanwhile_does_not_stay(shop):
    services = shop.home.services
    media = services.catalog.original(f"uploads/{CAT}").hash

    class Removing:
        def __getattr__(self, name):
            return getattr(services.storage, name)

        def put(self, scope, key, *arguments, **named):
            services.catalog.release(media, services.clock())
            assert services.catalog.condemn(media, float("inf"), services.clock()).state is BlobState.CONDEMNED
            return services.storage.put(scope, key, *arguments, **named)

    shop.maker.use(dataclasses.replace(services, storage=Removing()))
    assert code_of(shop.get("w:60", f"{CAT}.webp")) == (404, "not-found")
    assert shop.cached() == []


def test_without_anybody_to_make_it_a_picture_is_pending(shop):
    services = dataclasses.replace(shop.home.services, on_demand=None)
    with pytest.raises(KinoraError) as caught:
        have_made(services, {"task": "picture"}, lambda: False)
    assert caught.value.code == "pending"


@pytest.fixture(scope="module")
def cinema(tmp_path_factory):
    with pictures(tmp_path_factory.mktemp("cinema"), image_presets=PRESETS, ladder="240", encode="on_demand") as made:
        made.take_in("film.mp4", (MEDIA / "bigbuckbunny.mp4").read_bytes())
        assert code_of(made.get("w:64", "film.mp4.jpg")) == (503, "pending")
        made.home.work(limit=1)
        yield made


def test_frames_of_a_video_are_pictures_too(cinema):
    first, later = (opened(cinema.get(f"w:64,t:{time}", "film.mp4.png")) for time in ("0", "2.5"))
    assert first.size == later.size
    assert first.width == 64
    assert first.tobytes() != later.tobytes()
    end, past = (cinema.get(f"w:64,t:{time}", "film.mp4.png") for time in ("99", "3600"))
    assert opened(end).tobytes() == opened(past).tobytes()
    assert opened(cinema.get("w:64,h:64,fit:cover,rot:90,page:7", "film.mp4.avif")).size == (64, 64)
    assert cinema.maker.asked[-1]["task"] == "frame"


def test_pictures_of_videos_are_public_only_where_the_video_is(cinema):
    media = cinema.home.services.catalog.original("uploads/film.mp4").hash
    assert opened(cinema.get("preset:card", "film.mp4.jpg", signature="public")).size == (40, 30)
    cinema.home.services.catalog.set_access(media, MediaAccess.TOKEN)
    assert code_of(cinema.get("preset:card", "film.mp4.jpg", signature="public")) == (403, "signature-invalid")
    cinema.home.services.catalog.set_access(media, None)


def test_a_damaged_plan_or_clip_is_no_error_of_the_server(tmp_path):
    with pictures(tmp_path, ladder="240", encode="on_demand") as shop:
        shop.take_in("bad.mp4", (MEDIA / "bigbuckbunny.mp4").read_bytes()[:3000])
        shop.home.work(limit=1)
        assert code_of(shop.get("w:64", "bad.mp4.jpg")) == (404, "corrupt-media")
        with pytest.raises(NotFound):
            shop.home.services.storage.head(Scope.MEDIA, video_key("ab" * 32, "plan.json"))
