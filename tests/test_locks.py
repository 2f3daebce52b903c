"""Two commands at once: what one of them writes, the other does not touch, and says who it is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from para import locks
from para.cli import main
from para.experiments import EXPERIMENTS
from para.experiments.run import RunOptions, run_experiment
from para.locks import check_free, only_writer, turn_to_write
from tests import sized_world

HOLD = """
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("locks", sys.argv[1])  # by itself, since all of para takes seconds
locks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(locks)
with getattr(locks, sys.argv[2])(pathlib.Path(sys.argv[3])):
    print("held", flush=True)
    time.sleep(600)
"""

Hold = Callable[[Callable, Path], subprocess.Popen]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Starts another process that holds a folder until it is killed."""
    with ExitStack() as stack:

        def start(how: Callable, folder: Path) -> subprocess.Popen:
            command = [sys.executable, "-c", HOLD, locks.__file__, how.__name__, str(folder)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert process.stdout.readline() == "held\n"
            return process

        yield start


def test_a_run_folder_that_another_process_holds_is_refused_and_says_who_it_is(hold, tmp_path):
    process = hold(only_writer, tmp_path)
    for take in (check_free, lambda folder: only_writer(folder).__enter__()):
        with pytest.raises(ValueError) as refusal:
            take(tmp_path)
        said = str(refusal.value)
        assert f"{tmp_path} is being written by process {process.pid} on {os.uname().nodename} since " in said
        assert "choose another --out" in said and "\n" not in said


def test_a_holder_that_is_killed_leaves_the_folder_free(hold, tmp_path):
    process = hold(only_writer, tmp_path)
    process.kill()
    process.wait()
    check_free(tmp_path)
    with only_writer(tmp_path), pytest.raises(ValueError, match=f"process {os.getpid()} on"):
        check_free(tmp_path)
    check_free(tmp_path)


def test_a_folder_that_never_had_a_lock_gets_none_from_a_check(tmp_path):
    check_free(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_makes_is_waited_for_with_one_line_and_a_kill_ends_the_wait(
    hold, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(locks, "PATIENCE_S", 0.01)
    entry = tmp_path / "checkpoints" / "para-1a2b" / "seed0"
    process = hold(turn_to_write, entry)
    timer = threading.Timer(0.3, process.kill)
    timer.start()
    with turn_to_write(entry):
        assert process.wait() < 0, "it began while the other was still at work"
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"waiting for {entry}, which is being made by process {process.pid} on ")
    assert not entry.exists(), "nothing is put into the folder itself"


def test_two_entries_of_one_shared_folder_are_made_side_by_side(hold, tmp_path, caplog):
    hold(turn_to_write, tmp_path / "para-1a2b" / "seed0")
    with turn_to_write(tmp_path / "para-1a2b" / "seed1"), turn_to_write(tmp_path / "act-3c4d" / "seed0"):
        assert caplog.records == []


def test_a_run_in_a_folder_that_is_held_changes_nothing_there(hold, tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    hold(only_writer, tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match="is being written by process"):
        run_experiment(RunOptions("left_to_right", tmp_path, world="fake", scale="tiny", workers=0))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("held", ["", "repairs"])
def test_all_is_refused_where_another_command_writes_the_whole_or_one_of_them(
    hold, tmp_path, monkeypatch, capsys, held
):
    sized_world.register(monkeypatch)
    monkeypatch.setattr("para.experiments.family.EXPERIMENTS", {"repairs": EXPERIMENTS["repairs"]})
    monkeypatch.setattr("para.experiments.plan.measure", lambda *_: pytest.fail("measured before it was refused"))
    process = hold(only_writer, tmp_path / held)
    with pytest.raises(SystemExit) as stop:
        main(["experiment", "all", "--world", "fake", "--scale", "tiny", "--workers", "0", "--out", str(tmp_path)])
    said = capsys.readouterr()
    assert stop.value.code == 2 and said.out == ""
    assert said.err.startswith(f"para: {tmp_path / held} is being written by process {process.pid} ")
    assert said.err.count("\n") == 1
