"""The console page in a real browser: upload a photo and a video, see them, play the video, in both ways of playing HLS, and make
what is made on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.chromium import EXECUTABLE, chromium
from tests.e2e.instance import kinora_up
from tests.pictures import picture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine"),
]

MEDIA = Path(__file__).parents[1] / "media"
HLS_JS = Path(__file__).parents[2] / "shared/kinora/api/static/vendor/hls.min.js"
ENCODING_SECONDS = 120
LOADED_PICTURES = "[...document.querySelectorAll('#media img')].filter((one) => one.naturalWidth > 0).length"
VIDEO = "document.querySelector('#stage video')"
FRAMES = f"({VIDEO}.getVideoPlaybackQuality().totalVideoFrames)"


@pytest.fixture(scope="module")
def kinora(tmp_path_factory):
    with kinora_up(tmp_path_factory.mktemp("kinora")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def open_page(tab, kinora):
    tab.open(f"{kinora.url}/#key={kinora.api_key}")
    tab.wait_until("!document.querySelector('#console').hidden")


def is_a_wait_for_a_segment(trouble):
    """Whoever plays while the job is encoding may be told to come back: no trouble, though the console shows it."""
    return "status of 503" in trouble and ".m4s" in trouble


def play_and_seek(tab):
    """Open the video's card, see it play, seek and see it play on from there."""
    tab.wait_until("document.querySelector('#media .video button')", ENCODING_SECONDS)
    tab.click("#media .video button")
    tab.wait_until(f"{VIDEO} && {VIDEO}.currentTime > 0.5 && {FRAMES} > 0", ENCODING_SECONDS)
    assert tab.evaluate(f"{VIDEO}.error") is None
    tab.evaluate(f"{VIDEO}.pause(), {VIDEO}.currentTime = 3.5")
    tab.wait_until(f"!{VIDEO}.seeking && {VIDEO}.readyState >= 2", ENCODING_SECONDS)
    frames = tab.evaluate(FRAMES)
    tab.evaluate(f"{VIDEO}.play()")
    tab.wait_until(f"{VIDEO}.currentTime > 4 && {FRAMES} > {frames}")


def test_a_photo_and_a_video_are_uploaded_shown_and_played(kinora, browser, tmp_path):
    photo = tmp_path / "photo é.jpg"
    photo.write_bytes(picture(900, 600))
    with browser.tab() as tab:
        open_page(tab, kinora)
        assert tab.evaluate("location.hash") == ""  # the key does not stay where it would be copied along
        tab.choose_files("#files", photo, MEDIA / "bigbuckbunny.mp4")
        tab.wait_until(f"{LOADED_PICTURES} === 2", ENCODING_SECONDS)
        names = tab.evaluate("[...document.querySelectorAll('#media .name')].map((one) => one.textContent).sort()")
        assert names == ["bigbuckbunny.mp4", "photo é.jpg"]
        play_and_seek(tab)
        assert tab.evaluate(f"{VIDEO}.currentSrc").startswith("blob:") is HLS_JS.exists()
        tab.click("#viewer-close")
        tab.wait_until("!document.querySelector('#viewer').open")
        tab.click("#media .image button")
        tab.wait_until("document.querySelector('#stage img')?.naturalWidth === 900")
        assert [trouble for trouble in tab.troubles() if not is_a_wait_for_a_segment(trouble)] == []


def test_without_hls_js_the_browser_plays_the_stream_itself(kinora, browser):
    if kinora.job("uploads/bigbuckbunny.mp4") is None:
        kinora.upload("bigbuckbunny.mp4", (MEDIA / "bigbuckbunny.mp4").read_bytes())
    kinora.wait_for("uploads/bigbuckbunny.mp4", "ready")
    with browser.tab() as tab:
        if tab.evaluate("document.createElement('video').canPlayType('application/vnd.apple.mpegurl')") == "":
            pytest.skip("this Chromium has no HLS of its own")
        tab.call("Network.setBlockedURLs", urls=["*/hls.min.js"])
        open_page(tab, kinora)
        assert tab.evaluate("typeof Hls") == "undefined"
        play_and_seek(tab)
        assert tab.evaluate(f"{VIDEO}.currentSrc").endswith("/master.m3u8")
        assert [trouble for trouble in tab.troubles() if "hls.min.js" not in trouble] == []


def open_medium(tab, kind):
    tab.evaluate("document.querySelector('#viewer').close()")
    tab.wait_until(f"document.querySelector('#media .{kind} img')?.naturalWidth")
    tab.click(f"#media .{kind}:has(img) button")


def hover(tab, selector, part=0.5):
    x, y = tab.evaluate(
        f"(() => {{ const found = document.querySelector('{selector}'); found.scrollIntoView({{ block: 'center' }});"
        f" const box = found.getBoundingClientRect(); return [box.x + box.width * {part}, box.y + box.height / 2]; }})()"
    )
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def move(tab, motion):
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": motion}])


