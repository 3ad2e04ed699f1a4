"""Secrets from AWS Secrets Manager, or from the Parameter Store where an id begins with `ssm:`. Built by bootstrap on AWS; never
logs a value."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.errors import NotFound, StaleState, Unavailable
from kinora.secrets.base import SecretName
from kinora.secrets.kept import KeptSecrets
from kinora.secrets.ssm import PREFIX, ParameterStore
from kinora.settings import Settings


class SecretsManager:
    """Implements `secrets.base.Secrets`; a secret is kept for a while. `clock` returns seconds and never goes back."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ids = {
            SecretName.API_KEY: settings.api_key_secret,
            SecretName.SIGNING_KEYS: settings.signing_keys_secret,
            SecretName.KEY_ENCRYPTION_KEYS: settings.key_encryption_keys_secret,
            SecretName.WEBHOOK_KEY: settings.webhook_key_secret,
        }
        self._client: Any = None
        self._parameters = ParameterStore()
        self._kept = KeptSecrets(self._read, clock)

    def get(self, name: SecretName) -> str:
        return self._kept.get(name)

    def forget(self, name: SecretName) -> None:
        self._kept.forget(name)

    def change(self, name: SecretName, change: Callable[[str], str]) -> str:
        """Neither store has a condition for this: two who change it at once are told apart by reading it again."""
        text = change(self._read(name))
        secret_id = self._ids[name]
        try:
            if secret_id.startswith(PREFIX):
                self._parameters.replace(secret_id.removeprefix(PREFIX), text)
            else:
                self._connected().put_secret_value(SecretId=secret_id, SecretString=text)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable(f"secret {secret_id}: {error}") from error
        self.forget(name)
        if self.get(name) != text.strip():
            raise StaleState(f"somebody else changed the secret {self._ids[name]}")
        return text

    def _read(self, name: SecretName) -> str:
        secret_id = self._ids[name]
        if not secret_id:
            raise NotFound(f"no secret id is set for {name.value}")
        text = self._read_from_store(secret_id).strip()
        if not text:
            raise Unavailable(f"secret {secret_id} has no text")
        return text

    def _read_from_store(self, secret_id: str) -> str:
        if secret_id.startswith(PREFIX):
            return self._parameters.read(secret_id.removeprefix(PREFIX))
        try:
            answer = self._connected().get_secret_value(SecretId=secret_id)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise NotFound(f"there is no secret {secret_id}") from error
            raise Unavailable(f"secret {secret_id}: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(f"secret {secret_id}: {error}") from error
        return str(answer.get("SecretString", ""))

    def _connected(self) -> Any:
        if self._client is None:
            config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
            self._client = boto3.session.Session().client("secretsmanager", config=config)
        return self._client
