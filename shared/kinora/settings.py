"""Every setting of Kinora in one table: name, type, default, one sentence. Read once, checked all at once.

`Settings.from_env(environ)` is called by bootstrap; nothing else reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kinora.errors import InvalidSetting
from kinora.model import Scope

PREFIX = "KINORA_"


@dataclass(frozen=True, slots=True)
class ImageVariant:
    """A named size: `width` pixels wide at most, `height` free if None, else the box is filled and cropped to its centre."""

    name: str
    width: int
    height: int | None = None


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """Where one scope lies. `root` is for the filesystem, the rest for S3; empty means the common value or the default."""

    root: str
    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    path_style: bool


def _text(raw: str) -> str:
    return raw


def _flag(raw: str) -> bool:
    if raw.lower() in {"1", "true", "yes", "on"}:
        return True
    if raw.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


def _positive(raw: str) -> int:
    value = int(raw)
    if value <= 0:
        raise ValueError("must be greater than 0")
    return value


def _non_negative(raw: str) -> int:
    value = int(raw)
    if value < 0:
        raise ValueError("must not be negative")
    return value


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return raw

    return parse


def _words(raw: str) -> tuple[str, ...]:
    return tuple(raw.replace(",", " ").split())


def _rungs(raw: str) -> tuple[int, ...]:
    values = tuple(int(word) for word in _words(raw))
    if not values or any(value < 16 or value % 2 for value in values) or list(values) != sorted(set(values), reverse=True):
        raise ValueError("must be even short edges in pixels, largest first, such as 1080,720,480")
    return values


def _quality(raw: str) -> int:
    value = int(raw)
    if not 1 <= value <= 100:
        raise ValueError("must be 1 to 100")
    return value


def _image_formats(raw: str) -> tuple[str, ...]:
    formats = _words(raw)
    if not formats or not set(formats) <= {"webp", "avif", "jpg", "png"}:
        raise ValueError("must be some of webp, avif, jpg, png")
    return formats


def _variants(raw: str) -> tuple[ImageVariant, ...]:
    variants = []
    for word in _words(raw):
        match = re.fullmatch(r"([a-z][a-z0-9_-]{0,31})=(\d{1,5})(?:x(\d{1,5}))?", word)
        if match is None or int(match[2]) == 0 or match[3] == "0":
            raise ValueError(f"{word!r} is not name=WIDTH or name=WIDTHxHEIGHT")
        variants.append(ImageVariant(match[1], int(match[2]), int(match[3]) if match[3] else None))
    if not variants or len({variant.name for variant in variants}) != len(variants):
        raise ValueError("needs one or more variants with different names")
    return tuple(variants)


def _prefix(raw: str) -> str:
    if raw.startswith("/") or (raw and not raw.endswith("/")):
        raise ValueError("must end with / and not start with it")
    return raw


def setting(parse: Callable[[str], Any], default: str, about: str) -> Any:
    """One row of the table."""
    return field(metadata={"parse": parse, "default": default, "about": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table. The variable of a field is `KINORA_` + its name in capitals."""

    driver: str = setting(_one_of("local", "aws"), "local", "Which drivers run: files and SQLite, or S3, DynamoDB and SQS.")
    data: str = setting(_text, "kinora-data", "Folder of everything that local mode keeps.")
    upload_prefix: str = setting(_prefix, "uploads/", "Originals are expected below this prefix of the source scope.")

    catalog_table: str = setting(_text, "", "DynamoDB table of blobs, originals, references and derivatives.")
    jobs_table: str = setting(_text, "", "DynamoDB table of jobs, segments and the outbox.")
    keys_table: str = setting(_text, "", "DynamoDB table of wrapped content keys.")
    dynamodb_endpoint: str = setting(_text, "", "DynamoDB address other than AWS's own.")
    image_queue: str = setting(_text, "image", "Queue (URL on AWS) of image tasks.")
    prepare_queue: str = setting(_text, "prepare", "Queue (URL on AWS) of tasks that make media playable.")
    encode_queue: str = setting(_text, "encode", "Queue (URL on AWS) of segment batches and other background tasks.")
    sqs_endpoint: str = setting(_text, "", "SQS address other than AWS's own.")
    event_bus: str = setting(_text, "default", "EventBridge bus that committed events are published to.")
    api_key_secret: str = setting(_text, "", "Secrets Manager id of the API key; a file below KINORA_DATA locally.")
    signing_keys_secret: str = setting(
        _text, "", "Secrets Manager id of the URL signing keys; a file below KINORA_DATA locally."
    )

    max_bytes: int = setting(_positive, "21474836480", "Largest original in bytes.")
    max_pixels: int = setting(_positive, "268435456", "Largest picture in pixels (width by height by frames).")
    max_duration: int = setting(_positive, "43200", "Longest video or audio in seconds.")
    max_attempts: int = setting(_positive, "5", "How often a task is tried before its job fails.")
    read_ahead: int = setting(_positive, "1048576", "Block size in bytes in which originals are read from storage.")

    image_variants: tuple[ImageVariant, ...] = setting(
        _variants, "thumb=320,medium=960,large=1920", "Thumbnails: name=WIDTH, or name=WIDTHxHEIGHT to crop."
    )
    image_formats: tuple[str, ...] = setting(_image_formats, "webp", "Formats of each thumbnail: webp, avif, jpg, png.")
    image_quality: int = setting(_quality, "80", "Quality of lossy thumbnails, 1 to 100.")
    allow_svg: bool = setting(_flag, "false", "Whether SVG is accepted (it is rasterised, never served).")

    ladder: tuple[int, ...] = setting(_rungs, "1080,720,480,360,240", "Short edges of the renditions in pixels, largest first.")
    task_seconds: int = setting(_positive, "60", "How much encoding one task should hold, in CPU seconds.")

    grace_seconds: int = setting(_non_negative, "86400", "How long derivatives outlive the last reference.")
    stuck_seconds: int = setting(_positive, "3600", "After this time without progress the sweep sends a job's tasks again.")

    stream_access: str = setting(_one_of("public", "token"), "public", "Whether /stream needs a playback token.")
    cors_origins: tuple[str, ...] = setting(_words, "*", "Origins that browsers may call from.")
    public_url: str = setting(_text, "", "Address of the API as clients see it; empty: as in the request.")
    url_seconds: int = setting(_positive, "3600", "How long signed and presigned URLs are valid.")
    max_upload_bytes: int = setting(_positive, "5368709120", "Largest body of one upload request in bytes.")
    log_level: str = setting(_one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "Least severe log line that is written.")

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
        try:
            path_style = {scope: _flag(_scope_raw(environ, scope, "PATH_STYLE")) for scope in Scope}
        except ValueError as error:
            path_style = {}
            problems.append(f"{PREFIX}S3_PATH_STYLE: {error}")
        if not problems and values["driver"] == "aws":
            needed = ["KINORA_SOURCE_BUCKET", "KINORA_MEDIA_BUCKET", "KINORA_CATALOG_TABLE", "KINORA_JOBS_TABLE"]
            problems += [f"{name}: needed when KINORA_DRIVER is aws" for name in needed if not environ.get(name)]
        if problems:
            raise InvalidSetting("; ".join(sorted(problems)), public_message="Settings: " + "; ".join(sorted(problems)))
        scopes = {scope: _scope(environ, scope, values["data"], path_style[scope]) for scope in Scope}
        return cls(**values, scopes=scopes)


