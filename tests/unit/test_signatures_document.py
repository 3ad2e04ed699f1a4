"""docs/signatures.md is true: its vectors are what Kinora signs and accepts, its recipes make them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kinora.api.access import Access
from kinora.errors import SignatureExpired, SignatureInvalid
from kinora.playback_tokens import Limits, read_token
from kinora.signing import Keyring, sign, verify
from tests.house import house

DOCUMENT = (Path(__file__).parents[2] / "docs" / "signatures.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE))
VECTORS = json.loads(BLOCKS["json"])
PYTHON = (
    "import json, sys\nvectors = json.load(sys.stdin)\n"
    + BLOCKS["python"]
    + "\nprint(json.dumps([sign(**one) for one in vectors]))"
)
JAVASCRIPT = BLOCKS["javascript"] + (
    "const vectors = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));"
    "console.log(JSON.stringify(vectors.map((v) => sign(v.secret, v.kid, v.route, v.key, v.expires, v.options))));"
)
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}") or shutil.which("node")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: f"{one['route']} {one['expires']}")
def test_vectors_are_signed_and_accepted(vector):
    ring = Keyring.parse(f"{vector['kid']}:{vector['secret']}")
    route, key, options, expires = (vector[name] for name in ("route", "key", "options", "expires"))
    assert sign(ring, route, key, expires_at=expires, options=options) == vector["signature"]
    assert verify(ring, vector["signature"], route, key, now=expires - 1, options=options) == expires
    with pytest.raises(SignatureExpired):
        verify(ring, vector["signature"], route, key, now=expires, options=options)
    for name, other in (("route", "x"), ("key", key + "x"), ("options", options + "x")):
        changed = {"route": route, "key": key, "options": options} | {name: other}
        with pytest.raises(SignatureInvalid):
            verify(ring, vector["signature"], changed["route"], changed["key"], now=0, options=changed["options"])


def test_the_vector_with_limits_is_a_token():
    (vector,) = [one for one in VECTORS if one["route"] == "playback" and one["options"]]
    ring = Keyring.parse(f"{vector['kid']}:{vector['secret']}")
    token = read_token(ring, f"{vector['signature']}.{vector['options']}", vector["key"], now=0)
    assert token.limits == Limits("203.0.113.0/24", "r720_h264", "s1")
    assert token.expires_at == vector["expires"]


def run(command: list[str]) -> list[str]:
    fields = [{name: value for name, value in one.items() if name != "signature"} for one in VECTORS]
    done = subprocess.run(command, input=json.dumps(fields), capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def test_the_recipe_in_python_makes_them():
    assert len(BLOCKS["python"].strip().splitlines()) <= 10
    assert run([sys.executable, "-c", PYTHON]) == [one["signature"] for one in VECTORS]


@pytest.mark.skipif(NODE is None, reason="there is no node")
def test_the_recipe_in_javascript_makes_them():
    assert run([str(NODE), "-e", JAVASCRIPT]) == [one["signature"] for one in VECTORS]


def test_what_the_recipe_signs_opens_an_original(tmp_path):
    from kinora.secrets.base import SecretName

    with house(tmp_path) as home:
        kid, _, secret = home.services.secrets.get(SecretName.SIGNING_KEYS).partition(":")
        expires = int(home.services.clock()) + 60
        names: dict[str, object] = {}
        exec(BLOCKS["python"], names)
        signature = names["sign"](secret, kid, "original", "uploads/é.jpg", expires)
        assert 1 <= Access(home.services).verify(signature, "original", "uploads/é.jpg") <= 60
