"""How a run came about: commands, versions, times; and what a second command on the same folder adds to that."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from para import __version__
from para.assets import told_of_both, with_own_entry
from para.devices import gpu_models
from para.evaluation.summary_text import UNFINISHED
from para.training.accelerators import is_fast_at_bfloat16


def provenance() -> dict[str, Any]:
    """How a run came about: the command, without machine paths; when; with which versions; and room for its times."""
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "seconds": {"record": 0.0, "train": 0.0},
        "data_hash": {},
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of everything that numbers may depend on."""
    from importlib.metadata import version

    packages = ("torch", "mujoco", "numpy", "accelerate", "av")
    machine = (platform.machine(), f"{os.cpu_count()} CPUs", gpu_models())
    python = {"para": __version__, "python": platform.python_version()}
    return (
        python
        | {name: version(name) for name in packages}
        | {"machine": ", ".join(filter(None, machine)), "precision": precision()}
    )


def precision() -> str:
    """In which number format policies train here."""
    import torch

    return "bfloat16" if is_fast_at_bfloat16(torch.cuda.is_available()) else "float32"


def continued(made: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """What a command on a folder that holds a part of the same run makes of its record: nothing of it is lost.

    Raises:
        ValueError: if a policy is now another, or executed otherwise, than in the records that are there, or the world
            is made of other assets, or demonstrations are of other scenes.
    """
    assets = told_of_both(with_own_entry(old).get("assets", ""), made.get("assets", ""))
    for what in ("policies", "execute", "learning_rates", "train_steps", "starts", "trainings"):
        before = old.get(what, {})
        for name, how in made.get(what, {}).items():
            if not agrees(before.get(name, how), how):
                raise ValueError(
                    f"the folder holds records of '{name}' made with {before[name]}, and it is now {how}; "
                    "choose another --out"
                )
    for name, scenes in made.get("training", {}).items():
        if old.get("training", {}).get(name, scenes) != scenes:
            raise ValueError(
                f"the folder holds records of demonstrations '{name}' of other scenes; choose another --out"
            )
    for what in ("starts", "trainings"):  # of runs that have such
        both = old.get(what, {}) | made.get(what, {})
        made = made | ({what: both} if both else {})
    made = made | ({"assets": assets} if assets else {})
    earlier = earlier_versions(made, old)
    made = made | ({"earlier_versions": earlier} if earlier else {})
    return made | {
        "command": with_earlier(made["command"], old["command"]),
        "started": old["started"],
        "seconds": old["seconds"],
        "recipes": old["recipes"] | made["recipes"],
        "learning_rates": old.get("learning_rates", {}) | made["learning_rates"],
        "train_steps": old.get("train_steps", {}) | made["train_steps"],
        "policies": old["policies"] | made["policies"],
        "execute": old["execute"] | made["execute"],
        "data_hash": old.get("data_hash", {}),
        **{name: old[name] for name in ("data_summary", "earlier_data_hash") if name in old},
        **({UNFINISHED: old[UNFINISHED]} if UNFINISHED in old else {}),
    }


def with_earlier(command: str, earlier: str) -> str:
    """The commands of a record, with a further one unless it is among them."""
    commands = earlier.split("; ")
    return earlier if command in commands else "; ".join([*commands, command])


def earlier_versions(made: dict[str, Any], old: dict[str, Any]) -> list[dict[str, str]]:
    """The versions of the commands before this one, each once, where they were others than its own."""
    told = [*old.get("earlier_versions", []), old.get("versions", {})]
    return [versions for i, versions in enumerate(told) if versions not in ({}, made.get("versions"), *told[:i])]


def agrees(old: Any, new: Any) -> bool:
    """Whether two values of a config are the same in all that the old one tells: options may have been added since."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and agrees(value, new[name]) for name, value in old.items())
    return old == new
