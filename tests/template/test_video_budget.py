"""The cost model of encoding against the function that does it: twice what is reckoned still fits."""

from __future__ import annotations

from kinora.media.timeline import LONGEST
from kinora.pipeline.batching import CPU_SECONDS_PER_PIXEL, DECODE_SECONDS_PER_PIXEL
from kinora.pipeline.encode import MARGIN
from kinora.settings import Settings
from tests.template.stack import properties

MEMORY_OF_ONE_CPU = 1769  # MB, AWS Lambda Developer Guide, "Configure Lambda function memory"
SAFETY = 2
RATE = 60  # pictures per second


def cpus() -> float:
    return float(properties("VideoFunction")["MemorySize"]) / MEMORY_OF_ONE_CPU


def test_the_longest_segment_of_an_8k_source_fits_into_the_time_that_is_kept_back():
    pictures = RATE * int(LONGEST)
    rungs = sum(short * short * 16 / 9 for short in Settings.from_env({}).ladder)
    cost = pictures * (7680 * 4320 * DECODE_SECONDS_PER_PIXEL + rungs * sum(CPU_SECONDS_PER_PIXEL.values()))
    assert SAFETY * cost / cpus() <= MARGIN * properties("VideoFunction")["Timeout"]


def test_a_task_fits_into_the_time_before_that():
    seconds = Settings.from_env({}).task_seconds / cpus()
    assert SAFETY * seconds <= (1 - MARGIN) * properties("VideoFunction")["Timeout"]
