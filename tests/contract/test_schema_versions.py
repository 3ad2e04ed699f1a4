from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from kinora.bootstrap import build
from kinora.local.tables import open_tables
from kinora.model import Event
from kinora.queues.base import QueueName
from kinora.settings import Settings

# What a data folder made today holds, by room: version, digest of its tables and their columns.
EXPECTED = {
    "bus": (1, "b23ef49573f0"),
    "local": (1, "3595656a1129"),
    "metadata": (1, "f9adf96320ee"),
    "queue": (1, "230dfee23246"),
}


def test_whoever_changes_tables_thinks_of_folders_that_exist(tmp_path: Path) -> None:
    """If this fails: raise the `version` of the room's Schema, unless all that is new is a table or an index; then
    note the new digest above."""
    services = build(Settings.from_env({"KINORA_DRIVER": "local", "KINORA_DATA": str(tmp_path)}))
    services.catalog.check()
    services.event_bus.publish([Event(id="1", type="made", time=0.0, data={})])
    services.queues.send(QueueName.IMAGE, [{}])
    services.close()
    with open_tables(tmp_path / "kinora.db").read():
        pass
    with closing(sqlite3.connect(tmp_path / "kinora.db")) as connection:
        versions = dict(connection.execute("SELECT room, version FROM schema_versions"))
        assert {room: (version, _columns(connection, room)) for room, version in versions.items()} == EXPECTED


def _columns(connection: sqlite3.Connection, room: str) -> str:
    rows = connection.execute(
        "SELECT t.name, c.* FROM sqlite_master AS t, pragma_table_info(t.name) AS c"
        " WHERE t.type = 'table' AND t.name GLOB ? ORDER BY t.name, c.cid",
        (f"{room}_*",),
    ).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
