"""Which revisions of a stream there are: 0 is clear and has no folder, each later one has its own content key and folder.

What was asked for is an export `encryption/{revision}` of the blob: pending while it is written, ready once it is served, failed
with the code `retired` when its segments are gone. Called by everything that stores or names segments; changes nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinora.model import Export, ExportState
from kinora.services import Services

RETIRED = "retired"
_NAME = "encryption/"


@dataclass(frozen=True, slots=True)
class Revisions:
    """`served` is the one that the multivariant playlist names; segments are stored in every one of `live`, in rising order.

    `newest` is the last one that was asked for, 0 if the stream was never to be encrypted.
    """

    served: int
    live: tuple[int, ...]
    newest: int


def revisions_of(services: Services, content_hash: str) -> Revisions:
    return revisions_in(services.catalog.exports(content_hash))


def revisions_in(exports: Sequence[Export]) -> Revisions:
    """What the exports of one blob say. Once encryption was asked for nothing is stored in the clear any more, even if it
    failed."""
    states = {number_of(one): one for one in exports if is_revision(one)}
    if not states:
        return Revisions(0, (0,), 0)
    ready = {number for number, one in states.items() if one.state is ExportState.READY}
    pending = {number for number, one in states.items() if one.state is ExportState.PENDING}
    newest = max(states)
    return Revisions(max(ready, default=0), tuple(sorted(ready | pending)) or (newest,), newest)


def is_revision(export: Export) -> bool:
    return export.name.startswith(_NAME)


def is_retired(export: Export) -> bool:
    return export.state is ExportState.FAILED and export.error is not None and export.error.code == RETIRED


def number_of(export: Export) -> int:
    return int(export.name.removeprefix(_NAME))


def revision_name(revision: int) -> str:
    """The name of the export."""
    return f"{_NAME}{revision}"
