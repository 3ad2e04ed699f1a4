"""Secrets: files that only their owner can read, and AWS Secrets Manager behind a short memory."""

from __future__ import annotations

import base64
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from kinora.errors import NotFound, Unavailable
from kinora.secrets.base import SecretName
from kinora.secrets.files import FileSecrets
from kinora.secrets.kept import KEPT_SECONDS, OUTAGE_SECONDS, KeptSecrets
from kinora.secrets.secretsmanager import SecretsManager
from kinora.settings import Settings
from kinora.signing import Keyring


@pytest.fixture
def secrets(tmp_path):
    return FileSecrets(tmp_path)


def test_a_missing_secret_is_not_found_and_not_made_by_reading(secrets, tmp_path):
    for name in SecretName:
        with pytest.raises(NotFound):
            secrets.get(name)
    assert list(tmp_path.iterdir()) == []


def test_ensure_makes_each_secret_once(secrets, tmp_path):
    api_key, created = secrets.ensure(SecretName.API_KEY)
    assert created
    assert re.fullmatch(r"kin_[A-Za-z0-9_-]{43}", api_key)
    assert secrets.ensure(SecretName.API_KEY) == (api_key, False)
    assert FileSecrets(tmp_path).get(SecretName.API_KEY) == api_key
    keys, created = secrets.ensure(SecretName.SIGNING_KEYS)
    assert created
    assert len(Keyring.parse(keys).keys["k1"]) == 32
    assert len(base64.urlsafe_b64decode(keys.removeprefix("k1:") + "=")) == 32
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {
        "api-key": 0o600,
        "signing-keys": 0o600,
    }


def test_two_installations_have_different_secrets(tmp_path):
    assert len({FileSecrets(tmp_path / str(n)).ensure(SecretName.API_KEY) for n in range(5)}) == 5


