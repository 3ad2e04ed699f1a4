"""Reading a template into a plan: intrinsic functions, Globals, every kind of trigger."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinora.errors import InvalidInput, InvalidSetting
from kinora.local.intrinsics import Template, load_template, local_name
from kinora.local.plan import HttpTrigger, QueueTrigger, ScheduleTrigger
from kinora.local.reading import find_template, read_plan, seconds_of
from tests.unit.local.small_stack import small_plan


def template_of(tmp_path: Path, text: str) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return Template(load_template(path))


@pytest.mark.parametrize(
    ("logical", "local"),
    [
        ("ImageQueue", "image"),
        ("EncodeDeadLetters", "encode-dead-letters"),
        ("Queue", "queue"),
        ("SourceBucket", "source-bucket"),
    ],
)
def test_local_names(logical: str, local: str) -> None:
    assert local_name(logical) == local


def test_intrinsic_functions(tmp_path: Path) -> None:
    template = template_of(
        tmp_path,
        """
Parameters: { Size: { Type: String, Default: small }, Many: { Type: String, Default: "a,b" } }
Conditions:
  IsSmall: !Equals [!Ref Size, small]
  IsBig: !Not [!Condition IsSmall]
  Both: !And [!Condition IsSmall, !Condition IsBig]
  Either: !Or [!Condition IsSmall, !Condition IsBig]
Resources:
  Thing:
    Type: Test
    Properties:
      Sub: !Sub "${Size}-${AWS::Region}-${!Literal}-${Work.Arn}"
      SubMap: !Sub ["${Word}!", { Word: !Ref Size }]
      Chosen: !If [IsSmall, yes, no]
      Left: !If [Both, gone, !Ref AWS::NoValue]
      List: [one, !If [IsBig, two, !Ref AWS::NoValue]]
      Joined: !Join [":", [a, !Select [1, !Split [",", !Ref Many]]]]
      Either: !If [Either, 1, 2]
  Hidden: { Type: Test, Condition: IsBig }
  Work: { Type: AWS::SQS::Queue }
""",
    )
    assert template.resources("Test") == {
        "Thing": {
            "Sub": "small-local-${Literal}-arn:aws:sqs:local:000000000000:work",
            "SubMap": "small!",
            "Chosen": True,
            "List": ["one"],
            "Joined": "a:b",
            "Either": 1,
        }
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Resources: { A: { Type: T, Properties: { X: !Ref Missing } } }", "Missing"),
        ("Resources: { A: { Type: T, Properties: { X: !ImportValue other } } }", "Fn::ImportValue"),
    ],
)
def test_what_cannot_be_evaluated_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InvalidSetting, match=named):
        template_of(tmp_path, text).resources("T")


@pytest.mark.parametrize("text", ["Resources: [", "just text", "{}"])
def test_what_is_no_template_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(InvalidSetting):
        read_plan(tmp_path / "template.yaml")


def test_a_missing_template_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="nowhere"):
        find_template(str(tmp_path / "nowhere.yaml"))


def test_functions_have_their_globals(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    image = plan.functions["ImageFunction"]
    assert (image.timeout, image.memory, image.handler) == (1, 128, "handler.handler")
    assert image.code == tmp_path / "functions" / "image"
    assert image.environment == {"KINORA_SOURCE_BUCKET": "kinora-source", "KINORA_IMAGE_QUEUE": "image", "GREETING": "image"}
    assert (plan.functions["IngestFunction"].retries, plan.functions["IngestFunction"].dead_letters) == (
        1,
        "ingest-dead-letters",
    )
    assert plan.functions["NotifyFunction"].timeout == 5


def test_triggers(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    (uploads,) = plan.s3
    assert uploads.bucket == "kinora-source"
    assert uploads.matches("ObjectCreated:Put", "uploads/a.MOV")
    assert uploads.matches("ObjectRemoved:DeleteMarkerCreated", "uploads/a")
    assert not uploads.matches("ObjectCreated:Put", "elsewhere/a")
    assert not uploads.matches("ObjectTagging:Put", "uploads/a")
    assert plan.queue == (QueueTrigger("ImageFunction", "image", 4, True), QueueTrigger("ImageFunction", "encode", 1, False))
    (stream,) = plan.stream
    assert (stream.function, stream.table, stream.retries, stream.dead_letters) == (
        "NotifyFunction",
        "jobs-table",
        1,
        "notify-dead-letters",
    )
    assert plan.schedule == (ScheduleTrigger("NotifyFunction", "Daily", 86400),)


def test_queues_have_their_redrive_policy(tmp_path: Path) -> None:
    queues = {queue.name: queue for queue in small_plan(tmp_path).queues}
    image = queues["image"]
    assert (image.visibility_timeout, image.max_receive_count, image.dead_letter_queue) == (30, 2, "image-dead-letters")
    assert queues["image-dead-letters"].dead_letter_queue is None


def test_a_function_is_found_by_name_and_by_folder(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    assert plan.function("image") is plan.function("ImageFunction")
    with pytest.raises(InvalidInput) as caught:
        plan.function("picture")
    assert "ImageFunction" in caught.value.public_message


@pytest.mark.parametrize(("text", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 days)", 172800)])
def test_rates(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


def test_other_schedules_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="cron"):
        seconds_of("cron(0 0 * * ? *)")


def test_the_checkouts_own_template_is_found_and_read() -> None:
    plan = read_plan(find_template())
    assert (plan.template.parent / "functions").is_dir()
    assert all((function.code / "handler.py").is_file() for function in plan.functions.values())
    assert plan.http == (HttpTrigger("ApiFunction", "any", "$default"),)
