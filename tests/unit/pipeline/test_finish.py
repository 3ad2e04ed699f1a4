"""What a stream's playlists say once everything is there, and that nothing but a later attempt is needed to get there."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import av
import m3u8
import pytest

from kinora.errors import NotFound, Unavailable
from kinora.model import JobState, Scope
from kinora.object_keys import video_key
from kinora.pipeline.finish import publish_measured
from kinora.pipeline.plans import load_plan
from kinora.pipeline.playback import read_index, stream_key
from kinora.pipeline.remove import remove_media
from kinora.pipeline.stream import publish_stream
from tests.house import House, house
from tests.unit.media.clips import clip

SMALL = {"ladder": "96,64", "task_seconds": "1"}


class Unwilling:
    """A storage in which nothing whose key ends with `ending` can be stored, for the first `times`."""

    def __init__(self, storage, ending: str, times: int) -> None:
        self._storage = storage
        self._ending = ending
        self._left = times

    def __getattr__(self, name: str):
        return getattr(self._storage, name)

    def put(self, scope, key, *rest, **options):
        if key.endswith(self._ending) and self._left:
            self._left -= 1
            raise Unavailable(f"{key} cannot be stored now")
        return self._storage.put(scope, key, *rest, **options)


@pytest.fixture
def film() -> bytes:
    return clip("transport").read_bytes()


def base_of(home: House, folder: Path) -> Path:
    return folder / "media" / video_key(home.job().hash, "")


def rates_of(folder: Path, playlist: m3u8.M3U8) -> tuple[float, float]:
    """Peak by segment and average, in bits per second."""
    sizes = [8 * (folder / one.uri).stat().st_size for one in playlist.segments]
    durations = [one.duration for one in playlist.segments]
    return max(size / duration for size, duration in zip(sizes, durations, strict=True)), sum(sizes) / sum(durations)


def test_rates_are_bounds_while_playable_and_true_when_ready(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.ts", film))
        home.work("prepare")
        base = base_of(home, tmp_path)
        planned = {one.uri: one.stream_info for one in m3u8.load(str(base / "master.m3u8")).playlists}
        assert {info.average_bandwidth for info in planned.values()} == {None}
        home.work()
        assert home.job().state is JobState.READY
        master = m3u8.load(str(base / "master.m3u8"))
        (sound,) = {one.uri for one in master.media}
        sound_peak, sound_average = rates_of((base / sound).parent, m3u8.load(str(base / sound)))
        assert {one.uri for one in master.playlists} == set(planned)
        for variant in master.playlists:
            peak, average = rates_of((base / variant.uri).parent, m3u8.load(str(base / variant.uri)))
            info = variant.stream_info
            assert info.bandwidth == pytest.approx(peak + sound_peak, rel=0.02)
            assert info.average_bandwidth == pytest.approx(average + sound_average, rel=0.001)
            assert info.average_bandwidth <= info.bandwidth <= planned[variant.uri].bandwidth


def test_i_frame_playlists_lead_to_one_picture_for_each_segment(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.ts", film))
        home.work()
        base = base_of(home, tmp_path)
        master = m3u8.load(str(base / "master.m3u8"))
        assert len(master.iframe_playlists) == len(master.playlists) == 2
        for one in master.iframe_playlists:
            folder = (base / one.uri).parent
            playlist = m3u8.load(str(base / one.uri))
            assert playlist.is_i_frames_only
            header = (folder / playlist.segments[0].init_section.uri).read_bytes()
            for segment in playlist.segments:
                length, offset = map(int, segment.byterange.split("@"))
                data = (folder / segment.uri).read_bytes()[offset : offset + length]
                with av.open(io.BytesIO(header + data)) as container:
                    packet = next(packet for packet in container.demux(video=0) if packet.size)
                    (picture,) = packet.decode() or packet.stream.codec_context.decode(None)
                assert packet.is_keyframe
                assert not picture.is_corrupt
                assert (picture.width, picture.height) == one.iframe_stream_info.resolution
                assert length < len((folder / segment.uri).read_bytes())
            sizes = [8 * int(segment.byterange.split("@")[0]) / segment.duration for segment in playlist.segments]
            assert one.iframe_stream_info.bandwidth == pytest.approx(max(sizes), rel=0.02)


def test_viewers_get_i_frame_playlists_of_pictures_and_nothing_else(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.ts", film))
        home.work("prepare")
        content_hash = home.job().hash
        with pytest.raises(NotFound):
            read_index(home.services, content_hash, "video/r96_h264/iframes.m3u8")
        home.work()
        assert "I-FRAMES-ONLY" in read_index(home.services, content_hash, "video/r96_h264/iframes.m3u8")
        for path in ("audio/und_aac_2ch/iframes.m3u8", "video/../iframes.m3u8", "video/r96_h264/iframes.m3u8x"):
            with pytest.raises(NotFound):
                stream_key(content_hash, path)


def test_sound_alone_has_measured_rates_and_no_i_frames(tmp_path):
    with house(tmp_path) as home:
        home.ingest(home.put("song.m4a", clip("sound_with_cover").read_bytes()))
        home.work()
        assert home.job().state is JobState.READY
        base = base_of(home, tmp_path)
        (variant,) = m3u8.load(str(base / "master.m3u8")).playlists
        peak, average = rates_of((base / variant.uri).parent, m3u8.load(str(base / variant.uri)))
        assert variant.stream_info.bandwidth == pytest.approx(peak, rel=0.001)
        assert variant.stream_info.average_bandwidth == pytest.approx(average, rel=0.001)
        assert "I-FRAME" not in (base / "master.m3u8").read_text()


def test_nothing_is_left_of_what_was_removed_meanwhile(tmp_path, film):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.ts", film))
        home.work()
        job = home.job()
        plan = load_plan(home.services, job.hash)
        assert remove_media(home.services, job.hash, originals=False)["complete"]
        with pytest.raises(NotFound):
            publish_stream(home.services, job, plan)
        with pytest.raises(NotFound):
            publish_measured(home.services, job)
        assert home.objects() == []


def test_av1_is_planned_counted_and_made(tmp_path, film):
    with house(tmp_path, **SMALL, codecs="h264,av1") as home:
        home.ingest(home.put("film.ts", film))
        home.work()
        job = home.job()
        assert (job.state, job.progress) == (JobState.READY, 1.0)
        base = base_of(home, tmp_path)
        master = m3u8.load(str(base / "master.m3u8"))
        assert {one.uri.split("/")[1] for one in master.playlists} == {"r96_h264", "r64_h264", "r96_av1", "r64_av1"}
        assert len(master.iframe_playlists) == 4
        for one in master.playlists:
            assert all((base / one.uri).parent.joinpath(part.uri).exists() for part in m3u8.load(str(base / one.uri)).segments)


@pytest.mark.parametrize("ending", ["iframes.m3u8", "master.m3u8"])
def test_publishing_that_fails_is_done_again_before_the_job_is_ready(tmp_path, film, ending):
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.ts", film))
        home.work("prepare")
        whole = home.services
        home.services = dataclasses.replace(whole, storage=Unwilling(whole.storage, ending, times=1))
        states = []
        while home.work(limit=1):
            states.append(home.job().state)
            if states[-1] is JobState.READY:
                assert (base_of(home, tmp_path) / "video/r96_h264/iframes.m3u8").exists()
        assert states[-1] is JobState.READY
        assert "AVERAGE-BANDWIDTH" in (base_of(home, tmp_path) / "master.m3u8").read_text()
        assert [event.type for event in home.announced()].count("job.ready") == 1


def test_a_segment_that_vanished_leaves_the_bound(tmp_path, film):
    """It will be made again for who asks for it; what is said of its track must not be less than that."""
    with house(tmp_path, **SMALL) as home:
        home.ingest(home.put("film.ts", film))
        home.work("prepare")
        base = base_of(home, tmp_path)
        planned = {one.uri: one.stream_info.bandwidth for one in m3u8.load(str(base / "master.m3u8")).playlists}
        while not (base / "video/r96_h264/seg_0.m4s").exists():
            home.work(limit=1)
        home.services.storage.delete(Scope.MEDIA, video_key(home.job().hash, "video/r96_h264/seg_0.m4s"))
        home.work()
        assert home.job().state is JobState.READY
        master = m3u8.load(str(base / "master.m3u8"))
        assert [one.uri for one in master.iframe_playlists] == ["video/r64_h264/iframes.m3u8"]
        changed = {one.uri: one.stream_info for one in master.playlists}["video/r96_h264/playlist.m3u8"]
        assert changed.average_bandwidth is None
        assert changed.bandwidth <= planned["video/r96_h264/playlist.m3u8"]
