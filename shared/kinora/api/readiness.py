"""Asking all dependencies at once whether they answer, each within its time. Used by `/readyz`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from kinora.errors import KinoraError, NotFound, Unavailable
from kinora.model import Scope
from kinora.observability import logger
from kinora.secrets.base import SecretName
from kinora.services import Services

KEPT_SECONDS = 1.0  # an answer is given again for so long: whoever asks may be anybody


@dataclass(frozen=True, slots=True)
class Check:
    """How one dependency answered: `seconds` it took, or was waited for; `code` of what went wrong, empty if nothing did."""

    name: str
    seconds: float
    code: str = ""


class Readiness:
    """The checks of one process. One that hangs is joined by later requests, not started again: threads do not pile up."""

    def __init__(self, checks: Mapping[str, Callable[[], object]], budget: float) -> None:
        self._checks = checks
        self._budget = budget
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, Future[Check]]] = {}

    def ask(self) -> list[Check]:
        """Every check, in the order of the table. Takes as long as the slowest, at most the budget in seconds."""
        now = time.monotonic()
        asked = [(name, *self._joined(name, now)) for name in self._checks]
        return [self._answer(name, begun, future, now + self._budget) for name, begun, future in asked]

    def _joined(self, name: str, now: float) -> tuple[float, Future[Check]]:
        with self._lock:
            begun, future = self._running.get(name, (0.0, None))
            if future is None or (future.done() and now - begun > KEPT_SECONDS):
                begun, future = now, Future()
                self._running[name] = begun, future
                threading.Thread(target=self._run, args=(name, future), name=f"ready-{name}", daemon=True).start()
            return begun, future

    def _run(self, name: str, future: Future[Check]) -> None:
        begun = time.monotonic()
        code = ""
        try:
            self._checks[name]()
        except KinoraError as error:
            code = error.code
            logger.error("a dependency does not answer", extra={"dependency": name, "reason": str(error)})
        except Exception as error:  # noqa: BLE001 - a check that breaks is an answer, too
            code = KinoraError.code
            logger.error("a dependency does not answer", extra={"dependency": name}, exc_info=error)
        future.set_result(Check(name, time.monotonic() - begun, code))

    def _answer(self, name: str, begun: float, future: Future[Check], give_up: float) -> Check:
        try:
            return future.result(max(0.0, give_up - time.monotonic()))
        except TimeoutError:
            return Check(name, time.monotonic() - begun, "timeout")


def dependencies(services: Services) -> dict[str, Callable[[], object]]:
    """What requests and tasks depend on, by name."""
    scopes = {f"storage-{scope.value}": _storage_check(services, scope) for scope in Scope}
    return {
        **scopes,
        "metadata-catalog": services.catalog.check,
        "metadata-jobs": lambda: _found_or_not(lambda: services.jobs.get("0" * 32)),
        "metadata-keys": lambda: _found_or_not(lambda: services.content_keys.get("0" * 32)),
        "queues": services.queues.check,
        "secrets": lambda: _present(services, SecretName.API_KEY, SecretName.SIGNING_KEYS),
    }


def _storage_check(services: Services, scope: Scope) -> Callable[[], object]:
    return lambda: services.storage.check(scope)


def _found_or_not(read: Callable[[], object]) -> None:
    try:
        read()
    except NotFound:
        return


def _present(services: Services, *names: SecretName) -> None:
    try:
        for name in names:
            services.secrets.get(name)
    except NotFound as error:
        raise Unavailable(f"a secret is missing: {error}") from error
