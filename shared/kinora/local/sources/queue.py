"""Messages of one queue in batches: deleted when they succeeded, left to the queue's redrive policy when they did not."""

from __future__ import annotations

from collections.abc import Sequence

from kinora.events import sqs_event
from kinora.local.plan import QueueTrigger
from kinora.local.pool import Outcome
from kinora.local.sources.base import LocalQueues, Work, backoff, failed_items
from kinora.queues.base import Message, QueueSpec


class QueueSource:
    """One SQS trigger. Batches are shared out: with few messages waiting each of `workers` gets some."""

    def __init__(self, trigger: QueueTrigger, queues: LocalQueues, spec: QueueSpec, *, workers: int, background: bool) -> None:
        self.background = background
        self._trigger = trigger
        self._queues = queues
        self._spec = spec
        self._workers = workers
        self._arn = f"arn:aws:sqs:local:000000000000:{trigger.queue}"

    def take(self) -> Work | None:
        messages = self._queues.receive(self._trigger.queue, self._limit())
        if not messages:
            return None
        event = sqs_event(messages, self._arn)
        return Work(self._trigger.function, event, lambda outcome: self._settle(messages, outcome))

    def _limit(self) -> int:
        if self._trigger.batch_size == 1:
            return 1
        visible = self._queues.depth(self._trigger.queue).visible
        return max(1, min(self._trigger.batch_size, visible // self._workers))

    def _settle(self, messages: Sequence[Message], outcome: Outcome) -> None:
        if outcome.abandoned:
            return
        if outcome.killed:
            for message in messages:
                self._queues.give_back(self._trigger.queue, message.receipt, round(backoff(message.receive_count)))
            return
        identifiers = [message.id for message in messages]
        if not outcome.is_ok:
            failed = identifiers
        elif self._trigger.partial_failures:
            failed = failed_items(outcome.response, identifiers)
        else:
            failed = []
        for message in messages:
            if message.id in failed:
                self._queues.change_visibility(self._trigger.queue, message.receipt, self._wait(message))
            else:
                self._queues.delete(self._trigger.queue, message.receipt)

    def _wait(self, message: Message) -> int:
        """Seconds until a failed message is seen again: sooner than its visibility timeout, and at once if it is exhausted."""
        if self._spec.max_receive_count is not None and message.receive_count >= self._spec.max_receive_count:
            return 0
        return round(backoff(message.receive_count, self._spec.visibility_timeout))
