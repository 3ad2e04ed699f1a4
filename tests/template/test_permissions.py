"""Least privilege as facts: who may touch which bucket, table, queue and secret."""

import pytest

from tests.template.stack import FUNCTIONS, may, of_type, own_variables, properties, statements, text

SOURCE = f"arn:aws:s3:::{text(properties('SourceBucket')['BucketName'])}"
MEDIA = f"arn:aws:s3:::{text(properties('MediaBucket')['BucketName'])}"
WRITES = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]


def functions_that_may(*actions: str, on: str) -> set[str]:
    return {name for name in FUNCTIONS for action in actions if any(one.startswith(on) for one in may(name, action))}


def test_only_the_api_may_change_the_source_bucket_and_only_uploads():
    assert functions_that_may(*WRITES, on=SOURCE) == {"Api"}
    assert {one for action in WRITES for one in may("Api", action) if one.startswith(SOURCE)} == {f"{SOURCE}/uploads/*"}


def test_only_workers_may_write_media_and_only_their_own():
    assert functions_that_may("s3:PutObject", on=MEDIA) == {"Api", "Image", "Video"}
    assert {one for one in may("Api", "s3:PutObject") if one.startswith(MEDIA)} == {
        f"{MEDIA}/videos/*/subtitles/*",
        f"{MEDIA}/avatars/incoming/*",
    }
    assert may("Image", "s3:PutObject") == {f"{MEDIA}/images/*", f"{MEDIA}/cache/*", f"{MEDIA}/avatars/users/*"}
    assert may("Video", "s3:PutObject") == {f"{MEDIA}/videos/*", f"{MEDIA}/images/*", f"{MEDIA}/cache/*"}
    assert functions_that_may("s3:DeleteObject", on=MEDIA) == {"Api", "Image", "Sweep", "Video"}
    assert may("Image", "s3:DeleteObject") == {f"{MEDIA}/images/*", f"{MEDIA}/cache/*"}
    assert may("Video", "s3:DeleteObject") == may("Video", "s3:PutObject")


def test_only_key_serving_and_preparing_functions_read_the_keys_table():
    assert functions_that_may("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Scan", on="KeysTable") == {"Api", "Video"}
    assert functions_that_may("dynamodb:PutItem", "dynamodb:UpdateItem", on="KeysTable") == {"Video"}
    (finds,) = [one for one in statements("Sweep") if "KeysTable.Arn" in one["Resource"] and "dynamodb:Query" in one["Action"]]
    assert finds["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["hash#*"]}}, "rows without key material"


def test_each_secret_is_read_by_those_who_need_it():
    assert {name for name in FUNCTIONS if may(name, "secretsmanager:GetSecretValue")} == {"Api", "Notify", "Video"}
    everything = {"ApiKeySecret", "SigningKeysSecret", "WebhookKeySecret", "KeyEncryptionKeysSecret"}
    assert may("Api", "secretsmanager:GetSecretValue") == everything
    assert may("Notify", "secretsmanager:GetSecretValue") == {"WebhookKeySecret"}
    assert may("Video", "secretsmanager:GetSecretValue") == {"KeyEncryptionKeysSecret"}


def test_only_the_api_reads_a_parameter_and_only_the_one_that_is_named():
    assert {name for name in FUNCTIONS if may(name, "ssm:GetParameter")} == {"Api"}
    assert may("Api", "ssm:GetParameter") == {"arn:aws:ssm:eu-central-1:123456789012:parameter"}, "none by default"


def test_workers_receive_only_from_their_own_queues():
    assert may("Image", "sqs:ReceiveMessage") == {"ImageQueue.Arn"}
    assert may("Video", "sqs:ReceiveMessage") == {"PrepareQueue.Arn", "EncodeQueue.Arn"}
    assert may("Ingest", "sqs:ReceiveMessage") == {"IngestQueue.Arn"}
    assert may("Notify", "sqs:ReceiveMessage") == {"WebhookQueue.Arn"}
    assert {name for name in FUNCTIONS if may(name, "sqs:ReceiveMessage")} == {"Image", "Video", "Ingest", "Notify"}


def test_only_the_api_invokes_functions_and_only_those_that_make_something_on_demand():
    assert {name for name in FUNCTIONS if may(name, "lambda:InvokeFunction")} == {"Api"}
    assert may("Api", "lambda:InvokeFunction") == {"VideoFunction.Arn", "ImageFunction.Arn"}
    assert text(own_variables("Api")["KINORA_IMAGE_FUNCTION"]) == "ImageFunction"
    assert text(own_variables("Api")["KINORA_VIDEO_FUNCTION"]) == "VideoFunction"


@pytest.mark.parametrize("function", ["Image", "Video"])
def test_workers_delete_no_row_but_their_leases(function):
    (deletes,) = [one for one in statements(function) if "dynamodb:DeleteItem" in one["Action"]]
    assert deletes["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["lease#*"]}}


def test_only_notify_publishes_and_it_does_little_else():
    assert {name for name in FUNCTIONS if may(name, "events:PutEvents")} == {"Notify"}
    actions = {action for one in statements("Notify") for action in one["Action"]}
    assert {action.split(":")[0] for action in actions} == {"logs", "dynamodb", "events", "sqs", "secretsmanager"}
    (rows,) = [one for one in statements("Notify") if "dynamodb:PutItem" in one["Action"]]
    assert may("Notify", "dynamodb:GetItem") == {"CatalogTable.Arn"} == set(rows["Resource"])
    assert rows["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["webhooks", "webhook#*"]}}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_statements_name_their_actions_and_resources(function):
    for one in statements(function):
        assert one["Effect"] == "Allow"
        assert not [action for action in one["Action"] if "*" in action]
        anywhere = one["Resource"] == ["*"]
        assert anywhere == (one["Action"] == ["dynamodb:ListStreams"]), "the one action that takes no narrower resource"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_log_and_keeps_it_for_the_time_asked(function):
    logs = f"{function}Logs"
    assert may(function, "logs:PutLogEvents") == {f"{logs}.Arn"}
    assert properties(f"{function}Function")["LoggingConfig"] == {"LogGroup": {"Ref": logs}}
    assert of_type("AWS::Logs::LogGroup")[logs]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("function", ["Ingest", "Image", "Video", "Api", "Sweep"])
def test_who_reads_a_bucket_may_list_it_so_that_a_missing_object_is_not_forbidden(function):
    read = {one.split("/")[0] for one in may(function, "s3:GetObject")}
    assert read <= may(function, "s3:ListBucket")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_queues_and_tables_in_the_environment_are_those_a_function_may_use(function):
    named = own_variables(function)
    queues = {text(value) for name, value in named.items() if name.endswith("_QUEUE")}
    by_lambda = {"IngestQueue", "NotifyDeadLetters"}  # for the function: what it failed with
    assert queues == {one.split(".")[0] for one in may(function, "sqs:SendMessage")} - by_lambda
    has_keys = any(one.startswith("KeysTable") for item in statements(function) for one in item["Resource"])
    assert ("KINORA_KEYS_TABLE" in named) == has_keys
