from __future__ import annotations

import pytest

from kinora.media.languages import bcp47, container_tag


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        *(("eng", "en"), ("ger", "de"), ("deu", "de"), ("fre", "fr"), ("chi", "zh"), ("ENG", "en"), ("en", "en")),
        *(
            ("gsw", "gsw"),
            ("und", "und"),
            ("mul", "mul"),
            ("pt-BR", "pt-BR"),
            ("por-BR", "pt-BR"),
            ("zh-Hant-TW", "zh-Hant-TW"),
        ),
        *(
            ("", "und"),
            ("x", "und"),
            ("e\ng", "und"),
            ('en",URI="x', "und"),
            ("../..", "und"),
            ("a" * 99, "und"),
            ("日本", "und"),
        ),
    ],
)
def test_container_tags_become_bcp_47(tag: str, meant: str) -> None:
    assert bcp47(tag) == meant
    assert container_tag(tag) in {tag, "und"}
