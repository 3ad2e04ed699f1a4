"""Secrets from the Parameter Store of AWS Systems Manager. Used by the driver of Secrets Manager; never logs a value."""

from __future__ import annotations

from typing import Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.errors import NotFound, Unavailable

PREFIX = "ssm:"


class ParameterStore:
    """Parameters by name (`/kinora/signing-keys`); those of type SecureString are decrypted by the service."""

    def __init__(self) -> None:
        self._client: Any = None

    def read(self, name: str) -> str:
        """Raises NotFound, Unavailable."""
        try:
            answer = self._connected().get_parameter(Name=name, WithDecryption=True)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                raise NotFound(f"there is no parameter {name}") from error
            raise Unavailable(f"parameter {name}: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(f"parameter {name}: {error}") from error
        return str(answer["Parameter"]["Value"])

    def replace(self, name: str, text: str) -> None:
        """Store another text for a parameter that exists, which keeps its type. Raises what botocore raises."""
        self._connected().put_parameter(Name=name, Value=text, Overwrite=True)

    def _connected(self) -> Any:
        if self._client is None:
            config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
            self._client = boto3.session.Session().client("ssm", config=config)
        return self._client