def test_threads_that_ensure_at_once_get_the_same_secret(secrets):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: secrets.ensure(SecretName.API_KEY), range(16)))
    assert len({text for text, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


def ensure_in(folder: str) -> tuple[str, bool]:
    return FileSecrets(Path(folder)).ensure(SecretName.SIGNING_KEYS)


def test_processes_that_ensure_at_once_get_the_same_secret(tmp_path):
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        answers = list(pool.map(ensure_in, [str(tmp_path)] * 3))
    assert len({text for text, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


def test_what_a_killed_process_left_is_in_nobodys_way(secrets, tmp_path):
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets" / ".api-key.new").write_text("half")
    (tmp_path / "secrets" / ".api-key.new").chmod(0o644)
    text, created = secrets.ensure(SecretName.API_KEY)
    assert created
    assert secrets.get(SecretName.API_KEY) == text
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["api-key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_secret_that_others_could_know_or_set_is_refused(secrets, tmp_path, mode):
    secrets.ensure(SecretName.API_KEY)
    path = tmp_path / "secrets" / "api-key"
    path.chmod(mode)
    for verb in (secrets.get, secrets.ensure):
        with pytest.raises(Unavailable, match=f"api-key has mode {mode:04o}.*chmod 600"):
            verb(SecretName.API_KEY)
    path.chmod(0o600)
    assert secrets.get(SecretName.API_KEY)


def test_broken_secrets_are_unavailable_and_never_replaced(secrets, tmp_path):
    secrets.ensure(SecretName.API_KEY)
    path = tmp_path / "secrets" / "api-key"
    for content in (b"", b" \n", b"\xff\xfe"):
        path.write_bytes(content)
        for verb in (secrets.get, secrets.ensure):
            with pytest.raises(Unavailable):
                verb(SecretName.API_KEY)
        assert path.read_bytes() == content


def test_a_secret_written_by_hand_is_read_without_its_line_end(secrets, tmp_path):
    secrets.ensure(SecretName.API_KEY)
    (tmp_path / "secrets" / "api-key").write_text("my own key\n")
    assert secrets.get(SecretName.API_KEY) == "my own key"


@pytest.fixture
def aws(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.session.Session().client("secretsmanager")


def test_secrets_manager_is_asked_again_after_five_minutes(aws):
    aws.create_secret(Name="kinora/api-key", SecretString="first")
    now = [1000.0]
    manager = SecretsManager(Settings.from_env({"KINORA_API_KEY_SECRET": "kinora/api-key"}), clock=lambda: now[0])
    assert manager.get(SecretName.API_KEY) == "first"
    aws.put_secret_value(SecretId="kinora/api-key", SecretString="second")
    now[0] += KEPT_SECONDS - 1
    assert manager.get(SecretName.API_KEY) == "first"
    now[0] += 1
    assert manager.get(SecretName.API_KEY) == "second"


def test_secrets_that_are_not_there(aws):
    aws.create_secret(Name="binary", SecretBinary=b"\x00")
    settings = Settings.from_env({"KINORA_API_KEY_SECRET": "binary"})
    with pytest.raises(Unavailable):
        SecretsManager(settings).get(SecretName.API_KEY)
    with pytest.raises(NotFound):
        SecretsManager(settings).get(SecretName.SIGNING_KEYS)
    with pytest.raises(NotFound):
        SecretsManager(Settings.from_env({"KINORA_API_KEY_SECRET": "nowhere"})).get(SecretName.API_KEY)


def test_a_secret_may_lie_in_the_parameter_store(aws):
    ssm = boto3.session.Session().client("ssm")
    ssm.put_parameter(Name="/kinora/signing-keys", Value="first", Type="SecureString")
    ssm.put_parameter(Name="/kinora/blank", Value=" ", Type="String")
    now = [1000.0]
    ids = {"KINORA_SIGNING_KEYS_SECRET": "ssm:/kinora/signing-keys", "KINORA_API_KEY_SECRET": "ssm:/kinora/missing"}
    manager = SecretsManager(Settings.from_env(ids), clock=lambda: now[0])
    assert manager.get(SecretName.SIGNING_KEYS) == "first"
    ssm.put_parameter(Name="/kinora/signing-keys", Value="second", Type="SecureString", Overwrite=True)
    now[0] += KEPT_SECONDS - 1
    assert manager.get(SecretName.SIGNING_KEYS) == "first"
    now[0] += 1
    assert manager.get(SecretName.SIGNING_KEYS) == "second"
    assert manager.change(SecretName.SIGNING_KEYS, lambda text: f"third, {text}") == "third, second"
    assert manager.get(SecretName.SIGNING_KEYS) == "third, second"
    with pytest.raises(NotFound, match="/kinora/missing"):
        manager.get(SecretName.API_KEY)
    with pytest.raises(Unavailable):
        SecretsManager(Settings.from_env({"KINORA_API_KEY_SECRET": "ssm:/kinora/blank"})).get(SecretName.API_KEY)


def test_a_store_that_is_away_for_a_while_stops_nobody_who_knows_the_secret():
    now, answers = [0.0], ["first"]

    def read(name: SecretName) -> str:
        if not answers:
            raise Unavailable("away")
        return answers.pop()

    kept = KeptSecrets(read, lambda: now[0])
    assert kept.get(SecretName.API_KEY) == "first"
    now[0] += OUTAGE_SECONDS - 60
    assert kept.get(SecretName.API_KEY) == "first"
    answers.append("second")
    assert kept.get(SecretName.API_KEY) == "first", "it is not asked with every request"
    now[0] += 30
    assert kept.get(SecretName.API_KEY) == "second"
    now[0] += OUTAGE_SECONDS
    with pytest.raises(Unavailable):
        kept.get(SecretName.API_KEY)
    with pytest.raises(Unavailable):
        kept.get(SecretName.SIGNING_KEYS)
    assert "second" not in repr(vars(kept))
