"""Subtitles beside an original and by the API: whatever comes first, the stream offers what there is, and only that."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

import m3u8
import pytest
from fastapi.testclient import TestClient

from kinora.api.app import create_app
from kinora.model import JobState, Kind, Scope
from kinora.object_keys import video_key
from kinora.pipeline.finish import publish_measured
from kinora.pipeline.plans import load_plan
from kinora.pipeline.playback import read_index
from kinora.pipeline.remove import remove_media
from kinora.pipeline.sidecars import follow_files, make_sidecars
from kinora.pipeline.stream import publish_stream
from kinora.pipeline.subtitle_uploads import put_subtitles
from tests.house import house
from tests.pictures import picture
from tests.unit.media import clips

SMALL = {"ladder": "64", "image_variants": "thumb=64"}
HELLO = b"1\n00:00:01,000 --> 00:00:02,500\nHello\n"
OTHER = b"WEBVTT\n\n00:01.000 --> 00:02.000\nOther\n"


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, bytes]:
    """`film` begins at 5 s on its own clock; `text` holds a text track; `tone` is only sound."""
    folder = tmp_path_factory.mktemp("films")
    picture = "-f lavfi -i testsrc2=s=96x54:r=10:d=4 -c:v libx264 -threads 1 -preset ultrafast -g 10"
    (folder / "in.srt").write_bytes(HELLO)
    clips.ffmpeg(*f"{picture} -output_ts_offset 5".split(), str(folder / "film.ts"))
    inputs = picture.replace(" -c:v", f" -i {folder / 'in.srt'} -c:v")
    clips.ffmpeg(*f"{inputs} -c:s mov_text -metadata:s:s:0 language=eng".split(), str(folder / "text.mp4"))
    clips.ffmpeg(*["-f", "lavfi", "-i", "sine=r=48000:d=4", "-c:a", "aac"], str(folder / "tone.mp4"))
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def served(folder, **settings):
    with house(folder, **SMALL | settings) as home, TestClient(create_app(home.services)) as client:
        client.headers["Authorization"] = f"Bearer {home.api_key}"
        client.home = home
        yield home, client


def media_job(home):
    (job,) = [one for one in home.jobs() if one.kind is not Kind.OTHER]
    return job


def offered(home, content_hash: str | None = None) -> dict[str, m3u8.Media]:
    """The subtitles in the multivariant playlist by name; every variant refers to them."""
    master = m3u8.loads(read_index(home.services, content_hash or media_job(home).hash, "master.m3u8"))
    texts = [one for one in master.media if one.type == "SUBTITLES"]
    assert {one.stream_info.subtitles for one in master.playlists} == ({"subtitles"} if texts else {None})
    assert len({one.name for one in texts}) == len(texts)
    return {one.name: one for one in texts}


def text_of(home, media: m3u8.Media, content_hash: str | None = None) -> str:
    key = video_key(content_hash or media_job(home).hash, media.uri.replace("playlist.m3u8", "seg_0.vtt"))
    return home.services.storage.open(Scope.MEDIA, key).read().decode()


def texts_stored(home) -> list[str]:
    return [key for key in home.objects() if key.endswith("seg_0.vtt")]


@pytest.mark.parametrize("first", ["film", "text", "events"])
def test_in_whichever_order_they_come_the_stream_has_them(tmp_path, films, first):
    with served(tmp_path) as (home, _):
        made = {}
        for name in ("film.ts", "film.en.srt") if first == "film" else ("film.en.srt", "film.ts"):
            made[name] = home.put(name, films["film"] if name == "film.ts" else HELLO)
            if first != "events":
                home.ingest(made[name])
                home.work()
        home.ingest(*made.values())
        home.work()
        home.ingest(made["film.en.srt"], made["film.ts"], made["film.en.srt"])
        home.work()
        assert [job.state for job in home.jobs()] == [JobState.READY]
        (shown,) = offered(home).values()
        assert (shown.language, shown.default, shown.autoselect, shown.forced) == ("en", "NO", "YES", "NO")
        assert len(texts_stored(home)) == 1
        base = tmp_path / "media" / video_key(media_job(home).hash, "")
        read = clips.ffmpeg("-i", str(base / shown.uri), "-f", "srt", "-")
        assert "00:00:01,000 --> 00:00:02,500\nHello" in read


@pytest.mark.parametrize("name", ["x" * 255, "..mp4", "film", "x" * 250 + ".srt", ".srt", "..en.srt"])
def test_odd_names_keep_no_film_from_being_taken_in(tmp_path, films, name):
    with served(tmp_path) as (home, _):
        assert home.ingest(home.put(name, films["tone"])) == ["started"]
        assert home.ingest(home.put(f"a/{name[:200]}.srt", HELLO)) == ["subtitles"]
        home.work("prepare")
        assert media_job(home).playable_at is not None


def test_a_file_is_replaced_and_goes_again(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("film.ts", films["film"]), home.put("film.srt", HELLO))
        home.work()
        assert set(offered(home)) == {"Subtitles"}
        home.ingest(home.put("film.srt", OTHER))
        home.work()
        (shown,) = offered(home).values()
        assert "Other" in text_of(home, shown)
        assert len(texts_stored(home)) == 1
        assert home.ingest(home.put("film.srt", b"no subtitles at all")) == ["refused"]
        home.work()
        assert offered(home) == {}
        home.ingest(home.put("film.srt", HELLO))
        home.work()
        assert len(offered(home)) == 1
        home.ingest(home.remove("film.srt"))
        home.work()
        assert offered(home) == {}
        assert texts_stored(home) == []


def test_a_file_follows_the_key_of_its_original(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("film.ts", films["film"]), home.put("again.ts", films["film"]), home.put("film.de.srt", HELLO))
        home.work()
        before = media_job(home).hash
        assert set(offered(home)) == {"de"}
        home.ingest(home.put("film.ts", films["tone"]))
        home.work()
        (after,) = {job.hash for job in home.jobs()} - {before}
        assert offered(home, before) == {}
        assert set(offered(home, after)) == {"de"}
        home.ingest(home.remove("film.ts"))
        home.work()
        assert offered(home, after) == {}


def test_the_longest_part_of_a_name_decides(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(
            home.put("film.ts", films["film"]), home.put("film.en.srt", HELLO), home.put("film.ts.fr.forced.vtt", OTHER)
        )
        home.ingest(home.put("film.part2.srt", HELLO), home.put("films.srt", HELLO), home.put("a/film.srt", HELLO))
        home.work()
        first = media_job(home).hash
        assert {one.language for one in offered(home).values()} == {"en", "fr"}
        assert offered(home)["fr"].forced == "YES"
        home.ingest(home.put("film.en.mp4", films["tone"]))
        home.work()
        (second,) = {job.hash for job in home.jobs()} - {first}
        assert set(offered(home, first)) == {"fr"}
        assert set(offered(home, second)) == {"Subtitles"}
        home.ingest(home.remove("film.en.mp4"))
        home.work()
        assert set(offered(home, first)) == {"fr", "en"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"just words", "no-cues"),
        (b"", "no-cues"),
        (b"\x81\xff\x90" * 40, "not-text"),
        (b"1\n00:00:09,000 --> 00:00:01,000\nx\n", "bad-times"),
        (b"x" * 4_000_001, "limit-exceeded"),
    ],
)
def test_what_is_only_called_subtitles_is_refused(tmp_path, data, code):
    with served(tmp_path) as (home, _):
        assert home.ingest(home.put("film.srt", data)) == ["refused"]
        assert home.job().error.code == code


def test_subtitles_that_wait_are_no_job_and_a_film_in_disguise_is_a_film(tmp_path, films):
    with served(tmp_path) as (home, client):
        assert home.ingest(home.put("film.srt", HELLO)) == ["subtitles"]
        assert home.jobs() == []
        assert client.get("/api/media").json()["media"] == []
        assert home.ingest(home.put("other.srt", films["film"])) == ["started"]


def test_handing_in_and_taking_back(tmp_path, films):
    with served(tmp_path) as (home, client):
        home.ingest(home.put("text.mp4", films["text"]), home.put("text.de.sdh.srt", HELLO))
        content_hash = media_job(home).hash
        url = f"/api/media/{content_hash}/subtitles"
        typed = {"Content-Type": "application/x-subrip"}
        early = client.put(f"{url}/pt_br?name=Brasil&default=true", content=HELLO, headers=typed)
        assert (early.status_code, early.json()["language"], early.json()["origin"]) == (200, "pt-BR", "api")
        home.work()
        assert list(offered(home)) == ["Brasil", "en", "de SDH"]
        assert offered(home)["Brasil"].default == "YES"
        assert "transcribes-spoken-dialog" in offered(home)["de SDH"].characteristics
        client.put(f"{url}/pt-BR", content="WEBVTT\n\n00:01.000 --> 00:02.000\n<script>ção</script> -->\n".encode())
        client.put(f"{url}/pt-BR?forced=true&default=true", content=OTHER)
        home.work()
        assert [(one.name, one.forced, one.default) for one in offered(home).values()] == [
            ("en", "NO", "YES"),
            ("pt-BR", "NO", "NO"),
            ("pt-BR (2)", "YES", "NO"),
            ("de SDH", "NO", "NO"),
        ]
        assert "\nção --&gt;\n" in text_of(home, offered(home)["pt-BR"])
        listed = client.get(url).json()["subtitles"]
        assert [one["origin"] for one in listed] == ["api", "api", "file", "original"]
        assert client.get(f"/api/media/{content_hash}").json()["subtitles"] == listed
        assert client.get(f"{url}/PT-br").json() == listed[0]
        assert client.get(listed[0]["url"]).headers["content-type"].startswith("text/vtt")
        for one in listed:
            assert client.get(one["url"]).status_code == 200
        assert client.delete(f"{url}/pt-BR").status_code == 204
        assert client.delete(f"{url}/pt-BR").status_code == 404
        assert client.delete(f"{url}/de").json()["code"] == "not-found"
        home.work()
        assert set(offered(home)) == {"pt-BR", "de SDH", "en"}
        assert len(texts_stored(home)) == 3
        assert remove_media(home.services, content_hash, originals=False)["complete"]
        assert home.services.catalog.sidecars(content_hash) == ()
        assert client.put(f"{url}/en", content=HELLO).status_code == 404


@pytest.mark.parametrize(
    ("language", "content", "headers", "status", "code"),
    [
        ("english", HELLO, {}, 400, "invalid-language"),
        ("e%22n", HELLO, {}, 400, "invalid-language"),
        ("en", b"x" * 4_000_001, {}, 413, "limit-exceeded"),
        ("en", b"\x81\x00\xff", {}, 415, "not-text"),
        ("en", b"words", {}, 415, "no-cues"),
        ("en", b"00:00:61,000 --> 00:00:62,000\nx", {}, 415, "bad-times"),
        ("en", HELLO, {"Content-Type": "video/mp4"}, 415, "unsupported-media"),
    ],
)
def test_hostile_input_is_refused_in_words(tmp_path, films, language, content, headers, status, code):
    with served(tmp_path) as (home, client):
        home.ingest(home.put("film.ts", films["film"]))
        url = f"/api/media/{home.job().hash}/subtitles/{language}"
        answer = client.put(url, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert home.services.catalog.sidecars(home.job().hash) == ()


def test_pictures_and_what_nobody_knows_have_none(tmp_path):
    with served(tmp_path) as (home, client):
        assert client.put(f"/api/media/{'ab' * 32}/subtitles/en", content=HELLO).status_code == 404
        home.ingest(home.put("a.jpg", picture(8, 8)))
        answer = client.put(f"/api/media/{home.job().hash}/subtitles/en", content=HELLO)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")


def test_sound_alone_can_have_texts(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("tone.mp4", films["tone"]), home.put("tone.vtt", OTHER))
        home.work()
        assert len(offered(home)) == 1


def test_whoever_publishes_last_publishes_all(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("film.ts", films["film"]))
        home.work()
        job, services = media_job(home), home.services
        plan = load_plan(services, job.hash)
        languages = [f"{first}{second}" for first in "ab" for second in "rsz"]

        def hand_in(language: str) -> None:
            put_subtitles(services, job.hash, language, HELLO, title="", default=False, forced=False)
            publish_stream(services, job, plan)

        others = [threading.Thread(target=publish_measured, args=(services, job)) for _ in range(2)]
        others += [threading.Thread(target=hand_in, args=(one,)) for one in languages]
        for one in others:
            one.start()
        for one in others:
            one.join()
        assert set(offered(home)) == set(languages)


def test_of_many_who_look_at_once_the_last_one_leaves_what_there_is(tmp_path, films):
    with served(tmp_path) as (home, client):
        home.ingest(home.put("film.ts", films["film"]), home.put("film.fr.srt", HELLO))
        home.work()
        job, services = media_job(home), home.services
        url = f"/api/media/{job.hash}/subtitles/en"

        def replace(n: int) -> None:
            for turn in range(4):
                cue = f"1\n00:00:01,000 --> 00:00:02,000\n{n} {turn}\n".encode()
                services.storage.put(Scope.SOURCE, "uploads/film.de.srt", cue)
                services.storage.delete(Scope.SOURCE, "uploads/film.fr.srt")
                put_subtitles(services, job.hash, "en", cue, title="", default=False, forced=False)
                make_sidecars(services, job, {}, None)

        others = [threading.Thread(target=replace, args=(n,)) for n in range(4)]
        for one in others:
            one.start()
        for one in others:
            one.join()
        home.work()
        last = services.storage.open(Scope.SOURCE, "uploads/film.de.srt").read().decode().splitlines()[-1]
        assert set(offered(home)) == {"de", "en"}
        assert text_of(home, offered(home)["de"]).endswith(f"\n{last}\n")
        assert client.get(client.get(url).json()["url"]).status_code == 200
        assert len(texts_stored(home)) == 2


def test_a_task_that_was_killed_is_made_good_by_the_next(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("film.ts", films["film"]))
        home.work()
        event = home.put("film.srt", HELLO)
        home.ingest(event)
        follow_files(home.services, media_job(home).hash)
        assert offered(home) == {}
        home.work()
        assert len(offered(home)) == 1
        home.remove("film.srt")
        home.ingest(home.event("ObjectRemoved:Delete", "uploads/film.srt"))
        follow_files(home.services, media_job(home).hash)
        home.work()
        assert offered(home) == {}


def test_a_stream_of_old_keeps_its_measured_rates(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("film.ts", films["film"]))
        home.work()
        job = media_job(home)
        before = read_index(home.services, job.hash, "master.m3u8")
        assert "AVERAGE-BANDWIDTH" in before
        home.services.storage.delete(Scope.MEDIA, video_key(job.hash, "rates.json"))
        home.ingest(home.put("film.srt", HELLO))
        home.work()
        after = read_index(home.services, job.hash, "master.m3u8")
        assert [line for line in before.splitlines() if line not in after] == []
        assert 'SUBTITLES="subtitles"' in after


def test_texts_of_nobody_go_after_a_while(tmp_path, films):
    with served(tmp_path) as (home, _):
        home.ingest(home.put("text.mp4", films["text"]))
        home.work()
        job = media_job(home)
        for name in ("old", "new"):
            home.services.storage.put(Scope.MEDIA, video_key(job.hash, f"subtitles/en_{name}/seg_0.vtt"), b"WEBVTT\n")
        path = tmp_path / "media" / video_key(job.hash, "subtitles/en_old/seg_0.vtt")
        os.utime(path, (1, 1))
        home.services.queues.send("prepare", [{"task": "sidecars", "job": job.id}])
        home.work()
        assert [key.split("/")[-2] for key in texts_stored(home)] == ["en_new", "eng"]
