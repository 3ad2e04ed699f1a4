"""The DynamoDB metadata driver: three tables through PynamoDB. Built by bootstrap."""

from __future__ import annotations

from pynamodb.connection import Connection

from kinora.metadata.dynamodb_catalog import DynamoCatalog
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_jobs import DynamoJobs
from kinora.metadata.dynamodb_jobs_table import JobsTable
from kinora.metadata.dynamodb_keys import DynamoContentKeys
from kinora.metadata.dynamodb_leases import DynamoLeases
from kinora.metadata.dynamodb_limits import DynamoRateLimits
from kinora.metadata.dynamodb_webhooks import DynamoWebhooks
from kinora.settings import Settings

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0


class DynamoMetadata:
    """Everything that Kinora knows, in the tables that the settings name.

    Constructing talks to nobody: a function may hold the driver of a table that it is not allowed to read.
    """

    def __init__(self, settings: Settings) -> None:
        connection = Connection(
            host=settings.dynamodb_endpoint or None,
            connect_timeout_seconds=CONNECT_SECONDS,
            read_timeout_seconds=READ_SECONDS,
        )
        catalog = CatalogTable(connection, settings.catalog_table)
        self.catalog = DynamoCatalog(catalog)
        self.webhooks = DynamoWebhooks(catalog)
        jobs = JobsTable(connection, settings.jobs_table)
        self.jobs = DynamoJobs(jobs)
        self.leases = DynamoLeases(jobs)
        self.rate_limits = DynamoRateLimits(jobs)
        self.content_keys = DynamoContentKeys(connection, settings.keys_table)
