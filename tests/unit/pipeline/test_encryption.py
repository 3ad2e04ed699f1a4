"""Encrypted streams: what is stored under every revision, how one replaces another, and what survives being killed."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import imageio_ffmpeg
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kinora.content_keys import encrypt_segment, segment_iv
from kinora.errors import ContentKeyDamaged, NotFound, StaleState
from kinora.invoking.base import is_made, segment_request
from kinora.model import ExportState, JobState, MediaAccess, Scope
from kinora.object_keys import video_key
from kinora.pipeline.encryption_requests import look_at_encryption, request_encryption
from kinora.pipeline.moments import create_moment
from kinora.pipeline.remove import remove_media
from kinora.pipeline.revisions import revisions_of
from kinora.pipeline.segment_keys import content_key, plain_key, stored_key
from kinora.pipeline.segments import open_segment, store_segment
from kinora.pipeline.sweep import sweep
from kinora.pipeline.tasks import perform
from tests.house import HOUR, House, house
from tests.unit.media import clips

SMALL = {"ladder": "54,32", "image_variants": "thumb=64"}
SECONDS = 8
TRACKS = ("audio/und_aac_1ch", "video/r54_h264", "video/r32_h264")
_KEY = re.compile(r'#EXT-X-KEY:METHOD=AES-128,URI="\.\./\.\./\.\./\.\./\.\./keys/([0-9a-f]{32})",IV=0x([0-9A-F]{32})')


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = f"-f lavfi -i testsrc2=s=96x54:r=15:d={SECONDS} -c:v libx264 -preset ultrafast -g 15"
    clips.ffmpeg(*f"-f lavfi -i sine=r=48000:d={SECONDS} -c:a aac {picture}".split(), str(path))
    return path.read_bytes()


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def put_in(home: House, film: bytes, *queues: str) -> str:
    home.ingest(home.put("film.mp4", film))
    home.work(*queues)
    return home.job().hash


def read(home: House, content_hash: str, path: str) -> bytes:
    with home.services.storage.open(Scope.MEDIA, video_key(content_hash, path)) as reader:
        return reader.read()


def paths(home: House, folder: str = "") -> set[str]:
    """Of segments and init segments below a folder of the stream."""
    found = {key.split("/", 3)[3] for key in home.objects() if key.endswith((".m4s", "init.mp4"))}
    return {one.removeprefix(folder) for one in found if one.startswith(folder or ("video/", "audio/"))}


def by_playlist(home: House, content_hash: str, folder: str, key: bytes) -> dict[str, bytes]:
    """Every segment that the playlists name, decrypted as a player does: with what the tags before it say, and nothing else."""
    media: dict[str, bytes] = {}
    for track in TRACKS:
        lines = read(home, content_hash, f"{folder}{track}/playlist.m3u8").decode().splitlines()
        keys = [n for n, line in enumerate(lines) if line.startswith("#EXT-X-KEY")]
        assert keys[0] > next(n for n, line in enumerate(lines) if line.startswith("#EXT-X-MAP"))
        media[f"{track}/init.mp4"] = read(home, content_hash, f"{folder}{track}/init.mp4")
        iv = b""
        for line in lines:
            if line.startswith("#EXT-X-KEY"):
                iv = bytes.fromhex(_KEY.fullmatch(line)[2])
            elif line and not line.startswith("#"):
                decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
                padded = decryptor.update(read(home, content_hash, f"{folder}{track}/{line}")) + decryptor.finalize()
                assert padded[-padded[-1] :] == bytes([padded[-1]]) * padded[-1]
                media[f"{track}/{line}"] = padded[: -padded[-1]]
    return media


def key_of(home: House, content_hash: str, revision: int) -> bytes:
    return plain_key(home.services, stored_key(home.services, content_hash, revision))


def ivs(home: House, content_hash: str, folder: str) -> list[str]:
    return [
        iv for track in TRACKS for _, iv in _KEY.findall(read(home, content_hash, f"{folder}{track}/playlist.m3u8").decode())
    ]


@pytest.fixture(scope="module")
def ready(tmp_path_factory, film) -> dict[str, Path]:
    """Folders in which the film is ready, by KINORA_ENCRYPT."""
    folders = {encrypt: tmp_path_factory.mktemp(encrypt) for encrypt in ("none", "all")}
    for encrypt, folder in folders.items():
        with house(folder, clock=Clock(), encrypt=encrypt, **SMALL) as home:
            put_in(home, film)
            assert home.job().state is JobState.READY
    return folders


@contextmanager
def finished(ready: dict[str, Path], tmp_path: Path, encrypt: str, clock: Clock | None = None) -> Iterator[tuple[House, str]]:
    """A copy of such a folder at work, and the film's hash."""
    shutil.copytree(ready[encrypt], tmp_path / "copy")
    with house(tmp_path / "copy", clock=clock or Clock(), encrypt=encrypt, **SMALL) as home:
        yield home, home.job().hash


