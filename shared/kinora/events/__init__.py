"""The events that AWS sends, read into Kinora's words and, for local mode, written in exactly the same form.

Called by the pipeline (readers) and by local mode and tests (writers). Never decides anything and never talks to a service.
"""

from kinora.events.objects import ObjectEvent, object_events, s3_event
from kinora.events.queued import QueueRecord, ReceivedMessage, comes_from_queue, failed_event, queue_records, sqs_event
from kinora.events.scheduled import schedule_event
from kinora.events.streamed import stream_event, stream_events

__all__ = [
    "ObjectEvent",
    "QueueRecord",
    "ReceivedMessage",
    "comes_from_queue",
    "failed_event",
    "object_events",
    "queue_records",
    "s3_event",
    "schedule_event",
    "sqs_event",
    "stream_event",
    "stream_events",
]
