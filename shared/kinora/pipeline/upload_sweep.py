"""Uploads in parts that nobody goes on with are forgotten after some days. Called by the sweep; what is complete is never touched."""

from __future__ import annotations

from collections.abc import Callable

from kinora.model import Scope
from kinora.pipeline.avatars import forget_incoming
from kinora.services import Services

_DAY = 86_400.0


def sweep_uploads(services: Services, must_stop: Callable[[], bool]) -> int:
    """How many were forgotten. Where clients send parts to the store itself, its own lifecycle rule does this instead."""
    if services.part_presigner is not None:
        return 0
    before = services.clock() - services.settings.upload_days * _DAY
    forgotten = forget_incoming(services, before)
    for upload in services.multipart.pending(Scope.SOURCE):
        if must_stop():
            break
        if upload.created_at < before:
            services.multipart.abort(Scope.SOURCE, upload.key, upload.id)
            forgotten += 1
    return forgotten
