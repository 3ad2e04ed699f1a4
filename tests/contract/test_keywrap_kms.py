"""The contract of key wrapping, on KMS as moto plays it; and what its failures mean."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from kinora.content_keys import Wrapped
from kinora.errors import Unavailable
from kinora.keywrap.kms import KmsWrapping
from tests.contract.aws_endpoint import aws_endpoint
from tests.contract.keywrap_suite import *  # noqa: F403 - the suite's tests are collected here
from tests.contract.keywrap_suite import IDENTITY


@pytest.fixture(autouse=True)
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def wrapping():
    with mock_aws():
        yield KmsWrapping(boto3.client("kms").create_key()["KeyMetadata"]["Arn"])


def test_a_key_that_kms_does_not_have_is_unavailable():
    with mock_aws(), pytest.raises(Unavailable):
        KmsWrapping("alias/none").wrap(b"k" * 16, IDENTITY)


def test_the_identity_is_the_encryption_context(monkeypatch):
    asked = []

    def answer(request):
        asked.append(request)
        return 200, {"Plaintext": "azE2", "KeyId": "k"}

    with aws_endpoint(answer) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", address)
        KmsWrapping("k").unwrap(Wrapped(b"wrapped", b"\1" * 12, "kms:k"), IDENTITY)
    assert asked[0]["EncryptionContext"] == {
        "kinora:hash": IDENTITY.hash,
        "kinora:revision": "3",
        "kinora:key-id": IDENTITY.key_id,
        "kinora:kek-version": "kms:k",
        "kinora:nonce": "01" * 12,
    }


def test_a_throttled_kms_is_unavailable(monkeypatch):
    with aws_endpoint(lambda _: (400, {"__type": "ThrottlingException"})) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", address)
        with pytest.raises(Unavailable):
            KmsWrapping("k").unwrap(Wrapped(b"wrapped", b"\1" * 12, "kms:k"), IDENTITY)
