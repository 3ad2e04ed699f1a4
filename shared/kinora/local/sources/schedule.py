"""Schedules: a function is invoked when its interval has passed. What was missed while nothing ran is made up for once."""

from __future__ import annotations

import time

from kinora.database import Database
from kinora.events import schedule_event
from kinora.local.plan import ScheduleTrigger
from kinora.local.pool import Outcome
from kinora.local.sources.base import Work


class ScheduleSource:
    """One Schedule trigger; the next time is kept in the database. The first one is a full interval away."""

    background = False

    def __init__(self, trigger: ScheduleTrigger, database: Database) -> None:
        self._trigger = trigger
        self._database = database
        self._name = f"{trigger.function}/{trigger.name}"

    def take(self) -> Work | None:
        now = time.time()
        with self._database.read() as connection:
            row = connection.execute("SELECT due_at FROM local_schedules WHERE name = ?", (self._name,)).fetchone()
        if row is not None and now < row["due_at"] <= now + self._trigger.seconds:
            return None
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO local_schedules (name, due_at) VALUES (?, ?)", (self._name, now + self._trigger.seconds)
            )
        if row is None or row["due_at"] > now:
            return None
        return Work(self._trigger.function, schedule_event(now, self._trigger.name), _forget)


def _forget(outcome: Outcome) -> None:
    """A schedule has no retries of its own here: its next time comes."""
