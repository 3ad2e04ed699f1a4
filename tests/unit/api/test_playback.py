"""Who may play what: access of single media, tokens with limits, sessions, cookies; and what is told to who may not."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from kinora.api.access import Access
from kinora.api.app import create_app
from kinora.model import Blob, Kind, MediaAccess, Original, Scope
from kinora.object_keys import video_key
from tests.house import house
from tests.unit.api.test_api import code_of

HASH, OTHER = "ab" * 32, "cd" * 32
MASTER = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="audio/und_aac_2ch/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"
video/r720_h264/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
video/r240_h264/playlist.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,URI="video/r720_h264/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="video/r240_h264/iframes.m3u8"
"""
PLAYLIST = b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="/keys/1"\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4.0,\nseg_0.m4s\n'
FILES = {
    "master.m3u8": MASTER,
    "video/r720_h264/playlist.m3u8": PLAYLIST,
    "video/r720_h264/seg_0.m4s": b"720",
    "video/r240_h264/playlist.m3u8": PLAYLIST,
    "video/r240_h264/seg_0.m4s": b"240",
    "audio/und_aac_2ch/seg_0.m4s": b"sound",
    "subtitles/en_1/seg_0.vtt": b"WEBVTT\n",
    "cover.jpg": b"cover",
    "preview.webp": b"preview",
    "storyboard/storyboard.vtt": b"WEBVTT\n\nsheet_0.jpg#xywh=0,0,1,1\n",
    "storyboard/sheet_0.jpg": b"sheet",
    "waveform.json": b"{}",
    "proxy/r720_h264.mp4": b"proxy",
}
START = 1_700_000_000.0


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


@contextmanager
def playing(folder, address: str = "203.0.113.7", **settings):
    clock = Clock()
    with house(folder, clock=clock, **settings) as home:
        catalog = home.services.catalog
        for n, content in enumerate((HASH, OTHER)):
            blob = Blob(content, 1, "video/mp4", Kind.VIDEO, START)
            catalog.attach(Original(f"uploads/{n}.mov", content, 1, "e", "0A", changed_at=START), blob)
            for path, data in FILES.items():
                home.services.storage.put(Scope.MEDIA, video_key(content, path), data)
        app = create_app(home.services)
        with TestClient(app, follow_redirects=False, client=(address, 5000)) as client:
            client.home, client.clock, client.application = home, clock, app
            client.key = {"X-Api-Key": home.api_key}
            yield client


def mint(client, content: str = HASH, **wanted) -> str:
    answer = client.post(f"/api/media/{content}/tokens", json=wanted, headers=client.key)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["token"]


def url(path: str = "master.m3u8", content: str = HASH, **query: str) -> str:
    return f"/stream/{content}/{path}" + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")


def set_access(client, access: str, content: str = HASH):
    return client.put(f"/api/media/{content}/access", json={"access": access}, headers=client.key)


def test_a_medium_can_be_made_private_and_public_on_its_own(tmp_path):
    with playing(tmp_path) as client:
        where = f"/api/media/{HASH}/access"
        assert client.get(where, headers=client.key).json() == {"access": "public", "is_own": False}
        assert client.get(url()).status_code == 200
        assert set_access(client, "token").json() == {"access": "token", "is_own": True}
        for path in FILES:
            assert code_of(client.get(url(path))) == "not-found", path
            assert client.get(url(path, OTHER)).status_code == 200
            assert client.get(url(path, token=mint(client))).status_code == 200
        shown = client.get(f"/api/media/{HASH}", headers=client.key)
        assert shown.status_code == 200
        assert set_access(client, "default").json() == {"access": "public", "is_own": False}
        assert client.get(url()).status_code == 200
        assert set_access(client, "everybody").status_code == 422
        assert code_of(set_access(client, "token", "ee" * 32)) == "not-found"
        assert code_of(client.get("/api/media/" + "ee" * 32 + "/access", headers=client.key)) == "not-found"
        assert code_of(client.post("/api/media/" + "ee" * 32 + "/tokens", headers=client.key)) == "not-found"
    with playing(tmp_path / "closed", stream_access="token") as client:
        assert code_of(client.get(url())) == "unauthorized"
        set_access(client, "public")
        assert client.get(url()).status_code == 200
        assert code_of(client.get(url(content=OTHER))) == "unauthorized"


