"""Settings: one table, read once, every problem in one message."""

from __future__ import annotations

import pytest

from kinora.errors import InvalidSetting
from kinora.model import Scope
from kinora.setting_values import RateLimit
from kinora.settings import ImageVariant, Settings, known_variables

AWS = {
    "KINORA_DRIVER": "aws",
    "KINORA_SOURCE_BUCKET": "s",
    "KINORA_MEDIA_BUCKET": "m",
    "KINORA_CATALOG_TABLE": "c",
    "KINORA_JOBS_TABLE": "j",
}


def problems(environ) -> str:
    with pytest.raises(InvalidSetting) as caught:
        Settings.from_env(environ)
    assert str(caught.value) in caught.value.public_message
    return str(caught.value)


def test_nothing_set_is_local_mode_with_the_documented_defaults():
    settings = Settings.from_env({"PATH": "/bin", "HOME": "/"})
    assert settings.driver == "local"
    assert settings.image_variants == (ImageVariant("thumb", 320), ImageVariant("medium", 960), ImageVariant("large", 1920))
    assert settings.ladder == (1080, 720, 480, 360, 240)
    assert settings.allow_svg is False
    assert settings.scopes[Scope.MEDIA].root == "kinora-data/media"
    assert set(settings.scopes) == set(Scope)


def test_values_are_read_as_their_types():
    settings = Settings.from_env(
        {
            "KINORA_DATA": " /data ",
            "KINORA_MAX_BYTES": "10",
            "KINORA_GRACE_SECONDS": "0",
            "KINORA_ALLOW_SVG": "Yes",
            "KINORA_LADDER": "720, 360",
            "KINORA_IMAGE_VARIANTS": "card=400x300 wide=1200",
            "KINORA_IMAGE_FORMATS": "webp,avif",
            "KINORA_CORS_ORIGINS": "https://a.example https://b.example",
            "KINORA_UPLOAD_PREFIX": "",
        }
    )
    assert (settings.data, settings.max_bytes, settings.grace_seconds, settings.allow_svg) == ("/data", 10, 0, True)
    assert settings.ladder == (720, 360)
    assert settings.image_variants == (ImageVariant("card", 400, 300), ImageVariant("wide", 1200))
    assert settings.image_formats == ("webp", "avif")
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.upload_prefix == ""
    assert settings.scopes[Scope.SOURCE].root == "/data/source"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KINORA_DRIVER", "azure"),
        ("KINORA_DATA", " "),
        ("KINORA_UPLOAD_PREFIX", "uploads"),
        ("KINORA_UPLOAD_PREFIX", "/uploads/"),
        ("KINORA_MAX_BYTES", "0"),
        ("KINORA_MAX_BYTES", "lots"),
        ("KINORA_MAX_BYTES", "1_000"),
        ("KINORA_MAX_BYTES", ""),
        ("KINORA_GRACE_SECONDS", "-1"),
        ("KINORA_IMAGE_QUALITY", "101"),
        ("KINORA_IMAGE_FORMATS", "gif"),
        ("KINORA_IMAGE_FORMATS", ""),
        ("KINORA_IMAGE_VARIANTS", "thumb"),
        ("KINORA_IMAGE_VARIANTS", "thumb=0"),
        ("KINORA_IMAGE_VARIANTS", "thumb=10x0"),
        ("KINORA_IMAGE_VARIANTS", "../x=10"),
        ("KINORA_IMAGE_VARIANTS", "a=1 a=2"),
        ("KINORA_IMAGE_VARIANTS", ""),
        ("KINORA_LADDER", "480,720"),
        ("KINORA_LADDER", "721"),
        ("KINORA_LADDER", "big"),
        ("KINORA_LADDER", ""),
        ("KINORA_ALLOW_SVG", "maybe"),
        ("KINORA_STREAM_ACCESS", "private"),
        ("KINORA_CORS_ORIGINS", "* https://a.example"),
        ("KINORA_CORS_ORIGINS", "a.example"),
        ("KINORA_CORS_ORIGINS", "https://a.example/"),
        ("KINORA_CORS_ORIGINS", "https://A.example"),
        ("KINORA_CORS_ORIGINS", "null"),
        ("KINORA_RATE_LIMITS", "pages=1/1"),
        ("KINORA_RATE_LIMITS", "api=0/60"),
        ("KINORA_RATE_LIMITS", "api=60"),
        ("KINORA_RATE_LIMITS", "api=60/0"),
        ("KINORA_TRUSTED_PROXIES", "-1"),
        ("KINORA_LOG_LEVEL", "debug"),
        ("KINORA_MEDIA_PREFIX", "lib"),
        ("KINORA_MEDIA_PATH_STYLE", "maybe"),
        ("KINORA_S3_PATH_STYLE", "maybe"),
        ("KINORA_MEDIA_ACCESS_KEY_ID", "alone"),
        ("KINORA_S3_SECRET_ACCESS_KEY", "alone"),
    ],
)
def test_a_wrong_value_is_refused_by_name(variable, value):
    assert variable in problems({variable: value})


