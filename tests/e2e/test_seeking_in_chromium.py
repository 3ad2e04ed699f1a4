"""Jumping about in a real browser in a film of which next to nothing is encoded: wherever one lands, pictures appear and go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.chromium import EXECUTABLE, chromium
from tests.e2e.instance import kinora_up
from tests.e2e.test_on_demand import looped, segments_of
from tests.e2e.test_page_in_chromium import is_a_wait_for_a_segment

HLS_JS = Path(__file__).parents[2] / "shared/kinora/api/static/vendor/hls.min.js"
VIDEO = "document.querySelector('#stage video')"
FRAMES = f"({VIDEO}.getVideoPlaybackQuality().totalVideoFrames)"
PATIENCE = 60  # seconds; a tenth of it on a machine that has nothing else to do
PLACES = (140, 35, 100, 155, 62)  # seconds, none of them near what was played before

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(EXECUTABLE is None or not HLS_JS.exists(), reason="needs Chromium and hls.js"),
]


def test_pictures_appear_wherever_one_jumps(tmp_path):
    original = looped(tmp_path / "film.mp4", 31)  # 160 seconds
    with (
        kinora_up(tmp_path / "kinora", KINORA_ENCODE="on_demand") as kinora,
        chromium(tmp_path) as browser,
        browser.tab() as tab,
    ):
        job = kinora.wait_for(kinora.upload("film.mp4", original.read_bytes()), "playable")
        tab.open(f"{kinora.url}/#key={kinora.api_key}")
        tab.wait_until("document.querySelector('#media .video button')", PATIENCE)
        tab.click("#media .video button")
        tab.wait_until(f"{VIDEO} && {VIDEO}.currentTime > 0.5 && {FRAMES} > 0", PATIENCE)
        for place in PLACES:
            frames = tab.evaluate(FRAMES)
            tab.evaluate(f"{VIDEO}.currentTime = {place}")
            tab.wait_until(f"!{VIDEO}.seeking && {VIDEO}.currentTime > {place} + 1 && {FRAMES} > {frames} + 10", PATIENCE)
        assert tab.evaluate(f"{VIDEO}.error") is None
        assert [trouble for trouble in tab.troubles() if not is_a_wait_for_a_segment(trouble)] == []
        assert len(segments_of(kinora.data)) < 0.9 * sum(one["planned"] or 0 for one in job["stages"].values())
