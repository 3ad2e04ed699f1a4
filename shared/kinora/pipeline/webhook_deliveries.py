"""Events on their way to webhooks: a delivery for each event and endpoint, tried again for a day, recorded to its end.

Called by the notify door and, for sending again, by the API. A message is one look at one delivery: it sends when the time has
come, and else waits on in the queue. An attempt may be made twice, always under the same id, and never forgotten.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from kinora import __version__
from kinora.errors import InvalidEvent, InvalidInput, NotFound, StaleState
from kinora.model import Delivery, DeliveryAttempt, DeliveryState, Event, Failure, Webhook
from kinora.observability import logger
from kinora.pipeline.webhooks import disable_webhook, find_webhook, valid_secrets, webhook_target
from kinora.queues.base import QueueName
from kinora.services import Services
from kinora.webhooks.base import Answer
from kinora.webhooks.signatures import signed_headers

WAITS = (5, 30, 120, 600, 1800, 3600)  # seconds after each failure; then LATER_WAIT every time
LATER_WAIT = 7200
GIVE_UP_SECONDS = 86_400
CLAIM_SECONDS = 90  # longer than an attempt: of two who look at once one sends
KEPT_ATTEMPTS = 20
GONE = 410
_MAX_DELAY = 900
_TRIES = 10
_GONE = Failure("gone", "The endpoint answered 410 Gone.")


def announce(services: Services, event: Event, webhooks: Sequence[Webhook]) -> None:
    """Have `event` delivered to every one of `webhooks` that is enabled and wants to hear of it. Twice is the same as once."""
    tasks = []
    for webhook in webhooks:
        if not webhook.enabled or (webhook.events and event.type not in webhook.events):
            continue
        now = services.clock()
        wanted = Delivery(event.id, webhook.id, event.type, event_body(event), event.time, now, now)
        delivery = services.webhooks.add_delivery(wanted)
        if delivery.state is DeliveryState.PENDING and delivery.attempts == 0:
            tasks.append(_task(delivery, 0))
    if tasks:
        services.queues.send(QueueName.WEBHOOK, tasks)


def event_body(event: Event) -> str:
    """The payload as Standard Webhooks recommends it: `type`, `timestamp` (ISO 8601, of the event) and `data`."""
    at = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"type": event.type, "timestamp": at, "data": dict(event.data)}, separators=(",", ":"))


def deliver(services: Services, task: object, jitter: Callable[[], float] = random.random) -> None:
    """Look at the delivery that a message names, and send it if it is due. `jitter` is from 0 to 1.

    Raises InvalidEvent for a message that is no such task, and Unavailable.
    """
    webhook_id, delivery_id, attempt = _parts(task)
    delivery = services.webhooks.delivery(webhook_id, delivery_id)
    if delivery is None or delivery.state is not DeliveryState.PENDING or attempt < delivery.attempts:
        return  # removed, over, or the message of an earlier attempt
    wait = delivery.due_at - services.clock()
    if wait > 0:
        _send(services, delivery, attempt, wait)
        return
    try:
        webhook = find_webhook(services, webhook_id)
    except NotFound:
        return
    if not webhook.enabled:
        _finish(services, delivery, DeliveryState.FAILED, "The webhook is disabled.")
        return
    try:
        claimed = services.webhooks.save_delivery(replace(delivery, due_at=services.clock() + CLAIM_SECONDS))
    except StaleState:
        _send(services, delivery, attempt, CLAIM_SECONDS)  # somebody else sends it just now
        return
    _attempt(services, webhook, claimed, jitter)


def redeliver(services: Services, webhook_id: str, delivery_id: str) -> Delivery:
    """Begin anew with a delivery, whatever became of it. Raises NotFound, and InvalidInput if the webhook is disabled."""
    if not find_webhook(services, webhook_id).enabled:
        raise InvalidInput(code="webhook-disabled", public_message="The webhook is disabled; enable it first.")
    now = services.clock()

    def begin(delivery: Delivery) -> Delivery:
        return replace(delivery, state=DeliveryState.PENDING, error="", tries=0, started_at=now, due_at=now)

    delivery = _updated(services, webhook_id, delivery_id, begin)
    _send(services, delivery, delivery.attempts)
    return delivery


def _attempt(services: Services, webhook: Webhook, delivery: Delivery, jitter: Callable[[], float]) -> None:
    begun = services.clock()
    answer = _post(services, webhook, delivery, int(begun))
    now = services.clock()
    made = DeliveryAttempt(begun, round(now - begun, 3), answer.status, answer.error)
    logger.info(
        "webhook", extra={"webhook": webhook.id, "delivery": delivery.id, "status": answer.status, "reason": answer.error}
    )
    if answer.status is not None and 200 <= answer.status < 300:
        _finish(services, delivery, DeliveryState.DELIVERED, "", made)
    elif answer.status == GONE:
        disable_webhook(services, webhook.id, _GONE)
        _finish(services, delivery, DeliveryState.FAILED, _GONE.message, made)
    else:
        _try_again(services, delivery, made, now, jitter)


def _try_again(services: Services, delivery: Delivery, made: DeliveryAttempt, now: float, jitter: Callable[[], float]) -> None:
    """The next message goes before this attempt is recorded: killed in between, the attempt is made again and none is lost."""
    wait = waiting(delivery.tries, jitter)
    if now + wait > delivery.started_at + GIVE_UP_SECONDS:
        _finish(services, delivery, DeliveryState.FAILED, "It was tried for a day in vain.", made)
        return
    _send(services, delivery, delivery.attempts + 1, wait)
    _record(services, delivery, made, due_at=now + wait)


def waiting(tries: int, jitter: Callable[[], float]) -> float:
    """Seconds between an attempt and the next one, after `tries` failures before it: up to a fifth more or less than planned."""
    planned = WAITS[tries] if tries < len(WAITS) else LATER_WAIT
    return planned * (0.8 + 0.4 * jitter())


def _post(services: Services, webhook: Webhook, delivery: Delivery, timestamp: int) -> Answer:
    try:
        target = webhook_target(services.settings, webhook.url)
    except InvalidInput as error:  # the settings may have changed since it was made
        return Answer(None, error.public_message)
    body = delivery.body.encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"Kinora/{__version__}"}
    return services.webhook_sender.post(
        target, headers | signed_headers(valid_secrets(services, webhook), delivery.id, timestamp, body), body
    )


def _finish(
    services: Services, delivery: Delivery, state: DeliveryState, error: str, made: DeliveryAttempt | None = None
) -> None:
    if state is DeliveryState.FAILED:
        logger.error("webhook given up", extra={"webhook": delivery.webhook, "delivery": delivery.id, "reason": error})
    _record(services, delivery, made, state=state, error=error)


def _record(
    services: Services,
    delivery: Delivery,
    made: DeliveryAttempt | None,
    *,
    state: DeliveryState = DeliveryState.PENDING,
    error: str = "",
    due_at: float | None = None,
) -> None:
    """Note an attempt and what follows from it. One that was sent anew meanwhile stays pending unless it arrived."""

    def change(stored: Delivery) -> Delivery:
        noted = stored
        if made is not None:
            history = (*stored.history, made)[-KEPT_ATTEMPTS:]
            noted = replace(stored, attempts=stored.attempts + 1, tries=stored.tries + 1, history=history)
        if stored.started_at != delivery.started_at and state is not DeliveryState.DELIVERED:
            return replace(noted, attempts=stored.attempts, tries=stored.tries)
        return replace(noted, state=state, error=error, due_at=stored.due_at if due_at is None else due_at)

    try:
        _updated(services, delivery.webhook, delivery.id, change)
    except NotFound:
        return  # removed with its webhook


def _updated(services: Services, webhook: str, identifier: str, change: Callable[[Delivery], Delivery]) -> Delivery:
    """Apply `change` until nobody else got in between. Raises NotFound, StaleState."""
    for _ in range(_TRIES):
        stored = services.webhooks.delivery(webhook, identifier)
        if stored is None:
            raise NotFound(f"no delivery {identifier} to webhook {webhook}")
        try:
            return services.webhooks.save_delivery(change(stored))
        except StaleState:
            continue
    raise StaleState(f"delivery {identifier} is too contended")


def _send(services: Services, delivery: Delivery, attempt: int, wait: float = 0.0) -> None:
    """Have the delivery looked at in `wait` seconds, or as soon as the longest delay of a queue is over."""
    services.queues.send(QueueName.WEBHOOK, [_task(delivery, attempt)], delay=min(_MAX_DELAY, math.ceil(wait)))


def _task(delivery: Delivery, attempt: int) -> dict[str, object]:
    return {"task": "webhook", "webhook": delivery.webhook, "delivery": delivery.id, "attempt": attempt}


def _parts(task: object) -> tuple[str, str, int]:
    match task:
        case {"task": "webhook", "webhook": str(webhook), "delivery": str(delivery), "attempt": int(attempt)}:
            return webhook, delivery, attempt
    raise InvalidEvent("a message names no delivery")
