"""The composition root: settings → services. The only module that names drivers; it imports just those it builds."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from kinora.errors import InvalidInput, InvalidSetting
from kinora.invoking.base import Maker, makers
from kinora.keywrap.base import KeyWrapping
from kinora.metadata.base import Leases
from kinora.secrets.base import Secrets
from kinora.services import Services
from kinora.settings import Settings


@cache
def services() -> Services:
    """The services of this process, from its environment; built once, at the first call."""
    return build(Settings.from_env(os.environ))


def build(settings: Settings) -> Services:
    """Connect the drivers that `settings.driver` selects. Raises InvalidSetting, Unavailable."""
    if settings.webhook_url:
        _check_webhook_url(settings)
    return _aws(settings) if settings.driver == "aws" else _local(settings)


def _local(settings: Settings) -> Services:
    from kinora.database import COUNTS_FILE
    from kinora.eventbus.sqlite import SqliteEventBus
    from kinora.metadata.sqlite import SqliteMetadata
    from kinora.metrics.sqlite import SqliteMetrics
    from kinora.queues.sqlite import SqliteQueues
    from kinora.secrets.files import FileSecrets
    from kinora.storage.filesystem import FilesystemStorage
    from kinora.webhooks.https import HttpsSender

    data = Path(settings.data)
    secrets = FileSecrets(data)
    storage = FilesystemStorage({scope: Path(where.root) for scope, where in settings.scopes.items()})
    database = data / "kinora.db"
    metadata = SqliteMetadata(database)
    queues = SqliteQueues(database, settings)
    event_bus = SqliteEventBus(database)
    metrics = SqliteMetrics(data / COUNTS_FILE)

    def close() -> None:
        metadata.close()
        queues.close()
        event_bus.close()
        metrics.close()

    return Services(
        settings=settings,
        storage=storage,
        presigner=None,
        multipart=storage.multipart,
        part_presigner=None,
        catalog=metadata.catalog,
        jobs=metadata.jobs,
        content_keys=metadata.content_keys,
        key_wrapping=_key_wrapping(settings, secrets),
        leases=metadata.leases,
        rate_limits=metadata.rate_limits,
        queues=queues,
        on_demand=None,
        event_bus=event_bus,
        event_feed=event_bus,
        webhooks=metadata.webhooks,
        webhook_sender=HttpsSender(),
        secrets=secrets,
        metrics=metrics,
        metrics_reader=metrics,
        backlog=queues,
        clock=time.time,
        close=close,
    )


def _aws(settings: Settings) -> Services:
    from kinora.eventbus.eventbridge import EventBridgeBus
    from kinora.metadata.dynamodb import DynamoMetadata
    from kinora.metrics.emf import EmbeddedMetrics
    from kinora.queues.sqs import SqsQueues
    from kinora.secrets.secretsmanager import SecretsManager
    from kinora.storage.s3 import S3Storage
    from kinora.webhooks.https import HttpsSender

    storage = S3Storage(settings.scopes, read_ahead=settings.read_ahead)
    metadata = DynamoMetadata(settings)
    secrets = SecretsManager(settings)
    return Services(
        settings=settings,
        storage=storage,
        presigner=storage,
        multipart=storage.multipart,
        part_presigner=storage.multipart,
        catalog=metadata.catalog,
        jobs=metadata.jobs,
        content_keys=metadata.content_keys,
        key_wrapping=_key_wrapping(settings, secrets),
        leases=metadata.leases,
        rate_limits=metadata.rate_limits,
        queues=SqsQueues(settings),
        on_demand=_lambda_maker(settings, metadata.leases),
        event_bus=EventBridgeBus(settings.event_bus),
        event_feed=None,
        webhooks=metadata.webhooks,
        webhook_sender=HttpsSender(),
        secrets=secrets,
        metrics=EmbeddedMetrics(settings.installation),
        metrics_reader=None,
        backlog=None,
        clock=time.time,
        close=lambda: None,
    )


def _check_webhook_url(settings: Settings) -> None:
    from kinora.webhooks.targets import target_of

    try:
        target_of(settings.webhook_url, ports=settings.webhook_ports, loopback=settings.webhook_loopback)
    except InvalidInput as error:
        problem = f"KINORA_WEBHOOK_URL: {error.public_message}"
        raise InvalidSetting(problem, public_message=problem) from error


def _lambda_maker(settings: Settings, leases: Leases) -> Maker | None:
    """Only the API's function knows functions that make something."""
    functions = makers(settings.video_function, settings.image_function)
    if not functions:
        return None
    from kinora.invoking.lambda_maker import LambdaMaker

    return LambdaMaker(functions, leases, settings.on_demand_limit, time.time)


def _key_wrapping(settings: Settings, secrets: Secrets) -> KeyWrapping:
    if settings.kms_key:
        from kinora.keywrap.kms import KmsWrapping

        return KmsWrapping(settings.kms_key)
    from kinora.keywrap.ring import RingWrapping

    return RingWrapping(secrets)
