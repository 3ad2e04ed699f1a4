"""Leases in DynamoDB: one row of the jobs table for each name that is held; what a killed owner left goes by itself."""

from __future__ import annotations

from kinora.metadata.dynamodb_job_rows import lease_key, lease_row
from kinora.metadata.dynamodb_jobs_table import JobsTable
from kinora.metadata.dynamodb_transactions import Interference, kinora_errors


class DynamoLeases:
    """`kinora.metadata.base.Leases` on DynamoDB."""

    def __init__(self, table: JobsTable) -> None:
        self._leases = table.leases

    def acquire(self, name: str, owner: str, until: float, now: float) -> bool:
        model = self._leases
        row = lease_row(model, name, owner, until)
        is_free = model.pk.does_not_exist() | (model.until <= now) | (model.owner == owner)
        try:
            with kinora_errors():
                row.save(condition=is_free)
        except Interference:
            return False
        return True

    def release(self, name: str, owner: str) -> None:
        model = self._leases
        try:
            with kinora_errors():
                model(*lease_key(name)).delete(condition=model.owner == owner)
        except Interference:
            return
