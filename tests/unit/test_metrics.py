"""Metrics of one machine: kept, added up over processes, shown. What runs in a house is counted by the use cases."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kinora.api.exposition import exposed_name, exposition
from kinora.metrics.base import JOBS, METRICS, REQUEST_SECONDS, REQUESTS, RESPONSE_BYTES, TASK_CPU_SECONDS, TASKS, Unit
from kinora.metrics.emf import EmbeddedMetrics
from kinora.metrics.sqlite import SqliteMetrics
from kinora.queues.base import QueueBacklog, QueueDepth
from tests.house import house
from tests.pictures import picture

ROOT = Path(__file__).parents[2]
HTTP = {"method": "GET", "route": "/x/{y}", "status": "200"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counts.db"


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_values_of_all_processes_add_up(path: Path) -> None:
    ours = SqliteMetrics(path)
    ours.record({JOBS: 1}, kind="image", state="ready")
    program = (
        "import sys, os, pathlib; from kinora.metrics.base import JOBS; from kinora.metrics.sqlite import SqliteMetrics\n"
        "SqliteMetrics(pathlib.Path(sys.argv[1])).record({JOBS: 2}, kind='image', state='ready'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -9
    assert [(one.labels, one.total) for one in ours.read()[JOBS]] == [(("image", "ready"), 3.0)]
    ours.close()


def test_what_may_wait_is_written_when_somebody_reads_or_at_the_end(path: Path) -> None:
    metrics = SqliteMetrics(path)
    metrics.record_soon({REQUESTS: 1}, **HTTP)
    assert not path.exists()
    assert metrics.read()[REQUESTS][0].total == 1
    metrics.record_soon({REQUESTS: 1}, **HTTP)
    metrics.close()
    assert SqliteMetrics(path).read()[REQUESTS][0].total == 2


def test_a_store_that_cannot_be_written_fails_nobody_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    metrics = SqliteMetrics(folder / "counts.db")
    metrics.record({REQUESTS: 1}, **HTTP)
    folder.unlink()
    metrics.record({REQUESTS: 1}, **HTTP)
    assert metrics.read()[REQUESTS][0].total == 2
    metrics.close()


def test_the_text_is_what_prometheus_reads(path: Path) -> None:
    metrics = SqliteMetrics(path)
    for seconds in (0.005, 0.02, 99.0):
        metrics.record({REQUEST_SECONDS: seconds, RESPONSE_BYTES: 10, REQUESTS: 1}, **HTTP | {"route": 'a"\\\n'})
    text = exposition(metrics.read(), [QueueBacklog("image", QueueDepth(2, 1, 0), 1.5)])
    metrics.close()
    labels = 'method="GET",route="a\\"\\\\\\n"'
    assert f'kinora_http_requests_total{{{labels},status="200"}} 3' in lines(text)
    assert f"kinora_http_response_bytes_total{{{labels}}} 30" in lines(text)
    assert f'kinora_http_request_seconds_bucket{{{labels},le="0.005"}} 1' in lines(text)
    assert f'kinora_http_request_seconds_bucket{{{labels},le="30"}} 2' in lines(text)
    assert f'kinora_http_request_seconds_bucket{{{labels},le="+Inf"}} 3' in lines(text)
    assert f"kinora_http_request_seconds_count{{{labels}}} 3" in lines(text)
    assert 'kinora_queue_messages{queue="image",state="in_flight"} 1' in lines(text)
    assert 'kinora_queue_oldest_seconds{queue="image"} 1.5' in lines(text)
    assert "# TYPE kinora_http_request_seconds histogram\n" in text
    assert text.endswith("\n")


def test_on_aws_a_line_has_the_labels_as_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    EmbeddedMetrics("stack").record({REQUESTS: 1, REQUEST_SECONDS: 0.25, RESPONSE_BYTES: 7}, **HTTP)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {}
    for line in written:
        (told,) = line["_aws"]["CloudWatchMetrics"]
        for metric in told["Metrics"]:
            found[metric["Name"]] = (metric["Unit"], line[metric["Name"]], {name: line[name] for name in told["Dimensions"][0]})
        assert told["Namespace"] == "Kinora"
    route = {"method": "GET", "route": "/x/{y}", "service": "stack"}
    assert found == {
        "http_requests": ("Count", [1.0], route | {"status": "200"}),
        "http_request_seconds": ("Seconds", [0.25], route),
        "http_response_bytes": ("Bytes", [7.0], route),
    }


def test_work_is_counted_by_what_does_it(tmp_path: Path) -> None:
    with house(tmp_path, image_variants="thumb=8") as home:
        home.ingest(home.put("a.jpg", picture()), home.put("broken.jpg", picture()[:200]), home.put("x.txt", b"words"))
        home.work()
        found = home.services.metrics_reader.read()
        tasks = {one.labels: one.total for one in found[TASKS]}
        jobs = {one.labels: one.total for one in found[JOBS]}
        assert tasks == {("image", "done"): 1, ("image", "failed"): 1}
        assert jobs == {("image", "ready"): 1, ("image", "failed"): 1, ("other", "failed"): 1}
        assert found[TASK_CPU_SECONDS][0].total > 0


def test_every_metric_is_documented_with_its_unit_and_labels() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (.*?) \| (\w+) \| (.*?) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    documented = {name: (cloud, kind, re.findall(r"`(\w+)`", labels)) for name, cloud, kind, labels in rows}
    suffix = {Unit.COUNT: "", Unit.SECONDS: "_seconds", Unit.BYTES: "_bytes"}
    expected = {
        exposed_name(one): (
            f"`{one.name}{suffix[one.unit]}` ({one.unit.value})",
            "histogram" if one.buckets else "counter",
            list(one.labels),
        )
        for one in METRICS
    }
    assert {name: row for name, row in documented.items() if not name.startswith("kinora_queue")} == expected
