"""The real world in processes of its own: a run that is killed at any moment goes on and ends as if it never was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from para.evaluation.results import read_results

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "para.cli", "experiment", "left_to_right", "--scale", "tiny", "--workers", "2"]
COMMAND += ["--policies", "para", "act", "--out"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
PATIENCE_S = 900.0
"""On a machine that does other work as well."""


def start(out: Path) -> subprocess.Popen:
    """The command, in a group of its own so that whatever it leaves behind can be found."""
    log = open(out.with_suffix(".log"), "ab")
    return subprocess.Popen(
        [*COMMAND, str(out)],
        stdout=log,
        stderr=log,
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts() -> None:
    """A shell starts its background jobs deaf to Ctrl-C, and what they start inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(out: Path) -> str:
    """Run the command to its end. Returns what it said."""
    done = subprocess.run(
        [*COMMAND, str(out)], capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def group_is_empty(leader: int) -> bool:
    """Whether no process of that group runs any more; the dead that nobody has waited for do not count."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rsplit(")", 1)[1].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(group) == leader and state != "Z":
            return False
    return True


def wait_until(condition: Callable[[], bool], process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process is None or process.poll() is None, "the run ended before the moment came"
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.02)


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "recording": lambda out: any(out.glob("demonstrations/data/*/*.parquet")),
    "training": lambda out: any(out.glob("checkpoints/*/seed0")),
    "evaluating": lambda out: n_lines(out / "results.jsonl") >= 3,
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    finish(out)
    return out


def numbers_of(out: Path) -> tuple[list, list, list]:
    """Rows, comparisons, and the records but for how long they took."""
    summary = json.loads((out / "summary.json").read_text())
    records = [record.to_dict() | {"seconds": 0.0} for record in read_results(out / "results.jsonl")]
    return summary["rows"], summary["comparisons"], records


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("recording", signal.SIGKILL),
        ("training", signal.SIGKILL),
        ("evaluating", signal.SIGKILL),
        ("training", signal.SIGINT),
    ],
)
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_numbers(undisturbed, tmp_path, moment, number):
    out = tmp_path / "run"
    process = start(out)
    wait_until(lambda: MOMENTS[moment](out), process)
    process.send_signal(number)
    process.wait(timeout=PATIENCE_S)
    wait_until(lambda: group_is_empty(process.pid))
    assert not (out / "summary.json").exists(), "the moment was missed"
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on from here" in out.with_suffix(".log").read_text()
    finish(out)
    assert numbers_of(out) == numbers_of(undisturbed)


def test_the_command_says_what_it_does_and_ends_with_the_table(undisturbed):
    said = finish(undisturbed)
    assert "left to do: " in said and "para - act, test" in said and "95% interval" in said
    assert str(undisturbed / "report.html") in said


def test_what_a_run_writes_names_no_folder_of_this_machine_but_its_own(undisturbed):
    config = (undisturbed / "config.json").read_text()
    assert str(Path(__file__).parents[2]) not in config
