"""Secrets from AWS Secrets Manager, kept in the process for five minutes. Built by bootstrap on AWS; never logs a value."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.errors import NotFound, StaleState, Unavailable
from kinora.secrets.base import SecretName
from kinora.settings import Settings

KEPT_SECONDS = 300


class SecretsManager:
    """Implements `secrets.base.Secrets`. `clock` returns seconds and never goes back."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ids = {
            SecretName.API_KEY: settings.api_key_secret,
            SecretName.SIGNING_KEYS: settings.signing_keys_secret,
            SecretName.KEY_ENCRYPTION_KEYS: settings.key_encryption_keys_secret,
            SecretName.WEBHOOK_KEY: settings.webhook_key_secret,
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._client: Any = None
        self._kept: dict[SecretName, tuple[float, str]] = {}

    def get(self, name: SecretName) -> str:
        with self._lock:
            read_at, text = self._kept.get(name, (0.0, ""))
            if not text or self._clock() - read_at >= KEPT_SECONDS:
                text = self._read(name)
                self._kept[name] = (self._clock(), text)
            return text

    def forget(self, name: SecretName) -> None:
        with self._lock:
            self._kept.pop(name, None)

    def change(self, name: SecretName, change: Callable[[str], str]) -> str:
        """Secrets Manager has no condition for this: two who change it at once are told apart by reading it again."""
        text = change(self._read(name))
        try:
            self._connected().put_secret_value(SecretId=self._ids[name], SecretString=text)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable(f"secret {self._ids[name]}: {error}") from error
        self.forget(name)
        if self.get(name) != text.strip():
            raise StaleState(f"somebody else changed the secret {self._ids[name]}")
        return text

    def _read(self, name: SecretName) -> str:
        secret_id = self._ids[name]
        if not secret_id:
            raise NotFound(f"no secret id is set for {name.value}")
        try:
            answer = self._connected().get_secret_value(SecretId=secret_id)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise NotFound(f"there is no secret {secret_id}") from error
            raise Unavailable(f"secret {secret_id}: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(f"secret {secret_id}: {error}") from error
        text = str(answer.get("SecretString", "")).strip()
        if not text:
            raise Unavailable(f"secret {secret_id} has no text")
        return text

    def _connected(self) -> Any:
        if self._client is None:
            config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
            self._client = boto3.session.Session().client("secretsmanager", config=config)
        return self._client
