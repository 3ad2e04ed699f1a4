"""The tables of the SQLite metadata driver, made where they are missing whenever a connection is opened."""

from __future__ import annotations

from kinora.database import Schema

SCHEMA = Schema(
    room="metadata",
    version=1,
    statements="""
CREATE TABLE IF NOT EXISTS metadata_blobs (
    hash TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    state TEXT NOT NULL,
    reference_count INTEGER NOT NULL CHECK (reference_count >= 0),
    changed_at REAL NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS metadata_blobs_by_age ON metadata_blobs (created_at, hash);
CREATE INDEX IF NOT EXISTS metadata_blobs_due ON metadata_blobs (changed_at, hash)
WHERE state IN ('collectable', 'condemned');

CREATE TABLE IF NOT EXISTS metadata_originals (
    key TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    sequencer TEXT NOT NULL,
    version TEXT,
    removed INTEGER NOT NULL,
    changed_at REAL NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_references (
    hash TEXT NOT NULL REFERENCES metadata_blobs (hash),
    key TEXT NOT NULL UNIQUE REFERENCES metadata_originals (key),
    PRIMARY KEY (hash, key)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_derivatives (
    hash TEXT NOT NULL REFERENCES metadata_blobs (hash),
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    recipe TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    created_at REAL NOT NULL,
    width INTEGER,
    height INTEGER,
    duration REAL,
    PRIMARY KEY (hash, name)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_access (
    hash TEXT PRIMARY KEY REFERENCES metadata_blobs (hash),
    access TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_moments (
    hash TEXT NOT NULL REFERENCES metadata_blobs (hash),
    id TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL,
    document TEXT NOT NULL,
    PRIMARY KEY (hash, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS metadata_moments_due ON metadata_moments (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS metadata_sidecars (
    hash TEXT NOT NULL REFERENCES metadata_blobs (hash),
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (hash, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_exports (
    hash TEXT NOT NULL REFERENCES metadata_blobs (hash),
    name TEXT NOT NULL,
    due_at REAL,
    document TEXT NOT NULL,
    PRIMARY KEY (hash, name)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS metadata_exports_due ON metadata_exports (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS metadata_webhooks (
    id TEXT PRIMARY KEY,
    created_at REAL NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_deliveries (
    webhook TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (webhook, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS metadata_deliveries_by_age ON metadata_deliveries (webhook, created_at, id);
CREATE INDEX IF NOT EXISTS metadata_deliveries_expired ON metadata_deliveries (expires_at);

CREATE TABLE IF NOT EXISTS metadata_jobs (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    recipe TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    state TEXT NOT NULL,
    stages TEXT NOT NULL,
    segments_planned TEXT NOT NULL,
    segments_done TEXT NOT NULL,
    error TEXT,
    original_key TEXT NOT NULL,
    playable_at REAL,
    ready_at REAL,
    version INTEGER NOT NULL,
    repairs INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS metadata_jobs_by_age ON metadata_jobs (created_at, id);
CREATE INDEX IF NOT EXISTS metadata_jobs_by_hash ON metadata_jobs (hash, created_at, id);
CREATE INDEX IF NOT EXISTS metadata_jobs_by_state ON metadata_jobs (state, created_at, id);
CREATE INDEX IF NOT EXISTS metadata_jobs_idle ON metadata_jobs (updated_at, id)
WHERE state NOT IN ('ready', 'failed', 'canceled');

CREATE TABLE IF NOT EXISTS metadata_segments (
    job_id TEXT NOT NULL REFERENCES metadata_jobs (id) ON DELETE CASCADE,
    track TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (job_id, track, n)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    time REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS metadata_content_keys (
    key_id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    revision INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    nonce BLOB NOT NULL,
    kek_version TEXT NOT NULL,
    created_at REAL NOT NULL,
    revoked INTEGER NOT NULL,
    UNIQUE (hash, revision)
) WITHOUT ROWID, STRICT;

CREATE TABLE IF NOT EXISTS metadata_leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until REAL NOT NULL
) WITHOUT ROWID, STRICT;
""",
)
