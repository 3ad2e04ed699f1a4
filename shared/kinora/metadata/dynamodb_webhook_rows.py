"""The rows of webhooks and deliveries in the catalog's table in DynamoDB as PynamoDB models."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from kinora.metadata.dynamodb_rows import ListingIndex, Row


class WebhookRow(Row):
    revision = NumberAttribute()
    document = UnicodeAttribute()


class DeliveryRow(Row):
    gpk = UnicodeAttribute()
    gsk = UnicodeAttribute()
    revision = NumberAttribute()
    document = UnicodeAttribute()
    expires = NumberAttribute()
    listing = ListingIndex()
