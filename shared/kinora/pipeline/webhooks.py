"""Webhook endpoints: made, changed, given another secret and removed by the API, and the one that a setting names.

Knows nothing of deliveries. Secrets are shown when they are made and never again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from kinora.errors import InvalidInput, NotFound, StaleState, Unavailable
from kinora.model import Failure, Webhook, WebhookSecret
from kinora.pipeline.work import ANNOUNCED
from kinora.secrets.base import SecretName
from kinora.services import Services
from kinora.settings import Settings
from kinora.webhooks.signatures import derived_secret
from kinora.webhooks.targets import Target, target_of

BY_SETTING = "setting"  # the id of the webhook that KINORA_WEBHOOK_URL names
EVENT_TYPES = tuple(sorted(f"job.{state.value}" for state in ANNOUNCED))
MAX_WEBHOOKS = 50
GRACE_SECONDS = 86_400  # how long the secret before the newest one stays valid
_ATTEMPTS = 10


def all_webhooks(services: Services) -> tuple[Webhook, ...]:
    """The one that the setting names, then those of the API, oldest first."""
    stored = services.webhooks.webhooks()
    own = _of_setting(services.settings, next((one for one in stored if one.id == BY_SETTING), None))
    return (*([own] if own else []), *(one for one in stored if one.id != BY_SETTING))


def find_webhook(services: Services, identifier: str) -> Webhook:
    """Raises NotFound."""
    stored = services.webhooks.webhook(identifier)
    found = _of_setting(services.settings, stored) if identifier == BY_SETTING else stored
    if found is None:
        raise NotFound(f"no webhook {identifier}")
    return found


def create_webhook(services: Services, url: str, events: Sequence[str], description: str) -> tuple[Webhook, str]:
    """Store a webhook; returns it and its secret. Raises InvalidInput for a URL or types that cannot be used, and for one
    webhook too many."""
    webhook_target(services.settings, url)
    if len(services.webhooks.webhooks()) >= MAX_WEBHOOKS:
        raise InvalidInput(code="too-many-webhooks", public_message=f"There may be {MAX_WEBHOOKS} webhooks.")
    now = services.clock()
    first = WebhookSecret(secrets.token_hex(16), now)
    made = Webhook(secrets.token_hex(16), url, now, now, _types(events), description, secrets=(first,))
    shown = secret_of(services, made, first)
    return services.webhooks.save_webhook(made), shown


def edit_webhook(
    services: Services,
    identifier: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """Change what is given. Enabling one that was disabled by itself forgets why. Raises NotFound, InvalidInput."""
    if url is not None:
        webhook_target(services.settings, url)
    if identifier == BY_SETTING and (url, events, description) != (None, None, None):
        raise InvalidInput(code="webhook-by-setting", public_message="A setting decides this; only `enabled` can be changed.")

    def change(webhook: Webhook) -> Webhook:
        is_enabled = webhook.enabled if enabled is None else enabled
        return replace(
            webhook,
            url=webhook.url if url is None else url,
            events=webhook.events if events is None else _types(events),
            description=webhook.description if description is None else description,
            enabled=is_enabled,
            error=None if is_enabled else webhook.error,
        )

    return _changed(services, identifier, change)


def rotate_secret(services: Services, identifier: str, grace: int = GRACE_SECONDS) -> tuple[Webhook, str]:
    """Make a new secret; returns the webhook and the secret. The one before stays valid for `grace` seconds, older ones end
    now. Raises NotFound."""
    now = services.clock()
    fresh = WebhookSecret(secrets.token_hex(16), now)

    def change(webhook: Webhook) -> Webhook:
        before = [replace(one, expires_at=now + grace) for one in webhook.secrets[:1] if grace]
        return replace(webhook, secrets=(fresh, *before))

    changed = _changed(services, identifier, change)
    return changed, secret_of(services, changed, fresh)


def disable_webhook(services: Services, identifier: str, why: Failure) -> None:
    """What is sent to it ends. One that is gone is left alone."""
    try:
        _changed(services, identifier, lambda webhook: replace(webhook, enabled=False, error=why))
    except NotFound:
        return


def remove_webhook(services: Services, identifier: str) -> None:
    """Remove it with its deliveries. Raises NotFound, and InvalidInput for the one that the setting names."""
    find_webhook(services, identifier)
    if identifier == BY_SETTING:
        raise InvalidInput(code="webhook-by-setting", public_message="Take it out of the setting KINORA_WEBHOOK_URL.")
    services.webhooks.remove_webhook(identifier)


def valid_secrets(services: Services, webhook: Webhook) -> list[str]:
    """Those that sign now, the newest first. Raises Unavailable."""
    now = services.clock()
    valid = [one for one in webhook.secrets if one.expires_at is None or one.expires_at > now]
    return [secret_of(services, webhook, one) for one in valid]


def secret_of(services: Services, webhook: Webhook, secret: WebhookSecret) -> str:
    """The secret's text, as receivers have it. Raises Unavailable."""
    try:
        key = services.secrets.get(SecretName.WEBHOOK_KEY).strip()
    except NotFound as error:
        raise Unavailable(f"a secret is missing: {error}") from error
    return derived_secret(key, webhook.id, secret.salt)


def webhook_target(settings: Settings, url: str) -> Target:
    """Raises InvalidInput for a URL that webhooks may not go to."""
    return target_of(url, ports=settings.webhook_ports, loopback=settings.webhook_loopback)


def _of_setting(settings: Settings, stored: Webhook | None) -> Webhook | None:
    """What is stored of it is its secrets, and whether it is enabled while the URL is the same."""
    if not settings.webhook_url:
        return None
    if stored is not None and stored.url == settings.webhook_url:
        return stored
    first = (WebhookSecret("first", 0.0),)
    if stored is not None:
        return replace(stored, url=settings.webhook_url, enabled=True, error=None)
    return Webhook(BY_SETTING, settings.webhook_url, 0.0, 0.0, description="KINORA_WEBHOOK_URL", secrets=first)


def _types(events: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(events) - set(EVENT_TYPES))
    if unknown:
        known = ", ".join(EVENT_TYPES)
        raise InvalidInput(
            code="webhook-events", public_message=f"There are no events {', '.join(unknown)}; there are {known}."
        )
    return tuple(sorted(set(events)))


def _changed(services: Services, identifier: str, change: Callable[[Webhook], Webhook]) -> Webhook:
    """Apply `change` until nobody else got in between. Raises NotFound, StaleState."""
    for _ in range(_ATTEMPTS):
        changed = replace(change(find_webhook(services, identifier)), updated_at=services.clock())
        try:
            return services.webhooks.save_webhook(changed)
        except StaleState:
            continue
    raise StaleState(f"webhook {identifier} is too contended")
