"""`kinora sign`: the address at which an original or a picture can be fetched for a limited time."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from kinora.errors import InvalidInput
from kinora.image_grammar import NO_OPTIONS, parse_options
from kinora.local.context import Context
from kinora.local.lock import running_instance
from kinora.model import Scope
from kinora.secrets.base import SecretName
from kinora.signing import Keyring, sign

_SCOPES = {"original": Scope.SOURCE, "thumb": Scope.MEDIA, "img": Scope.SOURCE}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("route", choices=sorted(_SCOPES), help="what is to be fetched")
    parser.add_argument("key", help="such as uploads/cat.jpg; for img with the format behind: uploads/cat.jpg.webp")
    parser.add_argument("--options", default=NO_OPTIONS, help="options of img, such as w:320,h:200 (default: none)")
    parser.add_argument("--seconds", type=int, help="how long it is valid (default: KINORA_URL_SECONDS)")


def run(context: Context, arguments: argparse.Namespace) -> int:
    services = context.services()
    route, key, options = arguments.route, arguments.key, arguments.options
    if route == "img":
        parse_options(options)
    elif options != NO_OPTIONS:
        raise InvalidInput(public_message="Only img has --options.")
    services.storage.head(_SCOPES[route], key.rpartition(".")[0] if route == "img" else key)
    expires_at = int(services.clock()) + seconds_of(arguments.seconds, services.settings.url_seconds)
    keyring = Keyring.parse(services.secrets.get(SecretName.SIGNING_KEYS))
    signature = sign(keyring, route, key, expires_at=expires_at, options=options if route == "img" else "")
    between = f"{quote(options, safe=':,')}/" if route == "img" else ""
    url = f"{base_url(context, services.settings.public_url)}/{route}/{signature}/{between}{quote(key)}"
    context.result({"key": key, "url": url, "expires_at": expires_at}, url)
    return 0


def seconds_of(given: int | None, usual: int) -> int:
    """Raises InvalidInput."""
    if given is not None and given <= 0:
        raise InvalidInput(public_message="--seconds must be greater than 0.")
    return usual if given is None else given


def base_url(context: Context, public_url: str) -> str:
    """Where the API is: as set, or as it runs here; empty if it does not."""
    running = running_instance(context.data)
    return public_url.rstrip("/") or (running.url if running is not None and running.url else "")
