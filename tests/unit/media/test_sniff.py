"""What content is recognised as, from files that the real writers made and from hostile imitations."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import av
import pillow_heif
import pytest
from PIL import Image

from kinora.errors import UnsupportedMedia
from kinora.media.container import DEMUXERS
from kinora.media.sniff import HEAD_BYTES, sniff
from kinora.model import Kind

MEDIA = Path(__file__).parents[2] / "media"


def written(container: str, codec: str, **options: str) -> bytes:
    """A second or two as FFmpeg writes them into `container`."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options) as target:
        stream = target.add_stream(codec, rate=25 if codec in {"libx264", "mpeg4", "mpeg2video", "libvpx", "flv1"} else 48000)
        if stream.type == "video":
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            frames = [av.VideoFrame(64, 48, "yuv420p") for _ in range(20)]
        else:
            stream.layout = "mono"
            context = stream.codec_context
            context.open()
            size = context.frame_size or 4800
            frames = [av.AudioFrame(context.format.name, "mono", size) for _ in range(96000 // size)]
        for at, frame in enumerate(frames):
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts = at if stream.type == "video" else at * frame.samples
            if stream.type == "audio":
                frame.rate = 48000
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "media_type", "demuxer", "kind"),
    [
        ("mp4", "libx264", "video/mp4", "mov", Kind.VIDEO),
        ("mov", "libx264", "video/quicktime", "mov", Kind.VIDEO),
        ("3gp", "mpeg4", "video/3gpp", "mov", Kind.VIDEO),
        ("ipod", "aac", "audio/mp4", "mov", Kind.AUDIO),
        ("matroska", "libx264", "video/matroska", "matroska", Kind.VIDEO),
        ("webm", "libvpx", "video/webm", "matroska", Kind.VIDEO),
        ("mpegts", "libx264", "video/mp2t", "mpegts", Kind.VIDEO),
        ("avi", "mpeg4", "video/vnd.avi", "avi", Kind.VIDEO),
        ("flv", "libx264", "video/x-flv", "flv", Kind.VIDEO),
        ("vob", "mpeg2video", "video/mpeg", "mpeg", Kind.VIDEO),
        ("mp3", "libmp3lame", "audio/mpeg", "mp3", Kind.AUDIO),
        ("adts", "aac", "audio/aac", "aac", Kind.AUDIO),
        ("flac", "flac", "audio/flac", "flac", Kind.AUDIO),
        ("ogg", "libopus", "audio/ogg", "ogg", Kind.AUDIO),
        ("wav", "pcm_s16le", "audio/wav", "wav", Kind.AUDIO),
        ("aiff", "pcm_s16be", "audio/aiff", "aiff", Kind.AUDIO),
        ("caf", "pcm_s16be", "audio/x-caf", "caf", Kind.AUDIO),
        ("w64", "pcm_s16le", "audio/x-w64", "w64", Kind.AUDIO),
        ("asf", "mpeg4", "video/x-ms-asf", "asf", Kind.VIDEO),
        ("mxf", "mpeg2video", "application/mxf", "mxf", Kind.VIDEO),
    ],
)
def test_containers_as_ffmpeg_writes_them(container, codec, media_type, demuxer, kind):
    content = written(container, codec)

    found = sniff(content[:HEAD_BYTES])

    assert (found.media_type, found.demuxer, found.kind) == (media_type, demuxer, kind)
    assert found.demuxer in DEMUXERS
    with av.open(io.BytesIO(content), format=found.demuxer) as opened:
        assert sum(1 for _ in opened.demux()) > 1


def test_transport_streams_with_time_codes():
    assert sniff(written("mpegts", "libx264", mpegts_m2ts_mode="1")[:HEAD_BYTES]).media_type == "video/mp2t"


def test_transport_stream_with_error_correction():
    assert sniff((b"\x47\x40\x00\x10" + bytes(200)) * 5).media_type == "video/mp2t"


def test_rf64_is_wav():
    assert sniff(b"RF64\xff\xff\xff\xffWAVEds64" + bytes(100)).demuxer == "wav"


def test_mp3_without_a_tag_and_with_one_longer_than_the_head():
    tagged = written("mp3", "libmp3lame")
    frames = written("mp3", "libmp3lame", id3v2_version="0", write_xing="0")
    assert frames[:1] == b"\xff"
    assert sniff(frames).media_type == "audio/mpeg"
    assert sniff(bytes(500) + frames).media_type == "audio/mpeg"
    cover = b"ID3\x04\x00\x00" + bytes((0, 12, 0, 0)) + bytes(196608) + tagged
    assert sniff(cover[:HEAD_BYTES]).media_type == "audio/mpeg"


def test_tags_in_front_of_aac_and_flac_do_not_make_them_mp3():
    tag = b"ID3\x04\x00\x00" + bytes((0, 0, 1, 0)) + bytes(128)
    assert sniff(tag + written("adts", "aac")).media_type == "audio/aac"
    assert sniff(tag + written("flac", "flac")).media_type == "audio/flac"


def test_theora_in_ogg_is_video():
    def page(packet: bytes, flags: int) -> bytes:
        return b"OggS\x00" + bytes((flags,)) + bytes(20) + bytes((1, len(packet))) + packet

    head = page(b"\x01vorbis" + bytes(23), 2) + page(b"\x80theora" + bytes(35), 2) + page(b"\x81theora", 0)
    assert (sniff(head).kind, sniff(head).media_type) == (Kind.VIDEO, "video/ogg")


@pytest.mark.parametrize("first", [b"moov", b"mdat", b"wide", b"free", b"skip"])
def test_quicktime_older_than_ftyp(first):
    head = struct.pack(">I4s", 16, first) + bytes(8) + struct.pack(">I4s", 5000, b"moov") + bytes(2000)
    assert sniff(head).media_type == "video/quicktime"


