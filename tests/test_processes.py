"""Worker processes end with the process that started them: at its end, at an exception, and when it is killed."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from para.cli import main as main_of_para
from para.processes import WorkerDied, worker_pool

SLOW_S = 240.0


def note(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()


def work(folder: str, seconds: float = 0.0) -> int:
    note(folder)
    time.sleep(seconds)
    return os.getpid()


def gpus_seen(folder: str, n: int) -> str | None:
    """What a process sees, once so many work."""
    note(folder)
    wait_for(lambda: len(list(Path(folder).iterdir())) == n)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def faults_in_a_thread(passes: int) -> int:
    """Pages faulted in when a thread, as autograd's, takes and frees 100 MB again and again, as training steps do."""
    counted = []

    def take() -> None:
        blocks = [torch.ones((1 + i % 4) << 18) for i in range(40)]
        while blocks:
            blocks.pop()

    def run() -> None:
        for _ in range(passes):  # the heap finds its shape
            take()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(passes):
            take()
        counted.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return counted[0]


def wait_for(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_results_come_back_from_other_processes(tmp_path):
    with worker_pool(1) as pool:
        assert pool.submit(work, str(tmp_path)).result() != os.getpid()


@pytest.mark.parametrize(("gpus", "seen"), [(("4", "GPU-b"), ["4", "4", "GPU-b"]), ((), ["7", "7", "7"])])
def test_gpus_are_dealt_out_in_turn_and_where_there_are_none_nothing_changes(tmp_path, monkeypatch, gpus, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with worker_pool(3, gpus=gpus) as pool:
        told = [pool.submit(gpus_seen, str(tmp_path), 3) for _ in range(3)]
        assert sorted(future.result() for future in told) == seen


def test_a_worker_that_dies_is_told_in_one_line_that_says_how_to_go_on(monkeypatch, capsys):
    with pytest.raises(WorkerDied, match="fewer --workers"), worker_pool(1) as pool:
        pool.submit(os._exit, 9).result()

    def died(_):
        with worker_pool(1) as pool:
            pool.submit(os._exit, 9).result()

    monkeypatch.setattr("para.commands.Doctor.run", died)
    with pytest.raises(SystemExit) as stop:
        main_of_para(["doctor"])
    said = capsys.readouterr().err
    assert (stop.value.code, said.count("\n")) == (1, 1) and said.startswith("para: a process that did a part")


def test_an_exception_ends_the_workers_at_once_and_drops_what_waits(tmp_path):
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), worker_pool(1) as pool:
        for _ in range(5):
            pool.submit(work, str(tmp_path), SLOW_S)
        wait_for(lambda: any(tmp_path.iterdir()))
        raise KeyboardInterrupt
    assert time.monotonic() - started < SLOW_S
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the states of processes from /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    code = f"from tests.test_processes import main; main({str(tmp_path)!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert all(is_running(pid) for pid in workers)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(is_running(pid) for pid in workers), seconds=60.0)


def main(folder: str) -> None:
    """The parent that gets killed."""
    with worker_pool(2) as pool:
        for future in [pool.submit(work, folder, SLOW_S) for _ in range(2)]:
            future.result()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="malloc is not glibc's")
def test_memory_that_a_worker_frees_is_taken_again_without_a_page_fault():
    with worker_pool(1) as pool:
        assert pool.submit(faults_in_a_thread, 4).result() < 500  # of 102 400 pages
