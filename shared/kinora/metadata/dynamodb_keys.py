"""Wrapped content keys in DynamoDB: one row by key id, and one by hash and revision that points to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection

from kinora.errors import AlreadyExists, NotFound, StaleState
from kinora.metadata.dynamodb_rows import Row, Table
from kinora.metadata.dynamodb_transactions import kinora_errors, settled, transaction
from kinora.model import ContentKey

_SORT = "key"  # of the rows with key material
_DELETED_AT_ONCE = 45  # two rows each: below the 100 rows of a transaction


class KeyRow(Row):
    key_id = UnicodeAttribute()
    hash = UnicodeAttribute()
    revision = NumberAttribute()
    wrapped = BinaryAttribute(legacy_encoding=False)
    nonce = BinaryAttribute(legacy_encoding=False)
    kek_version = UnicodeAttribute()
    created_at = NumberAttribute()
    revoked = BooleanAttribute()


class KeyOfHashRow(Row):
    key_id = UnicodeAttribute()


class DynamoContentKeys:
    """`kinora.metadata.base.ContentKeys` on DynamoDB."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        table = Table(connection, "keys", name)
        self._keys = table.bound(KeyRow)
        self._keys_of_hash = table.bound(KeyOfHashRow)

    def create(self, key: ContentKey) -> None:
        settled(lambda: self._create(key))

    def get(self, key_id: str) -> ContentKey:
        with kinora_errors():
            return self._get(key_id)

    def list(self, content_hash: str) -> tuple[ContentKey, ...]:
        with kinora_errors():
            ids = [_key(row.key_id) for row in self._rows_of(content_hash)]
            keys = [_key_of(row) for row in self._keys.batch_get(ids, consistent_read=True)]
        return tuple(sorted(keys, key=lambda key: key.revision))

    def all(self) -> Iterator[ContentKey]:
        model = self._keys
        with kinora_errors():
            for row in model.scan(model.sk == _SORT, consistent_read=True):
                yield _key_of(row)

    def rewrap(self, key: ContentKey, expected_kek_version: str) -> None:
        settled(lambda: self._rewrap(key, expected_kek_version))

    def delete(self, content_hash: str) -> int:
        return settled(lambda: self._delete(content_hash))

    def _find(self, key_id: str) -> ContentKey | None:
        try:
            return _key_of(self._keys.get(*_key(key_id), consistent_read=True))
        except self._keys.DoesNotExist:
            return None

    def _get(self, key_id: str) -> ContentKey:
        key = self._find(key_id)
        if key is None:
            raise NotFound(f"no content key {key_id}")
        return key

    def _rows_of(self, content_hash: str) -> Sequence[KeyOfHashRow]:
        return tuple(self._keys_of_hash.query(f"hash#{content_hash}", consistent_read=True))

    def _create(self, key: ContentKey) -> None:
        taken = any(row.sk == _place(key)[1] for row in self._rows_of(key.hash))
        if taken or self._find(key.key_id) is not None:
            raise AlreadyExists(f"content key {key.key_id} or revision {key.revision} of {key.hash}")
        with transaction(self._connection) as writes:
            writes.save(_row(self._keys, key), condition=self._keys.pk.does_not_exist())
            place = self._keys_of_hash(*_place(key), key_id=key.key_id)
            writes.save(place, condition=self._keys_of_hash.pk.does_not_exist())

    def _rewrap(self, key: ContentKey, expected_kek_version: str) -> None:
        stored = self._get(key.key_id)
        if stored.kek_version != expected_kek_version:
            raise StaleState(f"content key {key.key_id} is wrapped by {stored.kek_version}")
        model = self._keys
        model(*_key(key.key_id)).update(
            [
                model.wrapped.set(key.wrapped),
                model.nonce.set(key.nonce),
                model.kek_version.set(key.kek_version),
            ],
            condition=model.kek_version == expected_kek_version,
        )

    def _delete(self, content_hash: str) -> int:
        rows = self._rows_of(content_hash)
        for start in range(0, len(rows), _DELETED_AT_ONCE):
            with transaction(self._connection) as writes:
                for row in rows[start : start + _DELETED_AT_ONCE]:
                    writes.delete(row)
                    writes.delete(self._keys(*_key(row.key_id)))
        return len(rows)


def _key(key_id: str) -> tuple[str, str]:
    return f"key#{key_id}", _SORT


def _place(key: ContentKey) -> tuple[str, str]:
    return f"hash#{key.hash}", f"key#{key.revision:010d}"


def _row(model: type[KeyRow], key: ContentKey) -> KeyRow:
    return model(
        *_key(key.key_id),
        key_id=key.key_id,
        hash=key.hash,
        revision=key.revision,
        wrapped=key.wrapped,
        nonce=key.nonce,
        kek_version=key.kek_version,
        created_at=key.created_at,
        revoked=key.revoked,
    )


def _key_of(row: KeyRow) -> ContentKey:
    return ContentKey(
        key_id=row.key_id,
        hash=row.hash,
        revision=int(row.revision),
        wrapped=row.wrapped,
        nonce=row.nonce,
        kek_version=row.kek_version,
        created_at=float(row.created_at),
        revoked=row.revoked,
    )