@pytest.fixture(scope="module")
def clear(ready) -> dict[str, bytes]:
    with house(ready["none"], **SMALL) as home:
        return {path: read(home, home.job().hash, path) for path in paths(home)}


def test_an_upload_is_encrypted_from_its_first_segment_on(tmp_path, ready, clear):
    with finished(ready, tmp_path, "all") as (home, content_hash):
        assert home.services.catalog.access(content_hash) is MediaAccess.TOKEN
        assert paths(home) == set()
        assert by_playlist(home, content_hash, "rev_1/", key_of(home, content_hash, 1)) == clear
        master = read(home, content_hash, "master.m3u8").decode()
        assert "rev_1/video/r54_h264/playlist.m3u8" in master
        assert 'URI="rev_1/audio/und_aac_1ch/playlist.m3u8"' in master
        assert "I-FRAME" not in master
        assert not [key for key in home.objects() if key.endswith("iframes.m3u8")]
        used = ivs(home, content_hash, "rev_1/")
        assert len(used) == len(set(used)) == len([one for one in clear if one.endswith(".m4s")])
        stored = b"".join(read(home, content_hash, f"rev_1/{path}") for path in clear)
        assert key_of(home, content_hash, 1) not in stored + b"".join(
            home.services.content_keys.list(content_hash)[0].wrapped.split()
        )
        (state,) = look_at_encryption(home.services, content_hash).revisions
        assert (state.state, state.revision) == ("ready", 1)


def test_a_segment_that_a_viewer_waits_for_is_encrypted_as_well(tmp_path, film, clear):
    with house(tmp_path, encrypt="all", encode="on_demand", **SMALL) as home:
        content_hash = put_in(home, film, "prepare")
        for track in TRACKS:
            assert is_made(perform(home.services, segment_request(content_hash, track, 1), lambda: HOUR))
        assert paths(home) == set()
        key, key_id = key_of(home, content_hash, 1), stored_key(home.services, content_hash, 1).key_id
        for track in TRACKS:
            path = f"{track}/seg_1.m4s"
            assert read(home, content_hash, f"rev_1/{path}") == encrypt_segment(key, segment_iv(key_id, track, 1), clear[path])


def test_a_clear_stream_is_encrypted_on_request_and_loses_its_clear_segments(tmp_path, ready, clear):
    clock = Clock()
    with finished(ready, tmp_path, "none", clock) as (home, content_hash):
        before = read(home, content_hash, "master.m3u8")
        state = request_encryption(home.services, content_hash)
        assert (state.served, state.is_settled) == (0, False)
        assert home.services.catalog.access(content_hash) is MediaAccess.TOKEN
        assert read(home, content_hash, "master.m3u8") == before
        home.work()
        assert look_at_encryption(home.services, content_hash).served == 1
        assert by_playlist(home, content_hash, "rev_1/", key_of(home, content_hash, 1)) == clear
        assert "rev_1/video/" in read(home, content_hash, "master.m3u8").decode()
        assert paths(home) == set(clear)  # players that have begun go on
        clock.now += home.services.settings.grace_seconds + 1
        sweep(home.services, lambda: HOUR)
        home.work()
        assert paths(home) == set()
        assert not [key for key in home.objects() if key.endswith("iframes.m3u8")]
        assert by_playlist(home, content_hash, "rev_1/", key_of(home, content_hash, 1)) == clear
        objects = home.objects()
        clock.now += home.services.settings.grace_seconds
        sweep(home.services, lambda: HOUR)
        assert home.waiting("encode") == []
        assert home.objects() == objects


