"""`kinora token`: lets somebody play a medium for a limited time, within limits."""

from __future__ import annotations

import argparse
import secrets

from kinora.errors import NotFound
from kinora.local.commands.sign import base_url, seconds_of
from kinora.local.context import Context
from kinora.playback_tokens import Limits, make_token, network_of
from kinora.secrets.base import SecretName
from kinora.signing import Keyring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hash", help="the content, as `kinora jobs --json` names it")
    parser.add_argument("--seconds", type=int, help="how long it is valid (default: KINORA_URL_SECONDS)")
    parser.add_argument("--rendition", default="", help="the only one that may be seen, such as r720_h264")
    parser.add_argument("--network", default="", help="where the viewer must be: an address or CIDR prefix")
    parser.add_argument("--single-session", action="store_true", help="only the first viewer who comes with it may use it")


def run(context: Context, arguments: argparse.Namespace) -> int:
    services = context.services()
    if services.catalog.blob(arguments.hash) is None:
        raise NotFound(f"no content {arguments.hash}")
    limits = Limits(
        network=network_of(arguments.network) if arguments.network else "",
        rendition=arguments.rendition,
        session=secrets.token_urlsafe(16) if arguments.single_session else "",
    )
    expires_at = int(services.clock()) + seconds_of(arguments.seconds, services.settings.url_seconds)
    keyring = Keyring.parse(services.secrets.get(SecretName.SIGNING_KEYS))
    token = make_token(keyring, arguments.hash, expires_at=expires_at, limits=limits)
    url = f"{base_url(context, services.settings.public_url)}/stream/{arguments.hash}/master.m3u8?token={token}"
    context.result({"hash": arguments.hash, "token": token, "url": url, "expires_at": expires_at}, url)
    return 0