def test_addresses_of_private_media_carry_a_token_as_soon_as_they_need_one(tmp_path):
    with playing(tmp_path) as client:
        links = Access(client.home.services)
        assert not links.playback.is_private(HASH)
        first = client.post(f"/api/media/{HASH}/tokens", headers=client.key).json()
        assert first["stream_url"].endswith("?token=" + first["token"])
        from kinora.api.links import Links

        made = Links(client.home.services, links)
        assert made.stream(HASH, "cover.jpg") == url("cover.jpg")
        client.home.services.catalog.set_access(HASH, MediaAccess.TOKEN)
        made.forget_access(HASH)
        assert client.get(made.stream(HASH, "cover.jpg")).content == b"cover"


@pytest.mark.parametrize("default", ["public", "token"])
def test_who_may_not_play_learns_nothing_of_what_there_is(tmp_path, default):
    """A private medium answers as an unknown one does: same status, same words, same headers."""
    unknown = "ee" * 32
    with playing(tmp_path, stream_access=default) as client:
        set_access(client, "token")
        bad = ("", "?token=x", f"?token={mint(client, OTHER)}", f"?token=k1.9999999999.{'A' * 43}&session=x")
        for method in ("GET", "HEAD"):
            for path in [*FILES, "video/r240_h264/seg_9.m4s", "preview.gif", "plan.json", "subtitles/no_1/seg_0.vtt"]:
                for query in bad:
                    answers = [client.request(method, f"/stream/{one}/{path}{query}") for one in (HASH, unknown)]
                    private, nothing = ((one.status_code, one.content, dict(one.headers)) for one in answers)
                    assert private == nothing, (method, path, query)
                    assert answers[0].headers["cache-control"] == "no-store"


