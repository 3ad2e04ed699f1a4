"""What every driver of `RateLimits` does, at times that the caller gives. Run by the tests of the metadata drivers."""

from __future__ import annotations

import random

from kinora.metadata.windows import SLICES
from tests.contract.metadata_records import Metadata

NOW = 1_700_000_000.0


class RateLimitsSuite:
    """At times around NOW."""

    def test_as_many_pass_as_the_limit_says_and_no_more(self, metadata: Metadata) -> None:
        take = metadata.rate_limits.take
        answers = [take("a", 3, 60, NOW) for _ in range(5)]
        assert [one.allowed for one in answers] == [True, True, True, False, False]
        assert [one.remaining for one in answers] == [2, 1, 0, 0, 0]
        assert take("b", 3, 60, NOW).allowed, "another client"
        assert take("a", 3, 30, NOW).allowed, "another window"

    def test_whoever_waits_as_told_passes_and_whoever_comes_earlier_does_not(self, metadata: Metadata) -> None:
        take = metadata.rate_limits.take
        for offset in (0.0, 20.0, 20.0):
            assert take("a", 3, 60, NOW + offset).allowed
        refusal = take("a", 3, 60, NOW + 30)
        assert not refusal.allowed
        assert 30 < refusal.reset <= 32, "the first request has to leave the window, and its slice with it"
        assert not take("a", 3, 60, NOW + 30 + refusal.reset - 0.01).allowed
        again = NOW + 30 + refusal.reset
        assert take("a", 3, 60, again).allowed
        assert not take("a", 3, 60, again).allowed
        assert take("a", 3, 60, NOW + 200) == take("c", 3, 60, NOW + 200), "all is forgotten"

    def test_no_span_of_the_window_holds_more_than_the_limit(self, metadata: Metadata) -> None:
        chance = random.Random(5)
        now, passed, tried = NOW, [], 0
        while now < NOW + 50:
            now += chance.choice((0.01, 0.2, 0.7, 3.0))
            tried += 1
            if metadata.rate_limits.take("a", 6, 10, now).allowed:
                passed.append(now)
        assert tried > len(passed) > 6 * 3
        for first in passed:
            assert sum(first <= other < first + 10 for other in passed) <= 6

    def test_a_lowered_limit_holds_at_once(self, metadata: Metadata) -> None:
        take = metadata.rate_limits.take
        for offset in range(6):
            take("a", 10, 60, NOW + 10 * offset)
        refusal = take("a", 2, 60, NOW + 50)
        assert not refusal.allowed
        assert 50 < refusal.reset <= 50 + 60 / SLICES, "five of six have to leave the window"

    def test_a_clock_that_is_behind_opens_nothing(self, metadata: Metadata) -> None:
        take = metadata.rate_limits.take
        assert all(take("a", 2, 10, NOW + 5).allowed for _ in range(2))
        assert not take("a", 2, 10, NOW).allowed