@pytest.fixture(scope="module")
def shelf(kinora):
    """Both kinds of media, ready, and one that failed."""
    originals = {"bigbuckbunny.mp4": (MEDIA / "bigbuckbunny.mp4").read_bytes(), "shelf.jpg": picture(640, 480)}
    for name, content in originals.items():
        if kinora.job(f"uploads/{name}") is None:
            kinora.upload(name, content)
    kinora.upload("broken.jpg", originals["shelf.jpg"][:3000])
    for name in originals:
        kinora.wait_for(f"uploads/{name}", "ready")
    kinora.wait_for("uploads/broken.jpg", "failed")
    return kinora


def test_the_strip_below_a_video_shows_sound_and_pictures_and_seeks(shelf, browser):
    with browser.tab() as tab:
        open_page(tab, shelf)
        tab.wait_until("document.querySelector('#media .video img')")
        move(tab, "reduce")
        hover(tab, "#media .video button")
        assert tab.evaluate("document.querySelector('#media .preview')") is None
        hover(tab, "h1")
        move(tab, "no-preference")
        hover(tab, "#media .video button")
        tab.wait_until("document.querySelector('#media .preview')?.naturalWidth")
        open_medium(tab, "video")
        tab.wait_until(f"{VIDEO}?.readyState >= 2 && {VIDEO}.poster.includes('/cover.jpg')")
        tab.evaluate(f"{VIDEO}.pause()")
        tab.wait_until(
            "(() => { const one = document.querySelector('#waveform'); const { data } = one.getContext('2d')"
            ".getImageData(0, one.height / 4, one.width, 1); return data.some((value) => value); })()"
        )
        hover(tab, "#waveform", 0.75)
        tab.wait_until("!document.querySelector('#bubble').hidden && document.querySelector('#tile').style.backgroundImage")
        tab.evaluate(f"document.querySelector('#seek').focus(), {VIDEO}.currentTime = 1")
        tab.wait_until("document.querySelector('#seek').value === '1'")
        for kind in ("keyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
        tab.wait_until(f"Math.abs({VIDEO}.currentTime - 1.1) < 0.01")
        assert [trouble for trouble in tab.troubles() if not is_a_wait_for_a_segment(trouble)] == []


def test_moments_proxies_and_crops_are_made_on_the_page_and_failures_told(shelf, browser):
    with browser.tab() as tab:
        open_page(tab, shelf)
        open_medium(tab, "video")
        tab.wait_until("!document.querySelector('#moments').hidden && document.querySelector('#proxy button')")
        tab.evaluate("document.querySelector('#moments').open = true")
        tab.evaluate(
            "(() => { const form = document.querySelector('#moment-form'); const { name, start, end } = form.elements;"
            " [name.value, start.value, end.value] = ['<b>goal', '0:01', '2.5']; form.requestSubmit(); })()"
        )
        tab.click("#proxy button")
        tab.wait_until("document.querySelector('#moment-list a') && document.querySelector('#proxy a')")
        assert tab.evaluate("document.querySelector('#moment-list .name').textContent") == "<b>goal"
        tab.click("#moment-list button:last-of-type")
        tab.wait_until("!document.querySelector('#moment-list li')")
        open_medium(tab, "image")
        tab.wait_until("!document.querySelector('#crops').hidden && document.querySelector('#stage img').naturalWidth")
        tab.evaluate("document.querySelector('#crops').open = true, document.querySelector('#crop-form').requestSubmit()")
        tab.wait_until("document.querySelector('#crop-list img')?.naturalWidth > 0")
        tab.evaluate("document.querySelector('#viewer').close()")
        tab.evaluate(
            "[...document.querySelectorAll('#media button')].find((one) => one.textContent.includes('broken')).click()"
        )
        tab.wait_until("document.querySelector('#work').open && !document.querySelector('#work-retry').hidden")
        assert "damaged" in tab.evaluate("document.querySelector('#stages .failed .why').textContent")
        assert [trouble for trouble in tab.troubles() if not is_a_wait_for_a_segment(trouble)] == []


def test_the_api_is_described_without_anything_from_elsewhere(kinora, browser):
    with browser.tab() as tab:
        tab.open(f"{kinora.url}/docs")
        tab.wait_until("document.querySelectorAll('#docs details').length > 10")
        routes = tab.evaluate("[...document.querySelectorAll('#docs summary')].map((one) => one.textContent)")
        assert "GET/healthzWhether the process lives" in routes
        origins = tab.evaluate("[...new Set(performance.getEntriesByType('resource').map((one) => new URL(one.name).origin))]")
        assert origins == [kinora.url]
        assert tab.troubles() == []