def test_playlists_hand_the_token_on_and_are_never_kept(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        token = mint(client)
        for headers, query in (({}, {"token": token}), ({"Authorization": f"Bearer {token}"}, {})):
            answer = client.get(url("video/r240_h264/playlist.m3u8", **query), headers=headers)
            assert answer.headers["cache-control"] == "private, no-store"
            assert answer.headers["vary"] == "Authorization, Cookie"
            for address in ("/keys/1", "init.mp4"):
                assert f'URI="{address}?token={token}"' in answer.text
            assert f"\nseg_0.m4s?token={token}\n" in answer.text
        segment = client.get(url("video/r240_h264/seg_0.m4s", token=token))
        assert segment.headers["cache-control"].startswith("private")
        assert segment.headers["vary"] == "Authorization, Cookie"
        set_access(client, "public")
        public = client.get(url("video/r240_h264/playlist.m3u8", token=token))
        assert f'URI="/keys/1?token={token}"' in public.text, "content keys may need it"
        assert public.headers["cache-control"] == "private, no-store"
        plain = client.get(url("video/r240_h264/playlist.m3u8"), headers={"Authorization": f"Bearer {client.home.api_key}"})
        assert plain.content == PLAYLIST, "a header is never written into what everybody may see"


def test_tokens_expire_and_are_for_one_medium(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        token = mint(client, seconds=60)
        client.clock.now += 59
        assert client.get(url(token=token)).status_code == 200
        assert code_of(client.get(url(content=OTHER, token=token))) == "signature-invalid"
        client.clock.now += 1
        assert code_of(client.get(url(token=token))) == "signature-expired"
        assert client.get(url(token=token)).status_code == 410
        for wrong in ({"seconds": 0}, {"seconds": 10**9}, {"rendition": "../x"}):
            assert client.post(f"/api/media/{HASH}/tokens", json=wrong, headers=client.key).status_code == 422
        answer = client.post(f"/api/media/{HASH}/tokens", json={"network": "10.0.0.0/99"}, headers=client.key)
        assert code_of(answer) == "invalid-input"


def test_a_token_for_one_rendition_shows_that_one(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        token = mint(client, rendition="r240_h264")
        master = client.get(url(token=token)).text
        assert "r720" not in master
        assert master.count("#EXT-X-STREAM-INF") == master.count("I-FRAME-STREAM-INF") == 1
        assert f"\nvideo/r240_h264/playlist.m3u8?token={token}\n" in master
        assert "audio/und_aac_2ch/playlist.m3u8?token=" in master
        allowed = {path for path in FILES if client.get(url(path, token=token)).status_code == 200}
        assert allowed == {path for path in FILES if path.startswith(("master", "video/r240", "audio/", "subtitles/"))}
        refused = client.get(url("video/r720_h264/seg_0.m4s", token=token))
        assert (refused.status_code, code_of(refused)) == (403, "forbidden")
        larger = mint(client, rendition="r720_h264")
        assert client.get(url("proxy/r720_h264.mp4", token=larger)).content == b"proxy"
        assert client.get(url(token=mint(client, rendition="r480_h264"))).status_code == 404


def test_limits_cannot_be_taken_off_or_exchanged(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        token, other = mint(client, rendition="r240_h264"), mint(client, rendition="r720_h264", seconds=60)
        kid, expires, mac, limits = token.split(".")
        for forged in (
            f"{kid}.{expires}.{mac}",
            f"{kid}.{expires}.{mac}.",
            f"{kid}.{expires}.{mac}.{other.split('.')[3]}",
            f"{token}=",
            f"{token}.{limits}",
            f"{kid}.{expires}.{mac}.{limits[:-1]}",
        ):
            assert code_of(client.get(url("video/r240_h264/seg_0.m4s", token=forged))) == "signature-invalid", forged


def test_a_token_can_be_for_a_network(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        inside = ("203.0.113.0/24", "203.0.113.7", "203.0.113.99/25", "::ffff:203.0.113.0/120")
        outside = ("203.0.114.0/24", "2001:db8::/32", "203.0.113.8")
        for network, status in [*((one, 200) for one in inside), *((one, 403) for one in outside)]:
            token = mint(client, network=network)
            assert client.get(url(token=token)).status_code == status, network
            spoofed = client.get(url(token=token), headers={"X-Forwarded-For": "203.0.114.1", "X-Real-Ip": "203.0.114.1"})
            assert spoofed.status_code == status, "nobody in front is trusted"
    for address, network in (("2001:db8:1::9", "2001:db8:1::/48"), ("::ffff:203.0.113.7", "203.0.113.0/24")):
        with playing(tmp_path / address.replace(":", "_"), address, stream_access="token") as client:
            assert client.get(url(token=mint(client, network=network))).status_code == 200
            assert client.get(url(token=mint(client, network="2001:db8:2::/48"))).status_code == 403
    with playing(tmp_path / "nowhere", "testclient", stream_access="token") as client:
        assert client.get(url(token=mint(client, network="0.0.0.0/0"))).status_code == 403


def test_only_proxies_that_the_settings_name_are_believed(tmp_path):
    with playing(tmp_path, "10.0.0.1", stream_access="token", trusted_proxies="1") as client:
        token = mint(client, network="203.0.113.0/24")
        for header, status in (("203.0.113.7", 200), ("203.0.113.7, 198.51.100.1", 403), ("x, 203.0.113.7", 200), ("", 403)):
            answer = client.get(url(token=token), headers={"X-Forwarded-For": header})
            assert answer.status_code == status, header
        assert client.get(url(token=token)).status_code == 403


def test_a_token_for_one_session_belongs_to_who_comes_first(tmp_path):
    with playing(tmp_path, stream_access="token") as client, TestClient(client.application) as thief:
        token = mint(client, single_session=True)
        answer = client.get(url(token=token))
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        session = cookie.split(";")[0].partition("=")[2]
        child = f"video/r240_h264/playlist.m3u8?token={token}&session={session}"
        assert child in answer.text
        assert client.get(url(token=token)).status_code == 200, "the browser comes again with its cookie"
        client.cookies.clear()
        assert client.get(f"/stream/{HASH}/{child}").status_code == 200, "a player without cookies has it in the address"
        assert client.get(url("video/r240_h264/seg_0.m4s", token=token, session=session)).content == b"240"
        for stolen in ({}, {"session": "another-session-id"}):
            for path in ("master.m3u8", "video/r240_h264/seg_0.m4s"):
                refused = thief.get(url(path, token=token, **stolen))
                assert code_of(refused) == "forbidden", path
                assert "set-cookie" not in refused.headers
        assert thief.get(url(token=token, session="short")).status_code == 403


def test_a_viewer_can_bring_its_own_session_and_a_failure_claims_nothing(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        token = mint(client, single_session=True)
        services = client.home.services
        services.storage.delete(Scope.MEDIA, video_key(HASH, "master.m3u8"))
        assert client.get(url(token=token)).status_code == 404
        services.storage.put(Scope.MEDIA, video_key(HASH, "master.m3u8"), MASTER)
        mine = "0123456789abcdef"
        answer = client.get(url(token=token, session=mine))
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert f"?token={token}&session={mine}" in answer.text
        assert client.get(url(token=token)).status_code == 403


def test_of_many_sessions_at_once_one_gets_the_token(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with playing(tmp_path, stream_access="token") as client:
        token = mint(client, single_session=True)
        paths = [url("video/r240_h264/seg_0.m4s", token=token, session=f"session-number-{n:04}") for n in range(12)]
        others = TestClient(create_app(client.home.services))  # another process remembers nothing of the first
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda n: (client, others)[n % 2].get(paths[n]).status_code, range(12)))
        assert sorted(answers) == [200] + [403] * 11
        winner = paths[answers.index(200)]
        assert others.get(winner).status_code == 200
        assert others.get(paths[answers.index(403)]).status_code == 403


def test_a_browser_keeps_tokens_as_a_cookie_that_no_script_sees(tmp_path):
    with playing(tmp_path, stream_access="token", public_url="https://media.example") as plain:
        app = plain.application
        with TestClient(app, base_url="https://testserver", follow_redirects=False) as client:
            client.key, client.clock = plain.key, plain.clock
            keep = f"/stream/{HASH}/token"
            assert code_of(client.post(keep)) == "unauthorized"
            assert code_of(client.post(keep, json={"token": "x"})) == "signature-invalid"
            assert code_of(client.post(keep, json={"token": mint(client, OTHER)})) == "signature-invalid"
            answer = client.post(keep, json={"token": mint(client, seconds=60)})
            assert (answer.status_code, answer.headers["cache-control"]) == (204, "no-store")
            for word in ("kinora_token=", "HttpOnly", "SameSite=lax", "Secure", "Path=/"):
                assert word in answer.headers["set-cookie"]
            playlist = client.get(url("video/r240_h264/playlist.m3u8"))
            assert playlist.content == PLAYLIST, "nothing is written into addresses"
            assert playlist.headers["cache-control"] == "private, no-store"
            assert client.get(url(content=OTHER)).status_code == 403
            bearer = {"Authorization": f"Bearer {mint(client, OTHER, single_session=True)}"}
            assert client.post(f"/stream/{OTHER}/token", headers=bearer).status_code == 204
            for content in (HASH, OTHER):
                assert client.get(url("cover.jpg", content)).content == b"cover"
            assert TestClient(app).get(url("cover.jpg", OTHER), headers=bearer).status_code == 403, "the session is claimed"
            assert client.get(url("cover.jpg", token="x")).status_code == 403, "what is sent on purpose counts"
            client.clock.now += 60
            assert client.get(url("cover.jpg")).status_code == 410
            assert client.get(url("cover.jpg", OTHER)).status_code == 200
            odd = {"Cookie": f'kinora_token="\x01;~{"x" * 1100}~{"y" * 1100}~{"z" * 1100}~a b'}
            again = client.post(keep, json={"token": mint(client)}, headers=odd)
            assert again.status_code == 204
            assert len(again.headers["set-cookie"]) < 4096


def test_hostile_tokens_are_refused_and_nothing_breaks(tmp_path):
    with playing(tmp_path, stream_access="token") as client:
        token = mint(client, rendition="r240_h264", network="203.0.113.0/24", single_session=True)
        odd = ("%00", "a" * 5000, "..", "%2e" * 9, "é", f"{token}%0a", token.upper(), token[::-1], json.dumps([token]))
        for one in odd:
            assert client.get(url(token=one)).status_code in {401, 403}, one
            assert client.get(url(), headers={"Cookie": f"kinora_token={one.encode().hex()}"}).status_code == 403
