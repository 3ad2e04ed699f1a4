"""Signatures of webhooks as the Standard Webhooks specification 1.0 has them (symmetric, `v1`), and the secrets that make them.

A secret follows from the installation's webhook key and a random salt, so that no store holds it. Nothing here is ever logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def derived_secret(key: str, webhook: str, salt: str) -> str:
    """The signing secret of a webhook: `whsec_` and 32 bytes in base64, HMAC-SHA256 of the webhook's id and `salt` under `key`."""
    made = hmac.digest(key.encode(), f"kinora-webhook-secret\n{webhook}\n{salt}".encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(made).decode()


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """`v1,` and HMAC-SHA256 over `{id}.{timestamp}.{body}` in base64; the key is what the secret holds in base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    content = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def signed_headers(secrets: Sequence[str], identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt. There is a signature for each secret that is valid now, separated by spaces."""
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, identifier, timestamp, body) for secret in secrets),
    }