def test_a_new_content_key_makes_a_new_revision_and_the_old_one_plays_until_the_grace_period_ends(tmp_path, ready, clear):
    clock = Clock()
    with finished(ready, tmp_path, "all", clock) as (home, content_hash):
        first = key_of(home, content_hash, 1)
        with pytest.raises(StaleState):
            request_encryption(home.services, content_hash, 3)
        request_encryption(home.services, content_hash, 2)
        assert "rev_1/" in read(home, content_hash, "master.m3u8").decode()
        assert [one.state for one in request_encryption(home.services, content_hash, 2).revisions] == ["ready", "pending"]
        home.work()
        second = key_of(home, content_hash, 2)
        assert first != second
        assert "rev_2/" in read(home, content_hash, "master.m3u8").decode()
        assert by_playlist(home, content_hash, "rev_1/", first) == by_playlist(home, content_hash, "rev_2/", second) == clear
        clock.now += home.services.settings.grace_seconds + 1
        sweep(home.services, lambda: HOUR)
        home.work()
        assert paths(home, "rev_1/") == set()
        assert paths(home, "rev_2/") == set(clear)
        assert [one.state for one in look_at_encryption(home.services, content_hash).revisions] == ["retired", "ready"]
        assert revisions_of(home.services, content_hash).live == (2,)


def test_segments_come_into_every_revision_that_players_may_have(tmp_path, film, clear):
    with house(tmp_path, encrypt="all", encode="on_demand", **SMALL) as home:
        content_hash = put_in(home, film, "prepare")
        request_encryption(home.services, content_hash, 2)
        home.work("encode")
        assert look_at_encryption(home.services, content_hash).served == 2
        assert is_made(perform(home.services, segment_request(content_hash, TRACKS[2], 1), lambda: HOUR))
        assert f"{TRACKS[2]}/seg_1.m4s" in paths(home, "rev_1/") & paths(home, "rev_2/")
        assert open_segment(home.services, content_hash, TRACKS[2], 1).read() == clear[f"{TRACKS[2]}/seg_1.m4s"]


def test_the_same_bytes_uploaded_clear_and_encrypted_are_encrypted(tmp_path, film, ready, clear):
    with finished(ready, tmp_path, "none") as (home, content_hash):
        home.services = dataclasses.replace(home.services, settings=dataclasses.replace(home.services.settings, encrypt="all"))
        home.ingest(home.put("again.mp4", film))
        home.work()
        assert look_at_encryption(home.services, content_hash).served == 1
        home.services = dataclasses.replace(home.services, settings=dataclasses.replace(home.services.settings, encrypt="none"))
        home.ingest(home.put("third.mp4", film))
        home.work()
        assert look_at_encryption(home.services, content_hash).served == 1
        assert by_playlist(home, content_hash, "rev_1/", key_of(home, content_hash, 1)) == clear


def test_encryption_that_is_asked_for_while_the_stream_is_prepared_waits_for_it(tmp_path, film, clear):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.mp4", film))
        content_hash = home.job().hash
        request_encryption(home.services, content_hash)
        home.work("encode", limit=1)
        assert home.objects() == []
        home.work("prepare")
        assert look_at_encryption(home.services, content_hash).served == 1
        assert paths(home) == set()


def test_many_who_need_the_first_key_at_once_get_the_same(tmp_path, film):
    with house(tmp_path, encrypt="all", **SMALL) as home:
        home.ingest(home.put("film.mp4", film))
        content_hash = home.job().hash
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda _: content_key(home.services, content_hash, 1), range(16)))
        assert len({key.key_id for key in keys}) == 1
        assert len({plain_key(home.services, key) for key in keys}) == 1


@pytest.mark.parametrize("has_key_by_then", [True, False])
def test_a_segment_that_is_stored_while_encryption_is_asked_for_is_stored_again_and_not_in_the_clear(
    tmp_path, ready, clear, has_key_by_then
):
    with finished(ready, tmp_path, "none") as (home, content_hash):
        path = f"{TRACKS[1]}/seg_1.m4s"
        home.services.storage.delete(Scope.MEDIA, video_key(content_hash, path))
        whole = home.services

        class Interrupted:
            def __getattr__(self, name):
                return getattr(whole.storage, name)

            def put(self, *arguments, **options):
                request_encryption(whole, content_hash)
                if has_key_by_then:
                    content_key(whole, content_hash, 1)
                return whole.storage.put(*arguments, **options)

        interrupted = dataclasses.replace(whole, storage=Interrupted())
        assert store_segment(interrupted, content_hash, TRACKS[1], 1, clear[path])
        assert path not in paths(home)
        assert open_segment(whole, content_hash, TRACKS[1], 1).read() == clear[path]
        home.work()
        assert by_playlist(home, content_hash, "rev_1/", key_of(home, content_hash, 1)) == clear


class Killed(BaseException):
    """Nothing in Kinora catches it, like a process that is gone."""


class Dying:
    """A driver that dies after some of its calls have had their effect."""

    def __init__(self, driver, names: set[str], calls: int) -> None:
        self._driver, self._names, self.left = driver, names, calls

    def __getattr__(self, name: str):
        verb = getattr(self._driver, name)
        if name not in self._names:
            return verb

        def call(*arguments, **options):
            answer = verb(*arguments, **options)
            self.left -= 1
            if self.left == 0:
                raise Killed
            return answer

        return call


