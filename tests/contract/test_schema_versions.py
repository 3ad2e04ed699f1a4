from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from kinora.bootstrap import build
from kinora.local.tables import open_tables
from kinora.metrics.base import RATE_LIMITED
from kinora.model import Event
from kinora.queues.base import QueueName
from kinora.settings import Settings

# The tables in the data folders of today, by room and version, each with a digest of its columns.
EXPECTED = {
    ("bus", 1): {
        "bus_events": "183ba0ec",
    },
    ("local", 1): {
        "local_files": "2d867bdd",
        "local_invocations": "205c62fe",
        "local_schedules": "c7588a80",
        "local_sequence": "3143d698",
    },
    ("metadata", 1): {
        "metadata_access": "8e4dc571",
        "metadata_blobs": "bcff686c",
        "metadata_content_keys": "b270b463",
        "metadata_deliveries": "591cf2b3",
        "metadata_derivatives": "1f08d467",
        "metadata_exports": "e5f43440",
        "metadata_jobs": "2a05ddd7",
        "metadata_leases": "16c341d8",
        "metadata_moments": "9351dda0",
        "metadata_originals": "0909b89e",
        "metadata_outbox": "622123ba",
        "metadata_references": "548faa25",
        "metadata_segments": "9425bf71",
        "metadata_sidecars": "b7f6de7f",
        "metadata_webhooks": "2316d397",
    },
    ("queue", 1): {
        "queue_messages": "d9f88d40",
        "queue_specs": "bf25eb99",
    },
}

EXPECTED_COUNTS = {
    ("limits", 1): {
        "limits_counted": "778096cd",
    },
    ("metrics", 1): {
        "metrics_sums": "a0b605bf",
    },
}


def test_whoever_changes_a_table_thinks_of_folders_that_exist(tmp_path: Path) -> None:
    """If this fails: a new table is only noted above; a changed one needs a higher `version` in the Schema of its room."""
    services = build(Settings.from_env({"KINORA_DRIVER": "local", "KINORA_DATA": str(tmp_path)}))
    services.catalog.check()
    services.event_bus.publish([Event(id="1", type="made", time=0.0, data={})])
    services.queues.send(QueueName.IMAGE, [{}])
    services.rate_limits.take("a", 1, 1, 0.0)
    services.metrics.record({RATE_LIMITED: 1}, **{"class": "api"})
    services.close()
    with open_tables(tmp_path / "kinora.db").read():
        pass
    assert _rooms(tmp_path / "kinora.db") == EXPECTED
    assert _rooms(tmp_path / "counts.db") == EXPECTED_COUNTS


def _rooms(path: Path) -> dict[tuple[str, int], dict[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        versions = connection.execute("SELECT room, version FROM schema_versions").fetchall()
        return {(room, version): _tables(connection, room) for room, version in versions}


def _tables(connection: sqlite3.Connection, room: str) -> dict[str, str]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ?", (f"{room}_*",))
    return {name: _digest(connection.execute(f"PRAGMA table_info({name})").fetchall()) for (name,) in tables.fetchall()}


def _digest(columns: list[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(columns).encode()).hexdigest()[:8]
