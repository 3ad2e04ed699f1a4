"""The SQLite metadata driver: one file in WAL, shared by all threads and processes of a machine. Built by bootstrap."""

from __future__ import annotations

from pathlib import Path

from kinora.database import COUNTS_BUSY_SECONDS, COUNTS_FILE, Database
from kinora.metadata.sqlite_catalog import SqliteCatalog
from kinora.metadata.sqlite_jobs import SqliteJobs, SqliteOutbox
from kinora.metadata.sqlite_keys import SqliteContentKeys
from kinora.metadata.sqlite_leases import SqliteLeases
from kinora.metadata.sqlite_limits import SCHEMA as LIMITS_SCHEMA
from kinora.metadata.sqlite_limits import SqliteRateLimits
from kinora.metadata.sqlite_schema import SCHEMA
from kinora.metadata.sqlite_webhooks import SqliteWebhooks


class SqliteMetadata:
    """Everything that Kinora knows, in the file at `path`.

    The file, its folders and its tables are made at the first use; constructing touches nothing. Beside its own tables
    (`metadata_…`) the file may hold those of others. What is only counted lies in another file beside it.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)
        self.catalog = SqliteCatalog(self._database)
        self.jobs = SqliteJobs(self._database)
        self.content_keys = SqliteContentKeys(self._database)
        self.leases = SqliteLeases(self._database)
        self.outbox = SqliteOutbox(self._database)
        self.webhooks = SqliteWebhooks(self._database)
        self._counts = Database(path.with_name(COUNTS_FILE), LIMITS_SCHEMA, busy_seconds=COUNTS_BUSY_SECONDS, durable=False)
        self.rate_limits = SqliteRateLimits(self._counts)

    def close(self) -> None:
        """Close this process's connections; the next use opens new ones."""
        self._database.close()
        self._counts.close()
