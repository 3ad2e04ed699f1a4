"""What became of files that were asked for: pending, ready, or failed with a reason; failed ones may be asked for again.

A file whose derivative is recorded is ready, whatever its export's row says. Called by the requests, by the tasks that make the
files, by their dispatcher and by the sweep; imports nothing that encodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kinora.errors import KinoraError, NotFound, StaleState
from kinora.model import Derivative, Export, ExportState, Failure
from kinora.pipeline.revisions import is_revision
from kinora.pipeline.work import failure_of
from kinora.queues.base import QueueName
from kinora.services import Services

_ATTEMPTS = 10
Task = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Requested:
    """One file that was asked for: `derivative` if it is ready, else `export`."""

    name: str
    derivative: Derivative | None
    export: Export | None

    @property
    def state(self) -> str:
        return (self.export.state if self.export else ExportState.READY).value

    @property
    def error(self) -> Failure | None:
        return self.export.error if self.export else None


def look(services: Services, content_hash: str, names: Sequence[str]) -> list[Requested]:
    """What became of the files `names`. Raises NotFound if they were removed since they were asked for."""
    exports, made = _rows(services, content_hash)
    found = [Requested(one, made.get(one), None if one in made else exports.get(one)) for one in names]
    if any(one.derivative is None and one.export is None for one in found):
        raise NotFound(f"exports of {content_hash} were removed")
    return found


def unmade(services: Services, content_hash: str) -> list[Export]:
    """The files that were asked for and are not there, by name; revisions of the stream are no files."""
    exports, made = _rows(services, content_hash)
    wanted = (one for name, one in exports.items() if name not in made and not is_revision(one))
    return [one for one in wanted if one.state is not ExportState.READY]


def open_exports(services: Services, content_hash: str, queue: str, tasks: Mapping[str, Task], *, retry: bool) -> list[Export]:
    """Store as pending what nobody has asked for yet, with `retry` also what has failed, and return it: its tasks are to be sent.

    `tasks` has the task for every name. Raises NotFound or StaleState for media that are being removed.
    """
    exports, made = _rows(services, content_hash)
    opened = []
    for name, task in tasks.items():
        known = exports.get(name)
        if name in made or (known and not (retry and known.state is ExportState.FAILED)):
            continue
        now = services.clock()
        version = known.version + 1 if known else 1
        due = now + services.settings.stuck_seconds
        own_task = {**task, "exports": {name: version}}
        wanted = Export(content_hash, name, queue, own_task, now, now, version=version, due_at=due)
        if known:
            wanted = replace(wanted, created_at=known.created_at, revision=known.revision)
        try:
            opened.append(services.catalog.save_export(wanted))
        except StaleState:  # the media are being removed, or somebody else asks for it just now and sends the task
            if services.catalog.export(content_hash, name) is None:
                raise
    return opened


def send_exports(services: Services, opened: Sequence[Export], task: Task) -> None:
    """Send the one `task` that makes all that was opened. What the queue does not take has failed."""
    marks = {name: version for one in opened for name, version in marked(one.task).items()}
    whole = {**task, "exports": marks}
    try:
        services.queues.send(QueueName(opened[0].queue), [whole])
    except KinoraError as error:
        fail_exports(services, opened[0].hash, whole, failure_of(error))
        raise


def marked(task: Task) -> Mapping[str, int]:
    """Names and versions of the exports that a task makes; none in tasks of versions of Kinora that did not note them."""
    marks = task.get("exports")
    return marks if isinstance(marks, Mapping) else {}


def complete_exports(services: Services, content_hash: str, task: Task) -> None:
    """The task has made what it was to make."""

    def complete(export: Export) -> Export:
        return replace(export, state=ExportState.READY, error=None, due_at=None)

    _change_pending(services, content_hash, task, complete)


def fail_exports(services: Services, content_hash: str, task: Task, failure: Failure) -> None:
    """The task's exports have failed, unless somebody has asked for them anew."""

    def fail(export: Export) -> Export:
        return replace(export, state=ExportState.FAILED, error=failure, due_at=None)

    _change_pending(services, content_hash, task, fail)


def keep_waiting(services: Services, content_hash: str, task: Task) -> None:
    """The task is alive and has sent itself again: the sweep need not look after its exports for a while."""
    due = services.clock() + services.settings.stuck_seconds
    _change_pending(services, content_hash, task, lambda export: replace(export, due_at=due, repairs=0))


def _change_pending(services: Services, content_hash: str, task: Task, change: Callable[[Export], Export]) -> None:
    for name, version in marked(task).items():
        for _ in range(_ATTEMPTS):
            export = services.catalog.export(content_hash, name)
            if export is None or export.version != version or export.state is not ExportState.PENDING:
                break
            try:
                services.catalog.save_export(replace(change(export), updated_at=services.clock()))
            except StaleState:
                continue
            break


def _rows(services: Services, content_hash: str) -> tuple[dict[str, Export], dict[str, Derivative]]:
    """In this order: of an export that is ready by then the derivative is seen."""
    exports = {one.name: one for one in services.catalog.exports(content_hash)}
    return exports, {one.name: one for one in services.catalog.derivatives(content_hash)}
