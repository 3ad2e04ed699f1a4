"""Amazon SQS queues. Sending is called by the pipeline; on AWS Lambda receives, so receiving is for operators and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinora.aws_batches import batches, send_whole
from kinora.errors import InvalidInput, Unavailable
from kinora.queues.base import Message, QueueDepth, QueueName
from kinora.queues.bodies import check_timeout, encoded
from kinora.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

MAX_RECEIVED = 10
_CONFIG = Config(connect_timeout=5, read_timeout=25, retries={"mode": "standard", "max_attempts": 4})
_RECEIPT_IS_OLD = {"InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid"}


class SqsQueues:
    """QueueSender and QueueReceiver on SQS. Settings name each queue by its URL; receivers take a name or a URL."""

    def __init__(self, settings: Settings) -> None:
        self._client = boto3.client("sqs", endpoint_url=settings.sqs_endpoint or None, config=_CONFIG)
        self._urls = {
            QueueName.IMAGE: settings.image_queue,
            QueueName.PREPARE: settings.prepare_queue,
            QueueName.ENCODE: settings.encode_queue,
            QueueName.WEBHOOK: settings.webhook_queue,
        }

    def send(self, queue: QueueName, bodies: Sequence[Mapping[str, object]], *, delay: int = 0) -> None:
        """As in QueueSender. Raises InvalidInput, LimitExceeded, Unavailable."""
        url = self._urls[queue]
        for batch in batches(encoded(bodies, delay), len):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(n), "MessageBody": body, "DelaySeconds": delay} for n, body in enumerate(batch)
            ]
            send_whole(entries, lambda left: self._refused(url, left))

    def _refused(
        self, url: str, entries: list[SendMessageBatchRequestEntryTypeDef]
    ) -> list[SendMessageBatchRequestEntryTypeDef]:
        with _kinora_errors(url):
            failed = self._client.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
        for failure in failed:
            if failure["SenderFault"]:
                raise InvalidInput(f"{url} refuses a message: {failure['Code']} {failure.get('Message', '')}")
        refused = {failure["Id"] for failure in failed}
        return [entry for entry in entries if entry["Id"] in refused]

    def check(self) -> None:
        """As in QueueSender; queues that this function is not told of are left out."""
        for url in self._urls.values():
            if url.startswith("http"):
                with _kinora_errors(url):
                    self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])

    def receive(self, queue: str, limit: int = 1) -> tuple[Message, ...]:
        """As in QueueReceiver, but SQS keeps the order only roughly, gives 10 messages at most, and may overlook some
        that the next call finds. Raises Unavailable."""
        with _kinora_errors(queue):
            answer = self._client.receive_message(
                QueueUrl=self._url(queue), MaxNumberOfMessages=min(limit, MAX_RECEIVED), MessageSystemAttributeNames=["All"]
            )
        return tuple(_message(one) for one in answer.get("Messages", []))

    def delete(self, queue: str, receipt: str) -> bool:
        """As in QueueReceiver, but SQS does not tell when an old receipt has no effect: True then, too."""
        return self._holds(queue, lambda url: self._client.delete_message(QueueUrl=url, ReceiptHandle=receipt))

    def change_visibility(self, queue: str, receipt: str, timeout: int) -> bool:
        """As in QueueReceiver; False also for a message that is visible again. Raises InvalidInput, Unavailable."""
        check_timeout(timeout)
        return self._holds(
            queue,
            lambda url: self._client.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=timeout),
        )

    def depth(self, queue: str) -> QueueDepth:
        """As in QueueReceiver; SQS counts approximately. Raises Unavailable."""
        with _kinora_errors(queue):
            answer = self._client.get_queue_attributes(QueueUrl=self._url(queue), AttributeNames=["All"])
        count = answer["Attributes"]
        return QueueDepth(
            visible=int(count["ApproximateNumberOfMessages"]),
            in_flight=int(count["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(count["ApproximateNumberOfMessagesDelayed"]),
        )

    def close(self) -> None:
        """Close the connections; the object cannot be used afterwards."""
        self._client.close()

    def _holds(self, queue: str, call: Callable[[str], object]) -> bool:
        with _kinora_errors(queue):
            try:
                call(self._url(queue))
            except ClientError as error:
                if _code(error) in _RECEIPT_IS_OLD:
                    return False
                raise
        return True

    def _url(self, queue: str) -> str:
        return queue if queue.startswith("http") else self._client.get_queue_url(QueueName=queue)["QueueUrl"]


def _message(raw: MessageTypeDef) -> Message:
    attributes = raw["Attributes"]
    return Message(
        id=raw["MessageId"],
        receipt=raw["ReceiptHandle"],
        body=raw["Body"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        first_received_at=int(attributes["ApproximateFirstReceiveTimestamp"]) / 1000,
    )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "").rsplit(".", 1)[-1]


@contextmanager
def _kinora_errors(queue: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(f"queue {queue}: {error}") from error
