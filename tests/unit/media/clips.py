"""Small video originals for tests, made on first use by an FFmpeg of its own: every frame shows its number.

`clip(name)` gives the file; a name is a row of the table below. Files are kept for the life of the process.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import imageio_ffmpeg

DEMUXERS = {
    ".m4a": "mov",
    ".mp4": "mov",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".ts": "mpegts",
    ".avi": "avi",
    ".flv": "flv",
    ".mpg": "mpeg",
}
_QUICK = "-c:v libx264 -preset ultrafast -bf 0"
_REORDERED = "-c:v libx264 -preset ultrafast -bf 3 -b_strategy 0 -x264-params scenecut=0"
_WEB = "-c:v libx264 -preset veryfast -crf 38 -sc_threshold 0"
_SOUND = "-f lavfi -i sine=r=48000:d=3 -c:a aac"
_VARIABLE = "-vf select='not(mod(n,3))+not(mod(n,7))+lt(n,20)' -fps_mode vfr"


def _source(seconds: float, rate: str = "30", size: str = "192x108") -> str:
    return f"-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds}"


# name: (file type, arguments); a pair in braces is another clip that is read as input
_RECIPES: dict[str, tuple[str, str]] = {
    "film": (".mp4", f"{_source(9, '24000/1001')} {_REORDERED} -g 48"),
    "pal": (".mp4", f"{_source(5, '25')} {_REORDERED} -g 50"),
    "ntsc": (".mp4", f"{_source(9, '30000/1001')} {_REORDERED} -g 60"),
    "even": (".mp4", f"{_source(9)} {_QUICK} -g 30"),
    "fast": (".mp4", f"{_source(5, '60000/1001')} {_REORDERED} -g 120"),
    "slow": (".mp4", f"{_source(30, '1')} {_REORDERED} -g 3"),
    "variable": (".mp4", f"{_source(12)} {_VARIABLE} {_REORDERED} -g 40"),
    "variable_mkv": (".mkv", f"{_source(12)} {_VARIABLE} {_REORDERED} -g 40"),
    "rotated": (".mp4", "-display_rotation 90 -i {even} -c copy"),
    "upside_down": (".mp4", "-display_rotation 180 -i {half_second} -c copy"),
    "mirrored": (".mp4", "-display_hflip -i {half_second} -c copy"),
    "mirrored_and_turned": (".mp4", "-display_rotation 90 -display_hflip -i {half_second} -c copy"),
    "portrait": (".mp4", f"{_source(2, size='108x192')} {_QUICK}"),
    "odd": (".mkv", f"{_source(2, size='175x99')} {_QUICK} -pix_fmt yuv444p"),
    "anamorphic": (".mp4", f"{_source(1, size='144x96')} -vf setsar=16/9 {_QUICK}"),
    "tiny": (".mkv", f"{_source(1, size='16x16')} {_QUICK}"),
    "one_frame": (".mp4", f"{_source(1)} {_QUICK} -frames:v 1"),
    "half_second": (".mp4", f"{_source(0.5)} {_REORDERED}"),
    "front": (".mp4", f"{_source(2)} {_QUICK} -movflags faststart"),
    "fragmented": (".mp4", f"{_source(9)} {_REORDERED} -g 60 -movflags frag_keyframe+empty_moov"),
    "late_start": (".mp4", f"{_source(3)} {_SOUND} {_QUICK} -output_ts_offset 7.5"),
    "late_start_ts": (".ts", f"{_source(9)} {_REORDERED} -g 60 -output_ts_offset 100"),
    "trimmed": (".mp4", "-ss 1.3 -i {film} -c copy"),
    "long_gop": (".mp4", f"{_source(25)} {_REORDERED} -g 9999"),
    "long_gop_ts": (".ts", f"{_source(14)} {_REORDERED} -g 9999"),
    "open_gop": (".mp4", f"{_source(9)} {_REORDERED}:open-gop=1 -g 50"),
    "open_gop_ts": (".ts", f"{_source(9)} {_REORDERED}:open-gop=1 -g 50"),
    "open_gop_mkv": (".mkv", f"{_source(9)} {_REORDERED}:open-gop=1 -g 50"),
    "open_gop_hevc": (
        ".mp4",
        f"{_source(9)} -c:v libx265 -preset ultrafast -x265-params open-gop=1:keyint=50:bframes=3:log-level=none",
    ),
    "open_gop_mpeg2": (".mpg", f"{_source(9, '25')} -c:v mpeg2video -g 12 -bf 2"),
    "film_mov": (".mov", f"{_source(5, '24000/1001')} {_REORDERED} -g 48"),
    "film_mkv": (".mkv", f"{_source(9, '24000/1001')} {_REORDERED} -g 48"),
    "prores": (".mov", f"{_source(2)} -c:v prores_ks -profile:v 2"),
    "ten_bit": (".mkv", f"{_source(2)} {_QUICK} -pix_fmt yuv422p10le"),
    "full_range": (".mp4", f"{_source(1)} {_QUICK} -pix_fmt yuvj420p"),
    "pq": (
        ".mkv",
        f"{_source(1)} -vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc {_QUICK} -pix_fmt yuv420p10le",
    ),
    "vp8": (".webm", f"{_source(9)} -c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16 -g 60"),
    "vp9": (".webm", f"{_source(9)} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 60"),
    "av1": (".webm", f"{_source(2)} -c:v libaom-av1 -cpu-used 8 -usage realtime -g 30"),
    "transport": (".ts", f"{_source(9)} {_SOUND} {_REORDERED} -g 60"),
    "interlaced_ts": (".ts", f"{_source(5, '25')} -vf interlace -c:v mpeg2video -g 12 -bf 2 -flags +ildct+ilme"),
    "mpeg4_avi": (".avi", f"{_source(9)} -c:v mpeg4 -g 60 -bf 2"),
    "mjpeg_avi": (".avi", f"{_source(5)} -c:v mjpeg"),
    "h264_avi": (".avi", f"{_source(9)} {_REORDERED} -g 60"),
    "palette": (".avi", f"{_source(5, '5')} -c:v rawvideo -pix_fmt pal8"),
    "pixel": (".mkv", f"{_source(1, '5')} -vf scale=1:1,format=yuv444p -c:v ffv1"),
    "ycgco": (".mkv", f"{_source(1, '5')} -vf format=yuv444p,setparams=colorspace=ycgco -c:v ffv1"),
    "flash": (".flv", f"{_source(9)} {_REORDERED} -g 60"),
    "sound_with_cover": (
        ".m4a",
        "-f lavfi -i sine=d=1 -i {one_frame} -map 0 -map 1 -c:a aac -c:v mjpeg -disposition:v attached_pic",
    ),
    "sound_longer": (".mp4", f"{_source(2)} -f lavfi -i sine=r=48000:d=9 -c:a aac {_QUICK}"),
    "sound_shorter": (".mp4", f"{_source(9)} -f lavfi -i sine=r=48000:d=2 -c:a aac {_QUICK} -g 60"),
    "sound_with_one_picture": (".mp4", "-i {one_frame} -f lavfi -i sine=r=48000:d=3 -c:v copy -c:a aac"),
    "heavy": (".mp4", f"{_source(8, size='640x360')} -c:v libx264 -preset ultrafast -qp 5 -g 30 -bf 0"),
    "heavy_front": (".mp4", "-i {heavy} -c copy -movflags faststart"),
    "with_cover": (".mp4", "-i {even} -i {one_frame} -map 0 -map 1 -c:v:0 copy -c:v:1 mjpeg -disposition:v:1 attached_pic"),
    "web": (".mp4", f"{_source(9, '30000/1001')} {_WEB} -g 60"),
    "web_front": (".mp4", "-i {web} -c copy -movflags faststart"),
    "web_fragmented": (".mp4", "-i {web} -c copy -movflags frag_keyframe+empty_moov"),
    "web_mkv": (".mkv", "-i {web} -c copy"),
    "web_mov": (".mov", "-i {web} -c copy"),
    "web_ts": (".ts", "-i {web} -c copy"),
    "web_flash": (".flv", "-i {web} -c copy"),
    "web_late": (".mp4", "-f lavfi -i sine=r=48000:d=9 -itsoffset 0.5 -i {web} -c:v copy -c:a aac"),
    "web_variable": (".mp4", f"{_source(12)} {_VARIABLE} {_WEB} -g 40"),
    "web_baseline": (".mp4", f"{_source(5, '25')} {_WEB} -profile:v baseline -g 50"),
    "web_high": (".mp4", f"{_source(5, '25')} -c:v libx264 -preset fast -crf 38 -g 50"),
    "web_short": (".mp4", f"{_source(0.2)} {_WEB}"),
    "web_slices": (".mp4", f"{_source(5)} {_WEB} -slices 3 -g 60"),
    "web_unusual": (".mp4", f"{_source(5, size='160x100')} {_WEB} -g 60"),
    "web_open_gop": (".mp4", f"{_source(9)} {_WEB} -g 50 -x264-params open-gop=1"),
    "web_inner": (".mp4", f"{_source(1.9)} {_WEB} -g 15 -x264-params open-gop=1"),
    "web_refresh": (".mp4", f"{_source(9)} {_WEB} -g 60 -x264-params intra-refresh=1:bframes=0"),
    "web_long_gop": (".mp4", f"{_source(14)} {_WEB} -g 9999"),
    "web_interlaced": (".mp4", f"{_source(5, '25')} -vf interlace {_WEB} -flags +ildct+ilme -g 50"),
    "web_ten_bit": (".mp4", f"{_source(3)} {_WEB} -pix_fmt yuv420p10le"),
    "web_444": (".mp4", f"{_source(3)} {_WEB} -pix_fmt yuv444p"),
    "web_rotated": (".mp4", "-display_rotation 90 -i {web} -c copy"),
    "web_trimmed": (".mp4", "-ss 1.3 -i {web} -c copy"),
    "web_anamorphic": (".mp4", f"{_source(3, size='144x96')} -vf setsar=16/9 {_WEB}"),
    "web_heavy": (".mp4", f"{_source(3)} -c:v libx264 -preset ultrafast -qp 10"),
    "web_large": (".mp4", f"{_source(2, size='480x270')} {_WEB}"),
    "web_avi": (".avi", "-i {web_baseline} -c copy"),
    "web_hdr": (
        ".mp4",
        f"{_source(2)} -vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc {_WEB}",
    ),
}
NAMES = tuple(name for name in _RECIPES if not name.startswith(("sound", "heavy", "web")))


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kinora-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def clip(name: str) -> Path:
    """The file of that clip; made at the first call."""
    suffix, arguments = _RECIPES[name]
    target = _folder() / f"{name}{suffix}"
    words = [str(clip(word[1:-1])) if word.startswith("{") else word for word in arguments.split()]
    words = [word.strip("'") if not word.startswith("select=") else word for word in words]
    ffmpeg("-y", *words, "-threads", "1", str(target))
    return target


def demuxer_of(path: Path) -> str:
    return DEMUXERS[path.suffix]


def ffmpeg(*arguments: str) -> str:
    """Run the independent FFmpeg and give its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def raw_luma(path: Path, filters: str) -> bytes:
    """The brightness of the first frame, filtered, as bytes from the top left."""
    arguments = [
        "-noautorotate",
        "-i",
        str(path),
        "-frames:v",
        "1",
        "-vf",
        f"{filters},format=yuv420p,extractplanes=y",
        "-f",
        "rawvideo",
        "-",
    ]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout
