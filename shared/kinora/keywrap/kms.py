"""Key wrapping by AWS KMS, which binds the identity as encryption context. Built by bootstrap where KINORA_KMS_KEY is set."""

from __future__ import annotations

import secrets
import threading
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.content_keys import NONCE_BYTES, KeyIdentity, Wrapped
from kinora.errors import ContentKeyDamaged, Unavailable

_VERSION = "kms:"
_DAMAGED = {"InvalidCiphertextException", "IncorrectKeyException"}


class KmsWrapping:
    """Implements `keywrap.base.KeyWrapping`; `key` is a key's id, ARN or alias. KMS rotates what is behind it by itself."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._lock = threading.Lock()
        self._client: Any = None

    def wrap(self, plain: bytes, identity: KeyIdentity) -> Wrapped:
        nonce, version = secrets.token_bytes(NONCE_BYTES), self.current_version()
        context = _context(identity, nonce, version)
        answer = self._call("encrypt", KeyId=self._key, Plaintext=plain, EncryptionContext=context)
        return Wrapped(bytes(answer["CiphertextBlob"]), nonce, version)

    def unwrap(self, wrapped: Wrapped, identity: KeyIdentity) -> bytes:
        if not wrapped.kek_version.startswith(_VERSION):
            raise Unavailable(f"content key {identity.key_id} is not wrapped by KMS but by {wrapped.kek_version}")
        context = _context(identity, wrapped.nonce, wrapped.kek_version)
        return bytes(self._call("decrypt", CiphertextBlob=wrapped.wrapped, EncryptionContext=context)["Plaintext"])

    def current_version(self) -> str:
        return _VERSION + self._key

    def _call(self, name: str, **parameters: Any) -> Any:
        try:
            return getattr(self._connected(), name)(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in _DAMAGED:
                raise ContentKeyDamaged("KMS refuses a wrapped content key") from error
            raise Unavailable(f"KMS: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(f"KMS: {error}") from error

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
                self._client = boto3.session.Session().client("kms", config=config)
            return self._client


def _context(identity: KeyIdentity, nonce: bytes, version: str) -> dict[str, str]:
    """The nonce tells wrappings of one key apart; KMS has its own for the cipher."""
    return {
        "kinora:hash": identity.hash,
        "kinora:revision": str(identity.revision),
        "kinora:key-id": identity.key_id,
        "kinora:kek-version": version,
        "kinora:nonce": nonce.hex(),
    }
