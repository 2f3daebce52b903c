"""How many trainings go at a time, and with how many threads: on GPUs one on each, else one in each process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from para.experiments import training_jobs
from para.experiments.run import RunOptions, plan_run
from para.experiments.training_jobs import TrainJob, train_all
from tests import sized_world


def jobs_of(folder: Path, monkeypatch, gpus: tuple[str, ...], workers: int) -> list[TrainJob]:
    """Those of two policies and two seeds, on a machine with these GPUs."""
    sized_world.register(monkeypatch)
    monkeypatch.setattr("para.devices.gpus", lambda: gpus)
    monkeypatch.setattr(training_jobs, "gpus", lambda: gpus)
    recipes = ("para", "act")
    return plan_run(RunOptions("left_to_right", folder, "fake", "tiny", 2, recipes, workers)).jobs


@pytest.mark.parametrize(("gpus", "processes"), [((), 3), (("0",), 1), (("0", "1"), 2)])
def test_trainings_have_a_gpu_each_or_a_process_each_where_there_is_none(tmp_path, monkeypatch, gpus, processes):
    class Pool(Exception):
        pass

    def worker_pool(workers, start=None, *, gpus=()):
        raise Pool(workers, gpus)

    monkeypatch.setattr(training_jobs, "worker_pool", worker_pool)
    with pytest.raises(Pool) as made:
        train_all(jobs_of(tmp_path, monkeypatch, gpus, 8)[:3], workers=8)
    assert made.value.args == (processes, gpus)


@pytest.mark.parametrize("gpus", [(), ("0",)])
def test_one_training_and_those_without_other_processes_are_done_in_this_one(tmp_path, monkeypatch, gpus):
    done = []
    monkeypatch.setattr(training_jobs, "train_one", done.append)
    jobs = jobs_of(tmp_path, monkeypatch, gpus, 8)
    train_all(jobs[:1], workers=8)
    train_all(jobs, workers=0)
    assert done == [jobs[0], *jobs]


@pytest.mark.parametrize(("gpus", "threads"), [((), 1), (("0",), 4), (("0", "1"), 2)])
def test_a_training_has_its_share_of_the_threads_among_those_beside_it(tmp_path, monkeypatch, gpus, threads):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert {job.n_threads for job in jobs_of(tmp_path, monkeypatch, gpus, 4)} == {threads}
