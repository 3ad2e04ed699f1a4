"""Facts of the plan that no linter knows: who triggers whom, tables, queue numbers, settings."""

import json
from pathlib import Path

import pytest

from kinora.local.reading import seconds_of
from kinora.metadata.dynamodb_tables import TABLES
from kinora.pipeline.webhook_deliveries import CLAIM_SECONDS
from kinora.settings import Settings, known_variables
from kinora.webhooks.https import CONNECT_SECONDS, TOTAL_SECONDS
from tests.template.stack import FUNCTIONS, ROOT, may, of_type, properties, text, variables, written

WORKERS = {"Image": ["ImageQueue"], "Video": ["PrepareQueue", "EncodeQueue"]}


def triggers() -> set[tuple[str, str]]:
    """(what changes, the function that this starts), for everything but HTTP and the clock."""
    found = set()
    for name in FUNCTIONS:
        for event in properties(f"{name}Function")["Events"].values():
            source = {"S3": "Bucket", "SQS": "Queue", "DynamoDB": "Stream"}.get(event["Type"])
            if source:
                found.add((text(event["Properties"][source]).split(".")[0], name))
    return found


def feeds() -> set[tuple[str, str]]:
    """(function, what it is allowed to change), for the things that trigger functions."""
    source_objects = f"arn:aws:s3:::{text(properties('SourceBucket')['BucketName'])}/"
    found = {(name, "SourceBucket") for name in FUNCTIONS for one in may(name, "s3:PutObject") | may(name, "s3:DeleteObject")
             if one.startswith(source_objects)}  # fmt: skip
    for name in FUNCTIONS:
        found |= {(name, one.split(".")[0]) for one in may(name, "sqs:SendMessage")}
        found |= {(name, one.split(".")[0]) for one in may(name, "dynamodb:PutItem") if one.endswith(".Arn")}
    return found


def test_no_function_can_start_itself_again_but_for_what_remains_of_an_encode_task():
    starts = {(name, started) for name, changed in feeds() for source, started in triggers() if changed == source}
    reached = set(starts)
    while further := {(a, d) for a, b in reached for c, d in starts if b == c} - reached:
        reached |= further
    # A prepare task sends encode tasks, and an encode task that runs out of time sends its rest: always less than it got. What
    # Ingest fails to take in Lambda puts into a queue once; from there it is received a limited number of times.
    # A delivery to a webhook waits by sending itself on, for a day.
    assert {name for name, started in reached if name == started} == {"Video", "Ingest", "Notify"}
    assert ("Video", "PrepareQueue") not in feeds()
    for function in ("VideoFunction", "NotifyFunction"):
        assert properties(function)["RecursiveLoop"] == "Allow", "else Lambda drops what was handed on for the 17th time"


