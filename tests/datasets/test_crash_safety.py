"""Killed at any moment, a dataset keeps every completed episode and can be gone on with."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from para.datasets import DatasetError, DatasetWriter, Demonstrations, check_dataset
from para.datasets import lerobot_v3_write as write_module
from para.files import write_atomic
from tests.datasets.fake_world import IMAGE_SIZE, random_episode
from tests.datasets.test_round_trip import assert_equal_episodes

WRITES_PER_EPISODE = 6  # video, frames, tasks, metadata, statistics, info; tasks only for a new one


class Killed(BaseException):
    """Stands for a process that ends here: nothing of it may be caught."""


def killed_at(monkeypatch, call: int, *, after_writing: bool) -> None:
    calls = 0

    def dying(path, content):
        nonlocal calls
        calls += 1
        if calls == call and not after_writing:
            raise Killed
        write_atomic(path, content)
        if calls == call:
            raise Killed

    monkeypatch.setattr(write_module, "write_atomic", dying)


@pytest.mark.parametrize("after_writing", [False, True])
@pytest.mark.parametrize("call", range(1, WRITES_PER_EPISODE + 1))
def test_a_kill_at_any_write_keeps_the_finished_episodes_and_the_writer_goes_on(
    tmp_path, monkeypatch, call, after_writing
):
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(random_episode(0))
        writer.add(random_episode(1))
        killed_at(monkeypatch, call, after_writing=after_writing)
        with pytest.raises(Killed):
            writer.add(random_episode(2), task="another task")  # so that the tasks are written too
        monkeypatch.undo()
    committed = 3 if call == WRITES_PER_EPISODE and after_writing else 2
    d = Demonstrations.open(tmp_path)
    assert d.n_episodes == committed
    for i in range(committed):
        assert_equal_episodes(d.episode(i), random_episode(i))
    with DatasetWriter.open_or_create(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        assert writer.n_episodes == committed
        assert check_dataset(tmp_path) == []  # what was begun is cleaned away
        writer.add(random_episode(7, N=3))
    assert_equal_episodes(Demonstrations.open(tmp_path).episode(committed), random_episode(7, N=3))
    assert check_dataset(tmp_path) == []


@pytest.mark.parametrize("call", range(1, WRITES_PER_EPISODE + 1))
def test_a_full_disk_is_one_clear_error_and_leaves_the_dataset_as_it_was(tmp_path, monkeypatch, call):
    real_open, calls = open, 0

    def full(path, mode="r", *args, **kwargs):
        nonlocal calls
        if mode == "wb" and str(path).endswith(".tmp"):
            calls += 1
            if calls == call:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real_open(path, mode, *args, **kwargs)

    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(random_episode(0))
        monkeypatch.setattr("builtins.open", full)
        with pytest.raises(OSError, match="disk is full") as raised:
            writer.add(random_episode(1), task="another task")
        monkeypatch.undo()
        assert raised.value.errno == errno.ENOSPC
        writer.add(random_episode(2))  # after space was freed, the same writer goes on
    d = Demonstrations.open(tmp_path)
    assert d.n_episodes == 2
    assert_equal_episodes(d.episode(0), random_episode(0))
    assert_equal_episodes(d.episode(1), random_episode(2))


def kill_writers(root: Path, n: int, snapshots: Path) -> None:
    """Start writers that together make n episodes, kill each at a random moment, and copy what it left.

    Runs in a process of its own that imports everything and then only forks, so that a writer starts at once. Each
    is killed some milliseconds after it finished an episode, so that the test makes progress on any machine.
    """
    rng = np.random.default_rng(0)
    for kill in range(1000):
        pid = os.fork()
        if pid == 0:
            try:
                write_up_to(root, n)
            finally:
                os._exit(0)  # a forked child must not go on as its parent
        before, alive = finished_episodes(root), True
        while alive and finished_episodes(root) <= before:
            alive = os.waitpid(pid, os.WNOHANG)[0] == 0
            time.sleep(0.001)
        if not alive or finished_episodes(root) >= n:
            break
        time.sleep(float(rng.uniform(0, 0.04)))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        shutil.copytree(root, snapshots / str(kill))


def write_up_to(root: Path, n: int) -> None:
    with DatasetWriter.open_or_create(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        while writer.n_episodes < n:
            writer.add(random_episode(writer.n_episodes, N=2))


def finished_episodes(root: Path) -> int:
    path = root / "meta/info.json"
    return json.loads(path.read_text())["total_episodes"] if path.exists() else 0


def test_sigkill_at_random_moments_loses_no_finished_episode(tmp_path):
    root, snapshots, n = tmp_path / "dataset", tmp_path / "snapshots", 10
    process = multiprocessing.get_context("spawn").Process(target=kill_writers, args=(root, n, snapshots))
    process.start()
    process.join(timeout=300)
    finished = process.exitcode == 0
    process.kill()
    assert finished
    left = [snapshots / str(kill) for kill in range(len(list(snapshots.iterdir())))]
    assert len(left) >= 3
    counts = [finished_episodes(folder) for folder in left]
    assert counts == sorted(counts) and counts[0] >= 1
    for folder, count in zip(left, counts):
        d = Demonstrations.open(folder)
        assert d.n_episodes == count
        for i in range(count):
            assert_equal_episodes(d.episode(i), random_episode(i, N=2))
    write_up_to(root, n)
    assert Demonstrations.open(root).n_episodes == n
    assert check_dataset(root) == []


def test_a_second_writer_is_refused_while_the_first_is_open(tmp_path):
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE) as writer:
        writer.add(random_episode(0))
        with pytest.raises(DatasetError, match="being written by another process"):
            DatasetWriter.open_or_create(tmp_path, image_size=IMAGE_SIZE)
    DatasetWriter.open_or_create(tmp_path, image_size=IMAGE_SIZE).close()


def test_a_writer_killed_before_its_first_info_can_start_again(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/.writer.lock").touch()
    (tmp_path / "meta/.info.json.tmp").write_text("{")
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE) as writer:
        writer.add(random_episode(0))
    assert Demonstrations.open(tmp_path).n_episodes == 1
