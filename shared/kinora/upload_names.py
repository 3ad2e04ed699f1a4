"""Names under which no upload is taken in, because programs use them for what is not finished: one rule for the API, on AWS
and locally, and for the watcher of local mode."""

from __future__ import annotations

_UNFINISHED = (".crdownload", ".part", ".partial", ".tmp", "~")


def is_unfinished(key: str) -> bool:
    """Whether a key is hidden, in a hidden folder, or named as unfinished downloads and editors' copies are."""
    return key.endswith(_UNFINISHED) or any(part.startswith(".") for part in key.split("/"))