def test_filters_of_one_bucket_do_not_overlap():
    rules = []
    for bucket in of_type("AWS::S3::Bucket").values():
        for one in bucket.get("NotificationConfiguration", {}).get("LambdaConfigurations", []):
            kind = one["Event"].removesuffix("*").rstrip(":")
            rules += [(kind, rule["Name"].lower(), rule["Value"]) for rule in one["Filter"]["S3Key"]["Rules"]]
    assert sorted(rules) == [
        ("s3:LifecycleExpiration:DeleteMarkerCreated", "prefix", "uploads/"),
        ("s3:ObjectCreated", "prefix", "uploads/"),
        ("s3:ObjectRemoved", "prefix", "uploads/"),
    ], "suffixes would miss .MOV, narrower events would miss multipart uploads"
    assert Settings.from_env({}).upload_prefix == "uploads/"


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_equal_the_schemas_of_the_driver(name):
    table = properties(f"{name.title()}Table")
    keys = {"KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "TimeToLiveSpecification", "StreamSpecification"}
    assert {key: value for key, value in table.items() if key in keys} == TABLES[name]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_what_holds_data_outlives_the_stack():
    kept = {name for name, one in written()["Resources"].items() if one.get("DeletionPolicy") == "Retain"}
    assert kept == {"SourceBucket", "MediaBucket", "CatalogTable", "JobsTable", "KeysTable"}
    assert all(written()["Resources"][name]["UpdateReplacePolicy"] == "Retain" for name in kept)
    assert properties("SourceBucket")["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize("name", ["SourceBucket", "MediaBucket"])
def test_buckets_are_closed_encrypted_and_want_tls(name):
    bucket = properties(name)
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (rule,) = [one for one in bucket["LifecycleConfiguration"]["Rules"] if "AbortIncompleteMultipartUpload" in one]
    days = int(text(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]))
    assert days == int(text(variables("Sweep")["KINORA_UPLOAD_DAYS"])), "what local mode's sweep does by itself"
    (statement,) = properties(f"{name}Policy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    longest_region = "ap-southeast-1"
    assert len(text(bucket["BucketName"]).replace("eu-central-1", longest_region)) + 20 <= 63, "room for stack names of 26"


@pytest.mark.parametrize(("worker", "queue"), [(worker, queue) for worker, queues in WORKERS.items() for queue in queues])
def test_queues_wait_long_enough_and_try_as_often_as_the_setting_says(worker, queue):
    numbers = properties(queue)
    assert numbers["VisibilityTimeout"] >= 6 * properties(f"{worker}Function")["Timeout"]
    assert numbers["RedrivePolicy"]["maxReceiveCount"] == int(variables(worker)["KINORA_MAX_ATTEMPTS"]) + 1
    assert int(variables("Sweep")["KINORA_STUCK_SECONDS"]) > numbers["VisibilityTimeout"]
    (event,) = [one["Properties"] for one in properties(f"{worker}Function")["Events"].values()
                if text(one["Properties"]["Queue"]) == f"{queue}.Arn"]  # fmt: skip
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    dead_letters = text(numbers["RedrivePolicy"]["deadLetterTargetArn"]).split(".")[0]
    assert properties(dead_letters)["MessageRetentionPeriod"] == 14 * 86_400 > numbers["MessageRetentionPeriod"]


def test_every_dead_letter_queue_has_an_alarm_and_every_queue_wants_tls():
    queues = of_type("AWS::SQS::Queue")
    dead = {name for name in queues if name.endswith("DeadLetters")}
    assert dead == {f"{name}DeadLetters" for name in ("Image", "Prepare", "Encode", "Ingest", "Notify", "Webhook")}
    alarms = of_type("AWS::CloudWatch::Alarm").values()
    assert {text(one["Dimensions"][0]["Value"]).split(".")[0] for one in alarms} == dead
    assert all(one["Threshold"] == 1 and one["TreatMissingData"] == "notBreaching" for one in alarms)
    assert {text(one) for one in properties("QueuePolicy")["Queues"]} == set(queues)


def test_events_that_keep_failing_are_set_aside():
    (ingest,) = of_type("AWS::Lambda::EventInvokeConfig").values()
    assert text(ingest["DestinationConfig"]["OnFailure"]["Destination"]) == "IngestQueue.Arn"
    assert "IngestQueue.Arn" in may("Ingest", "sqs:SendMessage")
    outbox = properties("NotifyFunction")["Events"]["Outbox"]["Properties"]
    assert text(outbox["DestinationConfig"]["OnFailure"]["Destination"]) == "NotifyDeadLetters.Arn"
    assert outbox["MaximumRetryAttempts"] > 0
    assert outbox["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_delivery_waits_long_enough_and_ends_among_the_dead_letters():
    numbers = properties("WebhookQueue")
    assert numbers["VisibilityTimeout"] >= 6 * properties("NotifyFunction")["Timeout"]
    assert text(numbers["RedrivePolicy"]["deadLetterTargetArn"]) == "WebhookDeadLetters.Arn"
    assert properties("NotifyFunction")["Timeout"] > TOTAL_SECONDS + 4 * CONNECT_SECONDS
    assert properties("NotifyFunction")["Timeout"] < CLAIM_SECONDS < numbers["VisibilityTimeout"]


def test_an_upload_outwaits_a_collection_that_was_killed():
    again = properties("IngestQueue")
    (schedule,) = [one["Properties"]["Schedule"] for one in properties("SweepFunction")["Events"].values()]
    assert again["VisibilityTimeout"] >= 6 * properties("IngestFunction")["Timeout"]
    assert again["VisibilityTimeout"] >= seconds_of(schedule), "the sweep ends the collection before the next attempt"
    redrive = again["RedrivePolicy"]
    assert text(redrive["deadLetterTargetArn"]) == "IngestDeadLetters.Arn"
    assert again["VisibilityTimeout"] * redrive["maxReceiveCount"] < again["MessageRetentionPeriod"]
    shortest = sum(0.75 * min(2**failures, again["VisibilityTimeout"]) for failures in range(1, redrive["maxReceiveCount"]))
    assert shortest > seconds_of(schedule), "offline the attempts are closer together"


def test_the_stream_filter_lets_only_new_outbox_rows_through():
    (one,) = properties("NotifyFunction")["Events"]["Outbox"]["Properties"]["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["event"]}}}}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_variable_is_a_setting_and_together_they_are_valid(function):
    environment = {name: text(value) for name, value in variables(function).items()}
    assert set(environment) <= set(known_variables())
    assert Settings.from_env(environment).driver == "aws"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_the_template_sets_to_a_number_or_choice_equals_the_default_offline(function):
    deployed = Settings.from_env({name: text(value) for name, value in variables(function).items()})
    offline = Settings.from_env({})
    for name in (
        "max_attempts",
        "image_formats",
        "grace_seconds",
        "stream_access",
        "cors_origins",
        "event_bus",
        "upload_prefix",
    ):
        assert getattr(deployed, name) == getattr(offline, name)


def test_every_function_makes_the_same_recipes():
    recipe = {"KINORA_IMAGE_FORMATS", "KINORA_IMAGE_VARIANTS", "KINORA_IMAGE_QUALITY", "KINORA_LADDER"}
    seen = {tuple((name, str(variables(one).get(name))) for name in sorted(recipe)) for one in FUNCTIONS}
    assert len(seen) == 1


@pytest.mark.parametrize("document", ["docs/deploy.md"])
def test_the_operator_finds_every_parameter_and_output_explained(document):
    page = Path(ROOT / document).read_text()
    for name in (*written()["Parameters"], *written()["Outputs"]):
        assert f"`{name}`" in page
