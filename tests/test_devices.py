"""Where policies compute and in how many processes: without a GPU as many as are asked for, on GPUs as many as fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from para import devices, doctor
from para.experiments import provenance
from para.rollout import predicted_chunk
from tests import tiny
from tests.conftest import random_batch
from tests.pretend_gpu import pretend_gpu

GB = 1 << 30


def see(monkeypatch, n: int, free: int = 100 * GB) -> None:
    """As if this machine had so many GPUs with so much memory free on the first, and twice that on the others."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: n > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: n)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda gpu: (free * (1 + (gpu > 0)), 1000 * GB))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize("workers", [0, 1, 8])
def test_without_a_gpu_policies_act_on_the_cpu_and_all_processes_train_and_act(monkeypatch, workers):
    see(monkeypatch, 0)
    assert devices.gpus() == () and devices.acting_device() == torch.device("cpu")
    assert devices.trainings_at_a_time(workers) == devices.acting_processes(workers, 10**15) == workers


@pytest.mark.parametrize(
    ("told", "names"), [(None, ("0", "1")), ("2,5", ("2", "5")), ("GPU-a, GPU-b", ("GPU-a", "GPU-b"))]
)
def test_gpus_have_the_names_by_which_a_process_can_be_shown_them(monkeypatch, told, names):
    see(monkeypatch, 2)
    if told is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert devices.gpus() == names and devices.acting_device() == torch.device("cuda")


def test_gpus_are_told_by_the_doctor_and_in_what_a_run_leaves_behind(monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_name", lambda gpu: "NVIDIA X")
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    see(monkeypatch, 2)
    assert "2 x NVIDIA X; policies train there" in doctor.accelerator()
    assert provenance.versions()["machine"].endswith(" CPUs, 2 x NVIDIA X")
    see(monkeypatch, 0)
    assert "no accelerator" in doctor.accelerator() and provenance.versions()["machine"].endswith(" CPUs")


@pytest.mark.parametrize(("n", "workers", "at_a_time"), [(1, 8, 1), (2, 8, 2), (4, 3, 3), (1, 0, 0)])
def test_on_gpus_as_many_train_at_a_time_as_there_are(monkeypatch, n, workers, at_a_time):
    see(monkeypatch, n)
    assert devices.trainings_at_a_time(workers) == at_a_time


@pytest.mark.parametrize(
    ("n", "free", "weights", "processes"),
    [
        (1, 80 * GB, 9 * GB, 4),  # 19 GB each
        (2, 80 * GB, 9 * GB, 8),  # the fullest of them counts
        (1, 12 * GB, 9 * GB, 1),  # does not fit, and says so itself
        (1, 80 * GB, 4 << 20, 8),  # as many as were asked for
    ],
)
def test_on_gpus_as_many_act_as_their_free_memory_has_room_for(monkeypatch, n, free, weights, processes):
    see(monkeypatch, n, free)
    assert devices.acting_processes(8, weights) == processes
    assert devices.acting_processes(0, weights) == 0


def test_what_is_pretended_to_be_on_a_gpu_mixes_with_nothing_else_and_is_not_read_by_numpy():
    here = torch.arange(3.0)
    with pretend_gpu():
        there = here.to("cuda")
        assert there.device.type == "cuda" and (2 * there[1:]).device.type == "cuda" and here.device.type == "cpu"
        assert torch.zeros(2, device=there.device).device == there.device == (there.float() + 1).device
        for refused in (lambda: here + there, lambda: torch.cat([there, here]), lambda: there.new_zeros(3) * here):
            with pytest.raises(RuntimeError, match="same device"):
                refused()
        for read in (there.numpy, lambda: np.asarray(there)):
            with pytest.raises(TypeError, match="to numpy"):
                read()
    assert torch.equal(there.cpu(), here)


@pytest.mark.parametrize("name", list(tiny.policy_configs()))
def test_a_policy_that_was_moved_acts_and_learns_as_on_the_cpu_without_a_tensor_left_behind(name):
    policy, (obs, actions) = tiny.build(tiny.policy_configs()[name]), random_batch()

    def loss(device: str) -> torch.Tensor:
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        total = policy.train().loss(obs.to(device), actions.to(device), generator=generator)["total"]
        total.backward()
        return total.detach()

    expected, expected_loss = policy.eval().act(obs), loss("cpu")
    policy.zero_grad()
    with pretend_gpu():
        policy.to("cuda")
        assert devices.device_of(policy).type == "cuda"
        chunk = predicted_chunk(policy.eval(), obs)
        np.testing.assert_array_equal(chunk.position.numpy(), expected.position.numpy())
        assert loss("cuda").item() == expected_loss.item()
