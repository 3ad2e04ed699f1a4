"""A small stack for tests of local mode: a template with one or a few functions whose handlers are written by the test."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from kinora.local.plan import Function, Plan
from kinora.local.reading import read_plan

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Concurrency: { Type: Number, Default: 2 }
Conditions:
  IsLarge: !Not [!Equals [!Ref Concurrency, 2]]
Globals:
  Function:
    Handler: handler.handler
    Timeout: 5
    Environment: { Variables: { KINORA_SOURCE_BUCKET: !Sub "${AWS::StackName}-source" } }
Resources:
  SourceBucket:
    Type: AWS::S3::Bucket
    Properties: { BucketName: !Sub "${AWS::StackName}-source" }
  JobsTable: { Type: AWS::DynamoDB::Table }
  ImageQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
      RedrivePolicy: { deadLetterTargetArn: !GetAtt ImageDeadLetters.Arn, maxReceiveCount: 2 }
  ImageDeadLetters: { Type: AWS::SQS::Queue }
  EncodeQueue: { Type: AWS::SQS::Queue }
  IngestDeadLetters: { Type: AWS::SQS::Queue }
  NotifyDeadLetters: { Type: AWS::SQS::Queue }
  IngestFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/ingest/
      Events:
        Uploads:
          Type: S3
          Properties:
            Bucket: !Ref SourceBucket
            Events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
            Filter: { S3Key: { Rules: [{ Name: prefix, Value: uploads/ }] } }
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt IngestDeadLetters.Arn } }
  ImageFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/image/
      Timeout: 1
      Environment: { Variables: { KINORA_IMAGE_QUEUE: !Ref ImageQueue, GREETING: image } }
      Events:
        Images:
          Type: SQS
          Properties: { Queue: !GetAtt ImageQueue.Arn, BatchSize: 4, FunctionResponseTypes: [ReportBatchItemFailures] }
        Encode:
          Type: SQS
          Properties: { Queue: !GetAtt EncodeQueue.Arn, BatchSize: 1 }
        Off:
          Type: SQS
          Properties: { Queue: !GetAtt EncodeQueue.Arn, Enabled: !If [IsLarge, true, false] }
  NotifyFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/notify/
      Events:
        Outbox:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt JobsTable.StreamArn
            StartingPosition: TRIM_HORIZON
            MaximumRetryAttempts: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria: { Filters: [{ Pattern: '{"dynamodb":{"NewImage":{"type":{"S":[{"prefix":"job."}]}}}}' }] }
            DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt NotifyDeadLetters.Arn } }
        Daily: { Type: Schedule, Properties: { Schedule: rate(1 day) } }
"""


def small_plan(folder: Path, **handlers: str) -> Plan:
    """Write the template and `functions/{name}/handler.py` for each handler (its body, indented by the caller or not)."""
    (folder / "template.yaml").write_text(TEMPLATE)
    for name, body in handlers.items():
        code = folder / "functions" / name
        code.mkdir(parents=True)
        (code / "handler.py").write_text(textwrap.dedent(body))
    return read_plan(folder / "template.yaml")


def single_function(folder: Path, body: str, *, name: str = "only", timeout: int = 5) -> Function:
    """A function of its own, without any template."""
    code = folder / name
    code.mkdir(parents=True)
    (code / "handler.py").write_text(textwrap.dedent(body))
    return Function(name=name, code=code, handler="handler.handler", timeout=timeout, memory=128)


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return as soon as the condition holds; AssertionError if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