_SCOPE_FIELDS = {
    "ROOT": "Folder of the scope on the filesystem.",
    "BUCKET": "S3 bucket of the scope.",
    "PREFIX": "Prefix of the scope inside its bucket, ending with /.",
    "ENDPOINT": "S3-compatible address of the scope.",
    "REGION": "Region of the scope's bucket.",
    "ACCESS_KEY_ID": "Access key for the scope; empty: the environment's own credentials.",
    "SECRET_ACCESS_KEY": "Secret that belongs to the access key.",
    "PATH_STYLE": "Whether buckets are addressed by path instead of by host name.",
}
_SHARED_SCOPE_FIELDS = ("ENDPOINT", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PATH_STYLE")


def _rows() -> list[Any]:
    return [row for row in fields(Settings) if "parse" in row.metadata]


def known_variables() -> dict[str, str]:
    """Every variable with its sentence: the table, and per scope KINORA_{SCOPE}_{FIELD} with KINORA_S3_{FIELD} for all."""
    table = {PREFIX + row.name.upper(): str(row.metadata["about"]) for row in _rows()}
    for name, about in _SCOPE_FIELDS.items():
        table |= {f"{PREFIX}{scope.upper()}_{name}": about for scope in Scope}
    table |= {f"{PREFIX}S3_{name}": f"{_SCOPE_FIELDS[name]} For every scope without its own." for name in _SHARED_SCOPE_FIELDS}
    return table


def _scope_raw(environ: Mapping[str, str], scope: Scope, name: str) -> str:
    shared = environ.get(f"{PREFIX}S3_{name}", "") if name in _SHARED_SCOPE_FIELDS else ""
    return environ.get(f"{PREFIX}{scope.upper()}_{name}", "") or shared


def _scope(environ: Mapping[str, str], scope: Scope, data: str, path_style: bool) -> ScopeSettings:
    def raw(name: str) -> str:
        return _scope_raw(environ, scope, name)

    return ScopeSettings(
        root=raw("ROOT") or f"{data}/{scope.value}",
        bucket=raw("BUCKET"),
        prefix=raw("PREFIX"),
        endpoint=raw("ENDPOINT"),
        region=raw("REGION"),
        access_key_id=raw("ACCESS_KEY_ID"),
        secret_access_key=raw("SECRET_ACCESS_KEY"),
        path_style=path_style,
    )
