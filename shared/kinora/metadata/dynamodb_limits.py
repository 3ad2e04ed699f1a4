"""Rate limits in DynamoDB: one row of the jobs table for each client of a route class. It goes by itself when nothing counts.

Within one slice a request is one update, counted by DynamoDB itself, on the condition that the slice is still the newest and
the limit is not reached; so requests at the same time do not make each other start again. Only the first of a slice rewrites
the row.
"""

from __future__ import annotations

import json
from contextlib import suppress

from pynamodb.expressions.condition import Condition

from kinora.metadata.dynamodb_job_rows import LimitRow, limit_key
from kinora.metadata.dynamodb_jobs_table import JobsTable
from kinora.metadata.dynamodb_transactions import Interference, kinora_errors, settled
from kinora.metadata.windows import Counted, Quota, allowed, counted_at, expiry, refused, slice_at, with_one_more

KEPT_SECONDS = 60  # after the last request has left the window


class DynamoRateLimits:
    """`kinora.metadata.base.RateLimits` on DynamoDB."""

    def __init__(self, table: JobsTable) -> None:
        self._limits = table.limits

    def take(self, name: str, limit: int, window: int, now: float) -> Quota:
        return settled(lambda: self._counted_in_slice(name, limit, window, now) or self._looked_up(name, limit, window, now))

    def _counted_in_slice(self, name: str, limit: int, window: int, now: float) -> Quota | None:
        """One update, if the row was written in this slice and the limit is not reached; None otherwise."""
        model = self._limits
        row = model(*limit_key(name, window))
        is_open = (model.newest == slice_at(now, window)) & (model.total < limit)
        try:
            with kinora_errors():
                row.update([model.in_newest.add(1), model.total.add(1)], condition=is_open)
        except Interference:
            return None
        return allowed(_counted(row), limit, window, now)

    def _looked_up(self, name: str, limit: int, window: int, now: float) -> Quota:
        """The row is read, and rewritten for the slice of now unless that means a refusal. Raises Interference."""
        model = self._limits
        is_same: Condition = model.pk.does_not_exist()
        stored = Counted(0, {})
        with suppress(model.DoesNotExist):
            row = model.get(*limit_key(name, window), consistent_read=True)
            is_same = (model.newest == row.newest) & (model.total == row.total)
            stored = _counted(row)
        counted = counted_at(stored, window, now)
        if counted.total >= limit:
            return refused(counted, limit, window, now)
        after = with_one_more(counted)
        with kinora_errors():
            _row(model, name, window, after).save(condition=is_same)
        return allowed(after, limit, window, now)


def _row(model: type[LimitRow], name: str, window: int, counted: Counted) -> LimitRow:
    earlier = {n: count for n, count in counted.counts.items() if n != counted.newest}
    return model(
        *limit_key(name, window),
        newest=counted.newest,
        in_newest=counted.counts[counted.newest],
        earlier=json.dumps(earlier),
        total=counted.total,
        expires=int(expiry(counted.newest, window)) + KEPT_SECONDS,
    )


def _counted(row: LimitRow) -> Counted:
    earlier = {int(n): count for n, count in json.loads(row.earlier).items()}
    return Counted(int(row.newest), {**earlier, int(row.newest): int(row.in_newest)})
