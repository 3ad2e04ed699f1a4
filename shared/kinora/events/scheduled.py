"""Scheduled events, in the form in which an EventBridge rule with a schedule hands them to a function."""

from __future__ import annotations

import uuid

from kinora.events.fields import write_time


def schedule_event(time: float, rule: str = "sweep", region: str = "local") -> dict[str, object]:
    """The event of the schedule `rule` that is due at `time`."""
    arn = f"arn:aws:events:{region}:000000000000:rule/{rule}"
    due = write_time(int(time), "seconds")
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{arn}#{due}")),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": due,
        "region": region,
        "resources": [arn],
        "detail": {},
    }