def test_rate_limits_replace_defaults_one_by_one():
    assert Settings.from_env({}).rate_limits == {"keys": RateLimit(120, 60)}
    limits = Settings.from_env({"KINORA_RATE_LIMITS": "api=600/60, img=5/1"}).rate_limits
    assert limits == {"keys": RateLimit(120, 60), "api": RateLimit(600, 60), "img": RateLimit(5, 1)}
    assert Settings.from_env({"KINORA_RATE_LIMITS": "keys=0"}).rate_limits == {}


def test_all_problems_come_in_one_message():
    message = problems(
        {"KINORA_MAX_BYTES": "x", "KINORA_LADER": "720", "KINORA_LOG_LEVEL": "loud", "KINORA_S3_PATH_STYLE": "?"}
    )
    for name in ("KINORA_MAX_BYTES", "KINORA_LADER: there is no such setting", "KINORA_LOG_LEVEL", "KINORA_S3_PATH_STYLE"):
        assert message.count(name) == 1


def test_aws_needs_buckets_and_tables():
    assert Settings.from_env(AWS).scopes[Scope.SOURCE].bucket == "s"
    for name in set(AWS) - {"KINORA_DRIVER"}:
        assert name in problems(AWS | {name: ""})


def test_each_scope_overrides_what_all_share():
    settings = Settings.from_env(
        {
            "KINORA_S3_ENDPOINT": "https://minio.example",
            "KINORA_S3_REGION": "eu-north-1",
            "KINORA_S3_ACCESS_KEY_ID": "shared",
            "KINORA_S3_SECRET_ACCESS_KEY": "shared-secret",
            "KINORA_S3_PATH_STYLE": "true",
            "KINORA_SOURCE_ENDPOINT": "https://s3.example",
            "KINORA_SOURCE_ACCESS_KEY_ID": "own",
            "KINORA_SOURCE_SECRET_ACCESS_KEY": "own-secret",
            "KINORA_SOURCE_PATH_STYLE": "false",
            "KINORA_MEDIA_PREFIX": "lib/",
            "KINORA_MEDIA_BUCKET": "bucket",
            "KINORA_MEDIA_ROOT": "/elsewhere",
        }
    )
    source, media = settings.scopes[Scope.SOURCE], settings.scopes[Scope.MEDIA]
    assert (source.endpoint, source.access_key_id, source.secret_access_key) == ("https://s3.example", "own", "own-secret")
    assert (source.path_style, source.region, source.prefix) == (False, "eu-north-1", "")
    assert (media.endpoint, media.access_key_id, media.path_style) == ("https://minio.example", "shared", True)
    assert (media.root, media.bucket, media.prefix) == ("/elsewhere", "bucket", "lib/")


def test_an_own_access_key_is_never_paired_with_a_shared_secret():
    shared = {"KINORA_S3_ACCESS_KEY_ID": "shared", "KINORA_S3_SECRET_ACCESS_KEY": "shared"}
    assert "KINORA_MEDIA_ACCESS_KEY_ID" in problems(shared | {"KINORA_MEDIA_ACCESS_KEY_ID": "own"})


def test_no_secret_shows_when_settings_are_printed():
    settings = Settings.from_env({"KINORA_S3_ACCESS_KEY_ID": "id", "KINORA_S3_SECRET_ACCESS_KEY": "hush"})
    assert settings.scopes[Scope.MEDIA].secret_access_key == "hush"
    assert "hush" not in repr(settings)


def test_every_variable_says_what_it_is():
    table = known_variables()
    assert {"KINORA_DRIVER", "KINORA_MEDIA_BUCKET", "KINORA_S3_ENDPOINT"} <= set(table)
    assert "KINORA_S3_BUCKET" not in table
    assert all(sentence.endswith(".") for sentence in table.values())
