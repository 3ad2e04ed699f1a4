"""`kinora sign`: the address at which an original can be fetched for a limited time."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from kinora.errors import InvalidInput
from kinora.local.context import Context
from kinora.local.lock import running_instance
from kinora.model import Scope
from kinora.secrets.base import SecretName
from kinora.signing import Keyring, sign


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", help="key of the original, such as uploads/cat.jpg")
    parser.add_argument("--seconds", type=int, help="how long it is valid (default: KINORA_URL_SECONDS)")


def run(context: Context, arguments: argparse.Namespace) -> int:
    services = context.services()
    services.storage.head(Scope.SOURCE, arguments.key)
    seconds = services.settings.url_seconds if arguments.seconds is None else arguments.seconds
    if seconds <= 0:
        raise InvalidInput(public_message="--seconds must be greater than 0.")
    keyring = Keyring.parse(services.secrets.get(SecretName.SIGNING_KEYS))
    expires_at = int(services.clock()) + seconds
    signature = sign(keyring, "original", arguments.key, expires_at=expires_at)
    running = running_instance(context.data)
    base = services.settings.public_url.rstrip("/") or (running.url if running is not None and running.url else "")
    url = f"{base}/original/{signature}/{quote(arguments.key)}"
    context.result({"key": arguments.key, "url": url, "expires_at": expires_at}, url)
    return 0
