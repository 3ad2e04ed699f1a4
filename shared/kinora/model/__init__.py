"""The nouns of Kinora as frozen dataclasses: what drivers store and use cases pass around. No behaviour beyond reading.

Times are seconds since the Unix epoch, sizes are bytes, hashes are lower-case hex SHA-256.
"""

from kinora.model.content import (
    UNHASHED,
    Attachment,
    AttachOutcome,
    Blob,
    BlobState,
    Derivative,
    Kind,
    MediaAccess,
    Original,
    Scope,
)
from kinora.model.delivery import ContentKey, Delivery, DeliveryAttempt, DeliveryState, Webhook, WebhookSecret
from kinora.model.paging import Page
from kinora.model.requests import Export, ExportState, Moment, MomentState, Sidecar
from kinora.model.work import Event, Failure, Job, JobState, SegmentId, Stage, StageName, StageState

__all__ = [
    "UNHASHED",
    "AttachOutcome",
    "Attachment",
    "Blob",
    "BlobState",
    "ContentKey",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Derivative",
    "Event",
    "Export",
    "ExportState",
    "Failure",
    "Job",
    "JobState",
    "Kind",
    "MediaAccess",
    "Moment",
    "MomentState",
    "Original",
    "Page",
    "Scope",
    "SegmentId",
    "Sidecar",
    "Stage",
    "StageName",
    "StageState",
    "Webhook",
    "WebhookSecret",
]
