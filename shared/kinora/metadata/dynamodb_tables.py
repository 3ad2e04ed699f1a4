"""The schemas of the three DynamoDB tables as plain data, word for word in the form of AWS::DynamoDB::Table properties.

template.yaml declares the same (a test compares), the DynamoDB driver builds its models from it, tests create tables from
it. docs/metadata.md says which rows lie under which keys.
"""

from __future__ import annotations

from typing import Any, Final

TTL_ATTRIBUTE: Final = "expires"
LISTING: Final = "listing"
DUE: Final = "due"

_KEY_SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
_TTL = {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}


def _index(name: str, hash_key: str, range_key: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }


def _strings(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


_INDEXES = [_index(LISTING, "gpk", "gsk"), _index(DUE, "dpk", "dsk")]

TABLES: Final[dict[str, dict[str, Any]]] = {
    "catalog": {
        "KeySchema": _KEY_SCHEMA,
        "AttributeDefinitions": _strings("pk", "sk", "gpk", "gsk", "dpk", "dsk"),
        "GlobalSecondaryIndexes": _INDEXES,
        "TimeToLiveSpecification": _TTL,
    },
    "jobs": {
        "KeySchema": _KEY_SCHEMA,
        "AttributeDefinitions": _strings("pk", "sk", "gpk", "gsk", "dpk", "dsk"),
        "GlobalSecondaryIndexes": _INDEXES,
        "TimeToLiveSpecification": _TTL,
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
    },
    "keys": {
        "KeySchema": _KEY_SCHEMA,
        "AttributeDefinitions": _strings("pk", "sk"),
        "TimeToLiveSpecification": _TTL,
    },
}
