"""Worker processes: what a handler sees, and what it costs when it fails, hangs, crashes or answers too much."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinora.local.pool import WorkerProcess
from tests.unit.local.small_stack import single_function, wait_until

STEADY = "def handler(event, context): return event"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    with (tmp_path / "worker.log").open("ab") as log:
        process = WorkerProcess(log=log)
        yield process
        process.close()


def test_a_handler_sees_event_context_and_environment(worker: WorkerProcess, tmp_path: Path) -> None:
    function = single_function(
        tmp_path,
        """
        import os
        def handler(event, context):
            return {
                "event": event, "left": context.get_remaining_time_in_millis(), "name": context.function_name,
                "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn, "id": context.aws_request_id,
                "greeting": os.environ["GREETING"], "path": "PATH" in os.environ,
            }
        """,
    )
    seen = worker.invoke(function, {"a": [1, "é"]}, {"GREETING": "hello"}).response
    assert seen["event"] == {"a": [1, "é"]}
    assert 4000 < seen["left"] <= 5000
    assert (seen["name"], seen["memory"], seen["greeting"], seen["path"]) == ("only", 128, "hello", True)
    assert seen["arn"].endswith(":function:only")
    assert len(seen["id"]) == 36


def test_functions_in_one_process_share_neither_module_nor_environment(worker: WorkerProcess, tmp_path: Path) -> None:
    body = """
    import os
    count = 0
    def handler(event, context):
        global count
        count += 1
        return [__file__, count, os.environ.get("MINE"), os.getpid()]
    """
    one, two = single_function(tmp_path, body, name="one"), single_function(tmp_path, body, name="two")
    first = worker.invoke(one, {}, {"MINE": "1"}).response
    second = worker.invoke(two, {}, {}).response
    third = worker.invoke(one, {}, {"MINE": "1"}).response
    assert [first[1:3], second[1:3], third[1:3]] == [[1, "1"], [1, None], [2, "1"]]
    assert first[0] != second[0]
    assert first[3] == second[3] == third[3]


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("def handler(event, context): raise ValueError('no luck')", "ValueError", "no luck"),
        ("import sys\ndef handler(event, context): sys.exit(3)", "SystemExit", "3"),
        ("import missing_module", "ModuleNotFoundError", "missing_module"),
        ("def handler(event, context): return {1, 2}", "Runtime.MarshalError", "set"),
        ("def handler(event, context): return 'x' * (6 * 1024 * 1024 + 200)", "Function.ResponseSizeTooLarge", "exceeded"),
    ],
)
def test_failures_are_answers(worker: WorkerProcess, tmp_path: Path, body: str, kind: str, text: str) -> None:
    outcome = worker.invoke(single_function(tmp_path, body), {}, {})
    assert not outcome.is_ok
    assert outcome.error is not None
    assert outcome.error["errorType"] == kind
    assert text in outcome.error["errorMessage"]
    assert worker.invoke(single_function(tmp_path, STEADY, name="steady"), 1, {}).response == 1


def test_an_answer_just_below_the_limit_passes(worker: WorkerProcess, tmp_path: Path) -> None:
    function = single_function(tmp_path, "def handler(event, context): return 'x' * (6 * 1024 * 1024)")
    assert len(worker.invoke(function, {}, {}).response) == 6 * 1024 * 1024


def test_a_function_is_killed_at_its_timeout(worker: WorkerProcess, tmp_path: Path) -> None:
    hangs = single_function(
        tmp_path, "import time, signal\nsignal.signal(15, signal.SIG_IGN)\ndef handler(e, c): time.sleep(60)", timeout=1
    )
    begun = time.monotonic()
    outcome = worker.invoke(hangs, {}, {})
    assert 0.9 < time.monotonic() - begun < 5
    assert outcome.error is not None
    assert outcome.error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in outcome.error["errorMessage"]
    assert worker.invoke(single_function(tmp_path, STEADY, name="steady"), 2, {}).response == 2


@pytest.mark.parametrize(
    ("how", "ending"),
    [("os._exit(7)", "exit status 7"), ("os.kill(os.getpid(), 9)", "SIGKILL"), ("os.kill(os.getpid(), 11)", "SIGSEGV")],
)
def test_a_crash_costs_one_process(worker: WorkerProcess, tmp_path: Path, how: str, ending: str) -> None:
    crashes = single_function(tmp_path, f"import os\ndef handler(event, context): {how}")
    outcome = worker.invoke(crashes, {}, {})
    assert outcome.error is not None
    assert outcome.error["errorType"] == "Runtime.ExitError"
    assert ending in outcome.error["errorMessage"]
    assert worker.invoke(single_function(tmp_path, STEADY, name="steady"), 3, {}).response == 3


def test_what_a_handler_prints_goes_to_the_log(worker: WorkerProcess, tmp_path: Path) -> None:
    worker.invoke(single_function(tmp_path, "def handler(event, context): print('to the log')"), {}, {})
    assert "to the log" in (tmp_path / "worker.log").read_text()


def test_closing_ends_an_invocation_as_abandoned(worker: WorkerProcess, tmp_path: Path) -> None:
    hangs = single_function(tmp_path, "import time\ndef handler(event, context): time.sleep(60)", timeout=60)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(worker.invoke(hangs, {}, {})))
    thread.start()
    wait_until(lambda: worker.pid)
    worker.close()
    thread.join(5)
    assert outcomes[0].abandoned
    assert worker.invoke(hangs, {}, {}).abandoned


def test_a_worker_does_not_outlive_its_owner(tmp_path: Path) -> None:
    function = single_function(
        tmp_path, "import os, time\ndef handler(e, c):\n    print(os.getpid(), flush=True); time.sleep(60)", timeout=60
    )
    owner = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from kinora.local.plan import Function
        from kinora.local.pool import WorkerProcess
        WorkerProcess(log=sys.stdout).invoke(Function("only", Path({str(function.code)!r}), "handler.handler", 60, 128), {{}}, {{}})
    """)
    with subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not _is_alive(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return json.dumps(Path(f"/proc/{pid}/stat").read_text()).split(") ")[-1][0] != "Z"
