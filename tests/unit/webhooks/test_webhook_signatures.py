"""Signatures of webhooks: the specification's examples, and others computed by OpenSSL."""

import base64
import shutil
import subprocess

import pytest

from kinora.webhooks.signatures import derived_secret, signature, signed_headers

# The vector that the libraries of the Standard Webhooks project test with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
# printf 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:… | base64
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_vector_of_the_specification():
    assert signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY) == SIGNATURE


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl on this machine")
@pytest.mark.parametrize("body", [b"{}", '{"é":"日本 🎞"}'.encode(), bytes(range(256)) * 20])
def test_openssl_makes_the_same(body):
    secret = derived_secret("key", "w1", "salt")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"]
    made = subprocess.run(command, input=b"evt-1.1700000000." + body, capture_output=True, check=True).stdout
    assert signature(secret, "evt-1", 1_700_000_000, body) == f"v1,{base64.b64encode(made).decode()}"


def test_a_signature_for_each_secret_the_newest_first():
    headers = signed_headers([derived_secret("key", "w", "new"), SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    first, second = headers["webhook-signature"].split(" ")
    assert second == SIGNATURE
    assert first.startswith("v1,")
    assert first != second


def test_secrets_have_the_form_of_the_specification_and_differ():
    made = {
        derived_secret(*parts)
        for parts in [("k", "a", "b"), ("k", "a", "c"), ("k", "b", "b"), ("l", "a", "b"), ("k", "a\nb", "")]
    }
    assert len(made) == 5
    assert all(len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32 for one in made)
