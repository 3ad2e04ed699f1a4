"""Asynchronous invocations (S3 notifications): retried as often as the template says, then sent to its failure queue."""

from __future__ import annotations

import json
import logging
import threading
import time

from kinora.events.fields import write_time
from kinora.local.invocations import Invocation, Invocations
from kinora.local.plan import Plan
from kinora.local.pool import Outcome
from kinora.local.sources.base import LocalQueues, Work, backoff

_LONGEST_WAIT = 6 * 3600.0  # seconds; Lambda's own MaximumEventAgeInSeconds

_logger = logging.getLogger("kinora.local")


class AsynchronousSource:
    """Invocations from the table, oldest first, or in any order if `shuffled`."""

    background = False

    def __init__(self, plan: Plan, invocations: Invocations, queues: LocalQueues, *, shuffled: bool = False) -> None:
        self._plan = plan
        self._invocations = invocations
        self._queues = queues
        self._shuffled = shuffled
        self._lock = threading.Lock()
        self._under_way: set[int] = set()

    def take(self) -> Work | None:
        with self._lock:
            invocation = self._invocations.due(self._under_way, shuffled=self._shuffled)
            if invocation is None:
                return None
            if invocation.function not in self._plan.functions:
                _logger.error("an event for %s is dropped: there is no such function any more", invocation.function)
                self._invocations.remove(invocation.id)
                return None
            self._under_way.add(invocation.id)
        return Work(invocation.function, invocation.event, lambda outcome: self._settle(invocation, outcome))

    def _settle(self, invocation: Invocation, outcome: Outcome) -> None:
        try:
            self._record(invocation, outcome)
        finally:
            with self._lock:
                self._under_way.discard(invocation.id)

    def _record(self, invocation: Invocation, outcome: Outcome) -> None:
        if outcome.abandoned:
            return
        function = self._plan.functions[invocation.function]
        if outcome.is_ok:
            self._invocations.remove(invocation.id)
        elif outcome.killed and time.time() - invocation.created_at < _LONGEST_WAIT:
            self._invocations.postpone(invocation.id, backoff(1), failures=0)
        elif invocation.failures < function.retries:
            self._invocations.postpone(invocation.id, backoff(invocation.failures + 1))
        else:
            _logger.error("%s gave up on %s", invocation.function, invocation.subject)
            if function.dead_letters is not None:
                self._queues.send_to(function.dead_letters, _failure_record(invocation, outcome))
            self._invocations.remove(invocation.id)


def _failure_record(invocation: Invocation, outcome: Outcome) -> str:
    """Lambda's invocation record for an OnFailure destination."""
    record = {
        "version": "1.0",
        "timestamp": write_time(time.time(), "milliseconds"),
        "requestContext": {
            "requestId": f"local-{invocation.id}",
            "functionArn": f"arn:aws:lambda:local:000000000000:function:{invocation.function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": invocation.failures + 1,
        },
        "requestPayload": invocation.event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": outcome.error,
    }
    return json.dumps(record)
