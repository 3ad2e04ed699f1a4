"""Every setting of Kinora in one table: name, type, default, one sentence. Read once, checked all at once.

`Settings.from_env(environ)` is called by bootstrap; nothing else reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kinora.errors import InvalidSetting
from kinora.image_grammar import Preset, parse_presets
from kinora.model import Scope
from kinora.scope_settings import PREFIX, ScopeSettings, read_scope, scope_problems, scope_variables
from kinora.setting_values import (
    RateLimit,
    audio_codecs,
    codecs,
    filled,
    flag,
    non_negative,
    one_of,
    origins,
    picture_formats,
    ports,
    positive,
    prefix,
    quality,
    rate_limits,
    rungs,
    text,
    words,
)


@dataclass(frozen=True, slots=True)
class ImageVariant:
    """A named size: `width` pixels wide at most, `height` free if None, else the box is filled and cropped to its centre."""

    name: str
    width: int
    height: int | None = None


def _variants(raw: str) -> tuple[ImageVariant, ...]:
    variants = []
    for word in words(raw):
        match = re.fullmatch(r"([a-z][a-z0-9_-]{0,31})=(\d{1,5})(?:x(\d{1,5}))?", word)
        if match is None or int(match[2]) == 0 or match[3] == "0":
            raise ValueError(f"{word!r} is not name=WIDTH or name=WIDTHxHEIGHT")
        variants.append(ImageVariant(match[1], int(match[2]), int(match[3]) if match[3] else None))
    if not variants or len({variant.name for variant in variants}) != len(variants):
        raise ValueError("needs one or more variants with different names")
    return tuple(variants)


def setting(parse: Callable[[str], Any], default: str, about: str) -> Any:
    """One row of the table."""
    return field(metadata={"parse": parse, "default": default, "about": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table. The variable of a field is `KINORA_` + its name in capitals."""

    driver: str = setting(one_of("local", "aws"), "local", "Which drivers run: files and SQLite, or S3, DynamoDB and SQS.")
    data: str = setting(filled, "kinora-data", "Folder of everything that local mode keeps.")
    upload_prefix: str = setting(prefix, "uploads/", "Originals are expected below this prefix of the source scope.")

    catalog_table: str = setting(text, "", "DynamoDB table of blobs, originals, references and derivatives.")
    jobs_table: str = setting(text, "", "DynamoDB table of jobs, segments and the outbox.")
    keys_table: str = setting(text, "", "DynamoDB table of wrapped content keys.")
    dynamodb_endpoint: str = setting(text, "", "DynamoDB address other than AWS's own.")
    image_queue: str = setting(text, "image", "Queue (URL on AWS) of image tasks.")
    prepare_queue: str = setting(text, "prepare", "Queue (URL on AWS) of tasks that make media playable.")
    encode_queue: str = setting(text, "encode", "Queue (URL on AWS) of segment batches and other background tasks.")
    sqs_endpoint: str = setting(text, "", "SQS address other than AWS's own.")
    video_function: str = setting(text, "", "Function that makes a segment for a viewer who waits; empty: nobody does.")
    image_function: str = setting(text, "", "Function that makes a picture for a viewer who waits; empty: nobody does.")
    event_bus: str = setting(text, "default", "EventBridge bus that committed events are published to.")
    event_listeners: int = setting(positive, "20", "How many may listen to /api/events at once.")
    webhook_queue: str = setting(text, "webhook", "Queue (URL on AWS) of deliveries to webhooks.")
    webhook_url: str = setting(text, "", "Address of a webhook that hears of every event; others are added by the API.")
    webhook_ports: tuple[int, ...] = setting(ports, "443", "Ports that webhooks may use.")
    webhook_loopback: bool = setting(
        flag, "false", "Whether webhooks may go to this machine, by http and any port, too; in local mode only."
    )
    webhook_key_secret: str = setting(
        text, "", "Secrets Manager id of the key that webhook secrets follow from; a file below KINORA_DATA locally."
    )
    api_key_secret: str = setting(text, "", "Secrets Manager id of the API key; a file below KINORA_DATA locally.")
    signing_keys_secret: str = setting(
        text,
        "",
        "Secrets Manager id (or `ssm:` and a parameter's name) of the URL signing keys; a file below KINORA_DATA locally.",
    )
    key_encryption_keys_secret: str = setting(
        text, "", "Secrets Manager id of the keys that wrap content keys; a file below KINORA_DATA locally."
    )
    kms_key: str = setting(text, "", "KMS key that wraps content keys instead; empty: the secret does.")

    max_bytes: int = setting(positive, "21474836480", "Largest original in bytes.")
    max_pixels: int = setting(positive, "268435456", "Largest picture in pixels (width by height by frames).")
    max_duration: int = setting(positive, "43200", "Longest video or audio in seconds.")
    max_attempts: int = setting(positive, "5", "How often a task is tried before its job fails.")
    read_ahead: int = setting(positive, "1048576", "Block size in bytes in which originals are read from storage.")

    image_variants: tuple[ImageVariant, ...] = setting(
        _variants, "thumb=320,medium=960,large=1920", "Thumbnails: name=WIDTH, or name=WIDTHxHEIGHT to crop."
    )
    image_formats: tuple[str, ...] = setting(picture_formats, "webp", "Formats of each thumbnail: webp, avif, jpg, png.")
    image_quality: int = setting(quality, "80", "Quality of lossy thumbnails, 1 to 100.")
    image_presets: Mapping[str, Preset] = setting(
        parse_presets, "", "Named options of /img: name=OPTIONS, separated by spaces; public:name=OPTIONS needs no signature."
    )
    max_output_pixels: int = setting(
        positive, "33554432", "Largest picture that /img makes, in pixels (width by height by frames)."
    )
    allow_svg: bool = setting(flag, "false", "Whether SVG is accepted (it is rasterised, never served).")

    ladder: tuple[int, ...] = setting(rungs, "1080,720,480,360,240", "Short edges of the renditions in pixels, largest first.")
    codecs: tuple[str, ...] = setting(codecs, "h264", "Codecs of each rendition: h264, or h264,av1.")
    audio_codecs: tuple[str, ...] = setting(audio_codecs, "aac", "Codecs of each sound track: aac, or aac,opus.")
    encode: str = setting(
        one_of("eager", "on_demand"), "eager", "Whether all segments are encoded after an upload, or those that are watched."
    )
    on_demand_limit: int = setting(positive, "20", "How many requests may wait at once for segments and pictures to be made.")
    task_seconds: int = setting(positive, "60", "How much encoding one task should hold, in CPU seconds.")

    grace_seconds: int = setting(non_negative, "86400", "How long derivatives outlive the last reference.")
    stuck_seconds: int = setting(positive, "3600", "After this time without progress the sweep sends a job's tasks again.")

    stream_access: str = setting(one_of("public", "token"), "public", "Whether /stream needs a playback token.")
    encrypt: str = setting(
        one_of("none", "all"), "none", "Whether every video and audio is encrypted, or those that ask for it."
    )
    cors_origins: tuple[str, ...] = setting(origins, "*", "Origins that browsers may call from.")
    rate_limits: Mapping[str, RateLimit] = setting(
        rate_limits, "keys=120/60", "Requests of one client in seconds, by class of routes; 0: no limit; left out: the default."
    )
    trusted_proxies: int = setting(
        non_negative, "0", "How many proxies in front add the address of their client to X-Forwarded-For."
    )
    ready_seconds: int = setting(positive, "3", "How long /readyz waits for each dependency, in seconds.")
    public_url: str = setting(text, "", "Address of the API as clients see it; empty: as in the request.")
    url_seconds: int = setting(positive, "3600", "How long signed and presigned URLs are valid.")
    upload_days: int = setting(positive, "7", "After how many days an unfinished upload in parts is forgotten.")
    max_upload_bytes: int = setting(positive, "5368709120", "Largest body of one upload request in bytes.")
    installation: str = setting(filled, "kinora", "Name of this installation in CloudWatch's metrics.")
    log_level: str = setting(one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "Least severe log line that is written.")

    scopes: Mapping[Scope, ScopeSettings] = field(default_factory=dict)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read every variable; raises one InvalidSetting that names each variable that is wrong or unknown."""
        problems = [
            f"{name}: there is no such setting" for name in environ if name.startswith(PREFIX) and name not in known_variables()
        ]
        values: dict[str, Any] = {}
        for row in _rows():
            variable = PREFIX + row.name.upper()
            try:
                values[row.name] = row.metadata["parse"](environ.get(variable, row.metadata["default"]).strip())
            except ValueError as error:
                problems.append(f"{variable}: {error}")
        problems += [problem for scope in Scope for problem in scope_problems(environ, scope)]
        if not problems and values["driver"] == "aws":
            needed = ["KINORA_SOURCE_BUCKET", "KINORA_MEDIA_BUCKET", "KINORA_CATALOG_TABLE", "KINORA_JOBS_TABLE"]
            problems += [f"{name}: needed when KINORA_DRIVER is aws" for name in needed if not environ.get(name)]
        if not problems and values["driver"] == "aws" and values["webhook_loopback"]:
            problems.append(f"{PREFIX}WEBHOOK_LOOPBACK: only when KINORA_DRIVER is local")
        if problems:
            found = "; ".join(sorted(set(problems)))
            raise InvalidSetting(found, public_message=f"Settings: {found}")
        scopes = {scope: read_scope(environ, scope, values["data"]) for scope in Scope}
        return cls(**values, scopes=scopes)


def _rows() -> list[Any]:
    return [row for row in fields(Settings) if "parse" in row.metadata]


def known_variables() -> dict[str, str]:
    """Every variable with its sentence: the table, and those of the scopes."""
    return {PREFIX + row.name.upper(): str(row.metadata["about"]) for row in _rows()} | scope_variables()