def test_ftyp_after_free_space_still_decides():
    head = struct.pack(">I4s", 16, b"free") + bytes(8) + struct.pack(">I4s4sI4s", 20, b"ftyp", b"M4A ", 0, b"isom")
    assert sniff(head).media_type == "audio/mp4"


@pytest.mark.parametrize(
    ("major", "compatible", "media_type"),
    [
        (b"heic", [b"mif1", b"heic"], "image/heic"),
        (b"heix", [b"mif1"], "image/heic"),
        (b"hevc", [b"msf1"], "image/heic"),
        (b"mif1", [b"mif1", b"heic"], "image/heic"),
        (b"mif1", [b"mif1"], "image/heif"),
        (b"msf1", [b"msf1", b"iso8"], "image/heif"),
        (b"mif1", [b"mif1", b"avif", b"miaf"], "image/avif"),
        (b"avis", [b"avis", b"msf1"], "image/avif"),
        (b"isom", [b"iso2", b"mp41"], "video/mp4"),
        (b"M4V ", [b"mp42"], "video/mp4"),
        (b"3g2a", [b"3g2a"], "video/3gpp2"),
    ],
)
def test_brands(major, compatible, media_type):
    brands = major + bytes(4) + b"".join(compatible)
    assert sniff(struct.pack(">I4s", 8 + len(brands), b"ftyp") + brands + bytes(64)).media_type == media_type


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_pictures_as_pillow_writes_them(name):
    out = io.BytesIO()
    picture = Image.new("RGB", (64, 64), "teal")
    if name == "HEIF":
        pillow_heif.from_pillow(picture).save(out)
    else:
        picture.save(out, name)

    found = sniff(out.getvalue()[:HEAD_BYTES])

    assert found.kind is Kind.IMAGE
    assert found.media_type == {"HEIF": "image/heic"}.get(name, f"image/{name.lower()}")
    assert found.demuxer is None


@pytest.mark.parametrize(("name", "extension"), [("china.jpg", "jpg"), ("alpha.png", "png"), ("animated-loop-3.gif", "gif")])
def test_real_files(name, extension):
    assert sniff((MEDIA / name).read_bytes()[:HEAD_BYTES]).extension == extension


@pytest.mark.parametrize(
    "head",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- made by > hand -->\n<svg width='1'>",
        b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://x' [ <!ENTITY a 'b'> ]>\n<svg>",
        b"<s:svg xmlns:s='http://www.w3.org/2000/svg'>",
    ],
)
def test_svg_by_its_root_element(head):
    assert sniff(head).media_type == "image/svg+xml"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"#!AMR\n" + bytes(32), "audio/amr"),
        (b"#!AMR-WB\n" + bytes(32), "audio/amr"),
        (b"\x1f\x07\x00\xbf" + bytes(76) + b"\x3f\x07\x00", "video/x-dv"),
    ],
)
def test_signatures(head, media_type):
    assert sniff(head).media_type == media_type
    assert sniff(head).demuxer in DEMUXERS


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body><svg></svg>", "HTML"),
        (b"  <HTML>", "HTML"),
        (b"<!-- x --><!doctype html>", "HTML"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\nfile:///etc/passwd", "playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "playlist"),
        (b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>", "playlist"),
        (b"<?xml version='1.0'?><feed/>", "XML"),
        ("Grüße, nur ein Text".encode(), "text"),
        (b"G" * 4000, "text"),
        (b"PK\x03\x04" + bytes(60), "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"MZ\x90\x00", "program"),
        (b"#!/bin/sh\n", "script"),
        (b".RMF\x00\x00\x00\x12", "RealMedia"),
        (b"\x7fELF\x02", "program"),
        (b"BM6\x00\x00\x00", "BMP"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (bytes(4096), "not of a type"),
        (b"\xff\xfb\x90\x00" + bytes(4000), "not of a type"),
        (b"\xff" * 4000, "not of a type"),
        (b"RIFF\x00\x00\x00\x00ACON", "not of a type"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x10" + bytes(16), "not of a type"),
        (b"\x00\x00\x00\x14ftypcrx \x00\x00\x00\x01crx ", "not of a type"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(40), "not of a type"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84evil" + bytes(40), "not of a type"),
    ],
)
def test_everything_else_is_refused_in_words(head, sentence):
    with pytest.raises(UnsupportedMedia) as refused:
        sniff(head)
    assert sentence in refused.value.public_message


@pytest.mark.parametrize(
    "pattern",
    [
        b"<!--",
        b"<!DOCTYPE [",
        b"<!DOCTYPE ",
        b"<?x",
        b"<!---->",
        b"<",
        b" ",
        b"\xff\xfb\x90\x00",
        b"ID3\x04" + bytes(6),
        b"\x42\x82\x8f",
    ],
)
def test_no_content_takes_long_to_judge(pattern):
    head = (pattern * HEAD_BYTES)[:HEAD_BYTES]
    start = time.process_time()
    for hostile in (head, b"\x1a\x45\xdf\xa3" + head[4:]):
        with pytest.raises(UnsupportedMedia):
            sniff(hostile)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("whole", [(MEDIA / "china.jpg").read_bytes()[:64], written("mp4", "libx264")[:64]])
def test_a_head_is_recognised_once_it_holds_the_signature_and_refused_before(whole):
    def is_known(length: int) -> bool:
        try:
            return bool(sniff(whole[:length]))
        except UnsupportedMedia:
            return False

    known = [is_known(length) for length in range(len(whole))]
    assert known == sorted(known)
    assert not known[0]
    assert known[12]
