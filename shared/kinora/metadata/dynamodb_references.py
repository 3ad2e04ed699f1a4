"""Originals and their references in DynamoDB: attach, detach and release as conditional transactions."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.transactions import TransactWrite

from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_transactions import transaction
from kinora.metadata.references import first_seen, gained, never_seen
from kinora.metadata.sequencers import outcome
from kinora.model import Attachment, AttachOutcome, Blob, Original

RELEASED_AT_ONCE = 40  # two rows each, and the blob: below the 100 rows of a transaction


def attach(table: CatalogTable, original: Original, blob: Blob) -> Attachment:
    """One attempt of `Catalog.attach`."""
    stored = table.original(original.key)
    verdict = outcome(stored, original.sequencer)
    if verdict is not AttachOutcome.APPLIED:
        return Attachment(verdict)
    previous: str | None = None
    with transaction(table.connection) as writes:
        table.write_original(writes, original, stored)
        table.write_reference(writes, original)
        if stored is None or stored.removed or stored.hash != blob.hash:
            _gain(table, writes, blob, original.changed_at)
            previous = table.drop_reference(writes, stored, original.changed_at)
    return Attachment(verdict, previous)


def detach(table: CatalogTable, key: str, sequencer: str, now: float) -> Attachment:
    """One attempt of `Catalog.detach`."""
    stored = table.original(key)
    verdict = outcome(stored, sequencer)
    if verdict is not AttachOutcome.APPLIED:
        return Attachment(verdict)
    known = stored or never_seen(key, sequencer, now)
    with transaction(table.connection) as writes:
        table.write_original(writes, replace(known, sequencer=sequencer, removed=True, changed_at=now), stored)
        previous = table.drop_reference(writes, stored, now)
    return Attachment(verdict, previous)


def release_some(table: CatalogTable, content_hash: str, now: float) -> tuple[Original, ...]:
    """One attempt to detach as many originals as fit into a transaction; none when there are none."""
    released = table.referring(content_hash, limit=RELEASED_AT_ONCE)
    if released:
        with transaction(table.connection) as writes:
            for original in released:
                table.write_original(writes, replace(original, removed=True, changed_at=now), original)
            table.drop_references(writes, content_hash, released, now)
    return released


def _gain(table: CatalogTable, writes: TransactWrite, blob: Blob, now: float) -> None:
    known = table.blob(blob.hash)
    table.write_blob(writes, first_seen(blob, now) if known is None else gained(known, now), known)
