"""The documents say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from kinora.model import Scope
from kinora.settings import known_variables

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_nothing_else():
    text = (ROOT / "docs/settings.md").read_text()
    named = set(re.findall(r"`(KINORA_[A-Z0-9_{}]+)`", text))
    documented = {name.replace("{SCOPE}", scope.upper()) for name in named for scope in Scope}
    assert documented == set(known_variables())


def test_links_in_documents_lead_somewhere():
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
