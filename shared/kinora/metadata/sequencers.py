"""The order of events for one key, as S3 states it by its `sequencer`. Both metadata drivers and ingest decide by it.

S3 says how to compare two of them: pad the shorter one with zeros on the right, then compare as strings
(Amazon S3 User Guide, "Event message structure").
"""

from __future__ import annotations

import re

from kinora.errors import InvalidInput
from kinora.model import AttachOutcome, Original

WIDTH = 64

_HEXADECIMAL = re.compile(r"[0-9A-F]*")


def sortable(sequencer: str) -> str:
    """The sequencer in capitals and padded to 64 digits, so that plain string comparison gives S3's order.

    Raises InvalidInput if it is not hexadecimal or longer than that.
    """
    capitals = sequencer.upper()
    if len(capitals) > WIDTH or not _HEXADECIMAL.fullmatch(capitals):
        raise InvalidInput(f"not a sequencer: {sequencer[:100]!r}")
    return capitals.ljust(WIDTH, "0")


def outcome(stored: Original | None, sequencer: str) -> AttachOutcome:
    """Whether an event with `sequencer` is the next for the key (APPLIED), the stored one again, or a late one."""
    arriving = sortable(sequencer)
    if stored is None or sortable(stored.sequencer) < arriving:
        return AttachOutcome.APPLIED
    return AttachOutcome.DUPLICATE if sortable(stored.sequencer) == arriving else AttachOutcome.STALE
