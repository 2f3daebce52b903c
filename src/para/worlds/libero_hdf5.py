"""LIBERO's own demonstrations: HDF5 files in robomimic's layout, one per task.

    data                      attributes: bddl_file_name, problem_info, num_demos, ...
    data/demo_<i>             attributes: num_samples, model_file (the scene's XML)
    data/demo_<i>/states      (N, S) simulator states [time, qpos, qvel] before each action
    data/demo_<i>/actions     (N, 7) of OSC_POSE; the last: -1 opens, 1 closes
    data/demo_<i>/obs/...     agentview_rgb (N, H, W, 3) upside down, ee_pos, gripper_states, joint_states

In LIBERO's files the observations are from after the action, so that picture j goes with state j + 1; in files that
OpenVLA's script has replayed they are from before it. Which it is, is told from the joints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from para.worlds.libero_package import object_names
from para.worlds.libero_recordings import Recording, in_our_frame, is_spatial, opening

SUFFIXES = (".hdf5", ".h5")

JOINTS = slice(1, 8)
"""Of a simulator state: the arm's, after the time."""


@dataclass(frozen=True)
class Demonstration:
    """One demonstration of a file, everything checked."""

    name: str
    """For messages and records: file and group."""

    task: str
    """In words."""

    task_file: str
    """Name of the task's BDDL file, without its suffix."""

    objects: tuple[str, ...]
    """LIBERO's names of the movable objects, in the order of the state; empty where the file does not say."""

    states: np.ndarray
    """(N, S) float64 simulator states before each action."""

    command: np.ndarray
    """(N,) commanded opening of each action, 0 or 1."""

    model_file: str
    """The scene's XML, which says where the furniture stands; may be empty."""

    succeeded: bool
    """What the file says of its end."""

    stored: Recording | None
    """Its own pictures with what belongs to them, or None where it has none."""


def hdf5_files(source: Path) -> list[Path]:
    """The files of libero_spatial's tasks that a path means: itself, or those in a folder.

    Raises:
        FileNotFoundError: where there is none.
    """
    if source.is_file():
        return [source]
    files = sorted(path for suffix in SUFFIXES for path in source.glob(f"*{suffix}")) if source.is_dir() else []
    spatial = [path for path in files if is_spatial(path.stem)]
    if not spatial:
        found = f"{len(files)} HDF5 files of other tasks" if files else "no HDF5 file"
        raise FileNotFoundError(f"{source}: {found}; a file of libero_spatial, or a folder of them, is needed")
    return spatial


def count_demonstrations(path: Path) -> int:
    """How many a file holds. Raises as `read_demonstrations` does."""
    with _opened(path) as file:
        return len(_names(file["data"], path))


def read_demonstrations(path: Path) -> Iterator[Demonstration]:
    """The demonstrations of a file, in the order of their numbers.

    Raises:
        ImportError: where h5py is missing.
        FileNotFoundError: where there is no such file.
        ValueError: where it is truncated, of another layout or task, or has wrong shapes or numbers; in one line.
    """
    with _opened(path) as file:
        data = file["data"]
        task_file = Path(_text(data.attrs.get("bddl_file_name", path.stem.removesuffix("_demo")))).stem
        if not is_spatial(task_file):
            raise ValueError(f"{path} is of the task '{task_file}', which is not of libero_spatial: another scene")
        shared = {
            "task": _words(data.attrs.get("problem_info"), task_file),
            "task_file": task_file,
            "objects": _objects(_text(data.attrs.get("bddl_file_content", ""))),
        }
        for name in _names(data, path):
            try:
                yield _read_one(data[name], f"{path.name}/{name}", shared)
            except OSError as error:  # a file that was cut short opens, and fails where it ends
                raise ValueError(f"{path} is damaged at {name} ({_short(error)}); copy it again") from error


@contextmanager
def _opened(path: Path):
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ImportError("LIBERO's demonstrations are HDF5: pip install h5py") from error
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; LIBERO's own downloader brings its demonstrations")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} is no complete HDF5 file ({_short(error)}); copy it again") from error
    with file:
        if "data" not in file:
            raise ValueError(f"{path} has no group 'data' (it has {sorted(file)}); LIBERO's files have data/demo_0 ...")
        yield file


