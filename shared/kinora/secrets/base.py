"""Where secrets come from: AWS Secrets Manager, or files of mode 0600 on one machine. Values are never logged."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol


class SecretName(StrEnum):
    API_KEY = "api-key"
    SIGNING_KEYS = "signing-keys"
    KEY_ENCRYPTION_KEYS = "key-encryption-keys"
    WEBHOOK_KEY = "webhook-key"


class Secrets(Protocol):
    def get(self, name: SecretName) -> str:
        """The secret's text. Raises NotFound if there is none, Unavailable if the store does not answer."""

    def forget(self, name: SecretName) -> None:
        """Let the next `get` read the secret anew, where texts are kept for a while."""

    def change(self, name: SecretName, change: Callable[[str], str]) -> str:
        """Replace the secret's text by what `change` makes of it, and return that. For the command line: no function may.

        Raises as `get` does, and StaleState if somebody else changed it meanwhile.
        """