@pytest.mark.parametrize("revision", [1, 2])
def test_killed_after_any_write_it_comes_to_the_same_end(tmp_path, ready, clear, revision):
    with finished(ready, tmp_path, "all" if revision == 2 else "none") as (home, content_hash):
        whole = home.services
        request_encryption(whole, content_hash, revision)
        (task,) = home.waiting("encode")
        deaths = 0
        while True:
            step = Dying(whole.storage, {"put"}, 4 if deaths < 8 else 1_000_000)
            rows = Dying(whole.catalog, {"save_export", "record"}, 1 if deaths == 8 else 2 if deaths == 9 else 1_000_000)
            keys = Dying(whole.content_keys, {"create"}, 1 if deaths == 0 else 1_000_000)
            home.services = dataclasses.replace(whole, storage=step, catalog=rows, content_keys=keys)
            try:
                home.work("encode")
            except Killed:
                deaths += 1
                home.services = whole
                whole.queues.send("encode", [task])  # as SQS delivers it again
                master = read(home, content_hash, "master.m3u8").decode()
                if f"rev_{revision}/" in master:
                    assert paths(home, f"rev_{revision}/") == set(clear)
                continue
            break
        home.services = whole
        assert deaths >= 6
        assert look_at_encryption(whole, content_hash).served == revision
        assert f"rev_{revision}/" in read(home, content_hash, "master.m3u8").decode()
        assert by_playlist(home, content_hash, f"rev_{revision}/", key_of(home, content_hash, revision)) == clear


def test_proxies_and_moments_are_made_from_decrypted_segments(tmp_path, film):
    with house(tmp_path, encrypt="all", **SMALL) as home:
        content_hash = put_in(home, film)
        moment = create_moment(home.services, content_hash, "middle", 2.0, 6.0)
        home.work()
        out = tmp_path / "moment.mp4"
        out.write_bytes(read(home, content_hash, f"moments/{moment.id}/v1.mp4"))
        assert frames(str(out)) == 60


def test_removing_media_removes_revisions_and_keys(tmp_path, film, ready):
    with finished(ready, tmp_path, "all") as (home, content_hash):
        assert remove_media(home.services, content_hash, originals=False)["complete"]
        assert home.objects() == []
        assert home.services.content_keys.list(content_hash) == ()
        with pytest.raises(NotFound):
            look_at_encryption(home.services, content_hash)
        home.ingest(home.put("again.mp4", film))
        home.work("prepare")
        assert look_at_encryption(home.services, content_hash).served == 1


def test_a_damaged_wrapping_stops_encrypting_with_a_code(tmp_path, film):
    with house(tmp_path, encrypt="all", **SMALL) as home:
        content_hash = put_in(home, film, "prepare")
        key = stored_key(home.services, content_hash, 1)
        home.services.content_keys.rewrap(dataclasses.replace(key, wrapped=bytes(32)), key.kek_version)
        with pytest.raises(ContentKeyDamaged):
            plain_key(home.services, stored_key(home.services, content_hash, 1))
        home.work()
        assert home.job().error.code == "content-key-damaged"
        assert home.services.catalog.export(content_hash, "encryption/1").state is ExportState.READY


def frames(address: str) -> int:
    """How many pictures FFmpeg decodes."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1"]
    command += (
        ["-protocol_whitelist", "file,http,tcp,crypto", "-allowed_extensions", "ALL"] if address.endswith(".m3u8") else []
    )
    run = subprocess.run(
        [*command, "-i", address, "-map", "0:v:0", "-f", "framemd5", "-"], capture_output=True, timeout=60, check=False
    )
    return sum(not line.startswith(b"#") for line in run.stdout.splitlines())


@pytest.mark.parametrize(("is_right", "expected"), [(True, SECONDS * 15), (False, 0)])
def test_ffmpeg_plays_it_with_the_key_and_shows_nothing_with_another(tmp_path, ready, is_right, expected):
    with finished(ready, tmp_path, "all") as (home, content_hash):
        key = key_of(home, content_hash, 1) if is_right else bytes(16)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = key if self.path.startswith("/keys/") else read(home, content_hash, self.path.split("/", 3)[3])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                assert (
                    frames(f"http://127.0.0.1:{server.server_port}/stream/{content_hash}/rev_1/{TRACKS[2]}/playlist.m3u8")
                    == expected
                )
            finally:
                server.shutdown()
                thread.join()
