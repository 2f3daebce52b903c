"""What training needs to go on after an interruption: two generations of weights, average and optimiser state.

A generation is a folder that gets its name when it is complete, and the one before it is kept, so that a kill at any
moment leaves a good one.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from para.files import read_json, write_json
from para.locks import LOCK_FILE, only_writer
from para.training.checkpoint import load_weights
from para.training.ema import WeightAverage
from para.training.files import commit, read_tensors, write_tensors

STATE_FOLDER = "training_state"
N_GENERATIONS = 2

log = logging.getLogger(__name__)


class Training(NamedTuple):
    """The parts of a run that change with each step."""

    policy: nn.Module
    optimizer: torch.optim.Optimizer
    parameter_names: list[str]
    """In the order of the optimiser's groups."""
    average: WeightAverage | None


def save_state(folder: Path, training: Training, values: dict[str, Any]) -> None:
    """Write a generation; `values` (JSON-ready) must have "step", the number of steps done."""
    root = folder / STATE_FOLDER
    root.mkdir(parents=True, exist_ok=True)
    partial = root / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        write_tensors(partial / "weights.safetensors", training.policy.state_dict())
        write_tensors(partial / "optimizer.safetensors", _optimizer_tensors(training))
        if training.average is not None:
            write_tensors(partial / "average.safetensors", training.average.average)
        write_json(partial / "state.json", values)
        generation = root / f"step_{values['step']:09d}"
        if generation.exists():
            shutil.rmtree(generation)
        commit(partial, generation)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in generations(folder)[N_GENERATIONS:]:
        shutil.rmtree(old)


def going_on_with(values: Mapping[str, Any], threads: int, processes: int) -> int:
    """How many threads a saved training goes on with: as many as it began with, where the machine has them.

    Args:
        values: as saved; older ones tell neither.
        threads, processes: as they would be now.

    Raises:
        ValueError: for another number of processes, each of which draws its own random numbers.
    """
    if (began := values.get("processes", processes)) != processes:
        raise ValueError(
            f"step {values['step']} was reached on {began} processes; on {processes} training would go on with other "
            f"random numbers: start as many, or choose another folder"
        )
    began = values.get("threads", threads)
    return began if began <= (os.cpu_count() or 1) else threads


def only_trainer(folder: Path) -> AbstractContextManager[None]:
    """Be the only process that trains in a folder. The lock lies with the state, and goes with it at the end.

    Raises:
        ValueError: on entering, if another process does; it says which.
    """
    return only_writer(folder, folder / STATE_FOLDER / LOCK_FILE)


def generations(folder: Path) -> list[Path]:
    """Complete generations, the newest first."""
    return sorted((folder / STATE_FOLDER).glob("step_*"), reverse=True)


def read_state(folder: Path) -> dict[str, Any] | None:
    """The `values` of the newest generation that can be read, or None where there is none."""
    for generation in generations(folder):
        try:
            return read_json(generation / "state.json")
        except (ValueError, FileNotFoundError) as error:
            log.warning("skipping a damaged training state: %s", error)
    return None


def restore_state(folder: Path, training: Training) -> dict[str, Any] | None:
    """Put the newest readable generation into a run.

    Returns:
        Its `values`, or None where there is none to go on from.
    """
    for generation in generations(folder):
        try:
            values = read_json(generation / "state.json")
            weights = read_tensors(generation / "weights.safetensors")
            optimizer = read_tensors(generation / "optimizer.safetensors")
            average = read_tensors(generation / "average.safetensors") if training.average is not None else None
        except (ValueError, FileNotFoundError) as error:
            log.warning("skipping a damaged training state: %s", error)
            continue
        load_weights(training.policy, weights, str(generation))
        _load_optimizer(training, optimizer)
        if training.average is not None:
            training.average.load(average)
        return values
    return None


def remove_state(folder: Path) -> None:
    """Training is finished: nothing to go on from."""
    shutil.rmtree(folder / STATE_FOLDER, ignore_errors=True)


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _optimizer_tensors(training: Training) -> dict[str, Tensor]:
    """Everything that the optimiser remembers of each parameter, as "<key>/<parameter>"."""
    tensors = {}
    for name, parameter in zip(training.parameter_names, _parameters(training.optimizer)):
        for key, value in training.optimizer.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = torch.as_tensor(value)
    return tensors


def _load_optimizer(training: Training, tensors: dict[str, Tensor]) -> None:
    by_name = dict(zip(training.parameter_names, _parameters(training.optimizer)))
    for full_name, tensor in tensors.items():
        key, name = full_name.split("/", 1)
        parameter = by_name[name]
        if key == "step":
            fused = training.optimizer.defaults.get("fused")
            training.optimizer.state[parameter][key] = tensor.to(parameter.device if fused else "cpu")
        else:
            # Fused kernels walk parameter and state side by side in memory, so the state needs the parameter's layout.
            training.optimizer.state[parameter][key] = torch.empty_like(parameter).detach().copy_(tensor)