def _names(data: Any, path: Path) -> list[str]:
    """demo_0, demo_1, ... of a file."""
    names = [name for name in data if name.startswith("demo_") and name[5:].isdigit()]
    if not names:
        raise ValueError(f"{path} has no demonstration under 'data'; LIBERO's files have data/demo_0 ...")
    return sorted(names, key=lambda name: int(name[5:]))


def _read_one(group: Any, name: str, shared: dict[str, Any]) -> Demonstration:
    states, actions = _array(group, "states", name, 2), _array(group, "actions", name, 2)
    N = len(states)
    if actions.shape != (N, 7) or N == 0 or states.shape[1] <= JOINTS.stop + 2:
        raise ValueError(
            f"{name} has states {states.shape} and actions {actions.shape}; (N, 1 + nq + nv) and (N, 7) are needed"
        )
    ends = [np.asarray(group[key]).reshape(-1)[-1:] for key in ("rewards", "dones") if key in group]
    command = _commanded(actions[:, 6])
    model_file = _text(group.attrs.get("model_file", ""))
    stored = _stored(group, name, states, command, shared["task"])
    succeeded = not ends or bool(any(end.any() for end in ends))
    return Demonstration(
        name, **shared, states=states, command=command, model_file=model_file, succeeded=succeeded, stored=stored
    )


def _stored(group: Any, name: str, states: np.ndarray, command: np.ndarray, task: str) -> Recording | None:
    """The file's own pictures, each with the command that came after it."""
    if "obs" not in group or "agentview_rgb" not in group["obs"]:
        return None
    obs = group["obs"]
    frames = np.asarray(obs["agentview_rgb"])
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or len(frames) != len(states):
        raise ValueError(
            f"{name} has agentview_rgb {frames.shape} {frames.dtype}; ({len(states)}, H, W, 3) uint8 is needed"
        )
    ee_position, fingers, joints = (_array(obs, key, name, 2) for key in ("ee_pos", "gripper_states", "joint_states"))
    shapes = (ee_position.shape, fingers.shape, joints.shape)
    if shapes != ((len(states), 3), (len(states), 2), (len(states), 7)):
        raise ValueError(
            f"{name} has ee_pos, gripper_states and joint_states of {shapes}; (N, 3), (N, 2), (N, 7) are needed"
        )
    if _is_after_the_action(states, joints):
        command = np.append(command[1:], command[-1:])
    return Recording(frames, in_our_frame(ee_position), opening(fingers), command, task)


def _commanded(entry: np.ndarray) -> np.ndarray:
    """(N,) robosuite's gripper action, of which -1 opens, 1 closes and 0 lets it rest, as openings 0 or 1."""
    told = np.maximum.accumulate(np.where(entry != 0, np.arange(len(entry)), -1))  # when it was last told something
    return np.where(told < 0, 1.0, entry[told] < 0)


def _is_after_the_action(states: np.ndarray, joints: np.ndarray) -> bool:
    """Whether observation j was made after action j, in state j + 1."""
    before = np.abs(joints - states[:, JOINTS]).mean()
    after = np.abs(joints[:-1] - states[1:, JOINTS]).mean() if len(states) > 1 else np.inf
    return bool(after < before)


def _array(group: Any, key: str, name: str, ndim: int) -> np.ndarray:
    if key not in group:
        raise ValueError(f"{name} lacks '{key}' (it has {', '.join(sorted(group))}); LIBERO's demonstrations have it")
    values = np.asarray(group[key])
    if values.ndim != ndim or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} has {key} of shape {values.shape} and type {values.dtype}; {ndim} axes of numbers are needed"
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has {key} that are not finite; drop that demonstration, or copy the file again")
    return values


def _objects(task_text: str) -> tuple[str, ...]:
    try:
        return tuple(object_names(task_text))
    except (KeyError, IndexError, ValueError):  # no task in it
        return ()


def _words(problem_info: Any, task_file: str) -> str:
    """The instruction in words, from the file's JSON or else from the task's name."""
    try:
        words = json.loads(_text(problem_info))["language_instruction"]
    except (ValueError, KeyError, TypeError):
        words = task_file.replace("_", " ")
    return " ".join(words) if isinstance(words, list) else str(words).strip('"')


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
