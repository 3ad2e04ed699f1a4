"""Webhooks and their deliveries in DynamoDB: rows of the catalog's table that no blob owns. Deliveries go by themselves."""

from __future__ import annotations

import itertools

from kinora.metadata.cursors import check_limit, decode_cursor, encode_cursor
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_rows import END_OF_TIME, place_key
from kinora.metadata.dynamodb_transactions import kinora_errors, settled
from kinora.metadata.dynamodb_webhook_rows import DeliveryRow
from kinora.metadata.webhooks import (
    delivery_document,
    delivery_of,
    expiry_of,
    next_delivery,
    next_webhook,
    webhook_document,
    webhook_of,
)
from kinora.model import Delivery, Page, Webhook

_ALL = "webhooks"


class DynamoWebhooks:
    """`kinora.metadata.base.Webhooks` on DynamoDB."""

    def __init__(self, table: CatalogTable) -> None:
        self._webhooks = table.webhooks
        self._deliveries = table.deliveries

    def save_webhook(self, webhook: Webhook) -> Webhook:
        return settled(lambda: self._save_webhook(webhook))

    def webhook(self, identifier: str) -> Webhook | None:
        with kinora_errors():
            return self._find(identifier)

    def webhooks(self) -> tuple[Webhook, ...]:
        with kinora_errors():
            found = [webhook_of(row.document) for row in self._webhooks.query(_ALL, consistent_read=True)]
        return tuple(sorted(found, key=lambda one: (one.created_at, one.id)))

    def remove_webhook(self, identifier: str) -> None:
        """The webhook goes first: deliveries that are left when this is killed expire."""
        with kinora_errors():
            self._webhooks(_ALL, identifier).delete()
            rows = list(self._deliveries.query(_partition(identifier), consistent_read=True))
            with self._deliveries.batch_write() as batch:
                for row in rows:
                    batch.delete(row)

    def add_delivery(self, delivery: Delivery) -> Delivery:
        return settled(lambda: self._add_delivery(delivery))

    def save_delivery(self, delivery: Delivery) -> Delivery:
        return settled(lambda: self._save_delivery(delivery))

    def delivery(self, webhook: str, identifier: str) -> Delivery | None:
        with kinora_errors():
            return self._find_delivery(webhook, identifier)

    def deliveries(self, webhook: str, *, cursor: str | None = None, limit: int = 50) -> Page[Delivery]:
        place = (END_OF_TIME, "") if cursor is None else decode_cursor(cursor)
        model = self._deliveries
        with kinora_errors():
            rows = model.listing.query(
                _partition(webhook), model.gsk < place_key(*place), scan_index_forward=False, limit=check_limit(limit) + 1
            )
            found = [delivery_of(row.document) for row in itertools.islice(rows, limit + 1)]
        items = tuple(found[:limit])
        return Page(items, encode_cursor(items[-1].created_at, items[-1].id) if len(found) > limit else None)

    def _find(self, identifier: str) -> Webhook | None:
        try:
            return webhook_of(self._webhooks.get(_ALL, identifier, consistent_read=True).document)
        except self._webhooks.DoesNotExist:
            return None

    def _find_delivery(self, webhook: str, identifier: str) -> Delivery | None:
        try:
            return delivery_of(self._deliveries.get(_partition(webhook), identifier, consistent_read=True).document)
        except self._deliveries.DoesNotExist:
            return None

    def _save_webhook(self, webhook: Webhook) -> Webhook:
        saved = next_webhook(webhook, self._find(webhook.id))
        row = self._webhooks(_ALL, saved.id, revision=saved.revision, document=webhook_document(saved))
        unchanged = self._webhooks.revision == webhook.revision
        row.save(condition=unchanged if webhook.revision else self._webhooks.pk.does_not_exist())
        return saved

    def _add_delivery(self, delivery: Delivery) -> Delivery:
        stored = self._find_delivery(delivery.webhook, delivery.id)
        if stored is not None:
            return stored
        added = next_delivery(delivery, None)
        self._row(added).save(condition=self._deliveries.pk.does_not_exist())
        return added

    def _save_delivery(self, delivery: Delivery) -> Delivery:
        saved = next_delivery(delivery, self._find_delivery(delivery.webhook, delivery.id))
        unchanged = self._deliveries.revision == delivery.revision
        self._row(saved).save(condition=unchanged if delivery.revision else self._deliveries.pk.does_not_exist())
        return saved

    def _row(self, delivery: Delivery) -> DeliveryRow:
        return self._deliveries(
            _partition(delivery.webhook),
            delivery.id,
            gpk=_partition(delivery.webhook),
            gsk=place_key(delivery.created_at, delivery.id),
            revision=delivery.revision,
            document=delivery_document(delivery),
            expires=expiry_of(delivery),
        )


def _partition(webhook: str) -> str:
    return f"webhook#{webhook}"
