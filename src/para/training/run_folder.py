"""The folder of one training run: which run it holds, whether it is finished, and its log."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from para.files import read_json, write_json
from para.training.checkpoint import CONFIG_FILE, WEIGHTS_FILE
from para.training.configs import config_from_dict, config_hash, config_to_dict
from para.training.heldout import ChunkData, spread
from para.training.options import TrainConfig
from para.training.state import read_state

LOG_FILE, SUMMARY_FILE = "log.jsonl", "training.json"

NOT_IDENTITY = ("log_every", "eval_every", "save_every", "heldout_samples", "device", "feature_cache")
"""Options of training that are not meant to change the weights that it ends with. Where features are kept does not, but
that they are does (they are rounded): the identity has that. Devices round differently, and may take turns."""

FEATURES_KEPT = "features_kept"
"""Of the identity's options of training: whether there was a `feature_cache`."""

ABSENT = "absent"
"""What is told of an option that one of two runs does not have."""


def is_finished(folder: Path) -> bool:
    """Whether a training in that folder has come to its end: its weights are written last."""
    return all((folder / name).exists() for name in (SUMMARY_FILE, CONFIG_FILE, WEIGHTS_FILE))


def run_identity(policy: nn.Module, config: Any, data: ChunkData, data_hash: str, start: str = "") -> dict[str, Any]:
    """Everything that decides which weights a run ends with, JSON-ready; `start` only where there is one.

    Besides the caller's `data_hash` it has the number of samples and digests of a few, of their actions and of what is
    seen there: a dataset can be cut into samples in several ways (other episodes, another kind of step), and its videos
    or cameras can be exchanged where they lie.
    """
    training = {name: value for name, value in config_to_dict(config).items() if name not in NOT_IDENTITY}
    training[FEATURES_KEPT] = bool(config.feature_cache)
    obs, actions = data.batch(spread(len(data), 16))
    seen = [obs.image, obs.camera.K, obs.camera.T_world_cam, obs.ee_position, obs.gripper]
    return {
        "policy": policy.name,
        "config": config_to_dict(policy.config),
        "training": training,
        "data": data_hash,
        "samples": {"count": len(data), "actions": _digest([actions.position, actions.gripper, actions.is_pad])},
        "observations": _digest(seen),
    } | ({"start": start} if start else {})


def _digest(tensors: Sequence[Tensor]) -> str:
    """12 hex digits of some tensors' bits; numbers of float64 count as float32."""
    parts = [tensor.float() if tensor.is_floating_point() else tensor for tensor in tensors]
    return hashlib.sha256(b"".join(part.contiguous().numpy().tobytes() for part in parts)).hexdigest()[:12]


class RunFolder:
    """One run's folder, opened for a run of a known identity.

    Raises:
        ValueError: if the folder holds another run, or a policy that was not trained there.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], config_type: type | None = None):
        """`config_type` is that of the policy's options: those younger than the folder's record count as defaults."""
        self.path, self.identity, self.config_type = folder, identity, config_type
        self.check()

    def check(self) -> dict[str, Any] | None:
        """The record of the run where it is finished, else None; ValueError as the class."""
        folder, identity = self.path, self.identity
        if (folder / "meta" / "info.json").exists():
            raise ValueError(f"{folder} holds a dataset; choose another folder for the checkpoint")
        held = self._held_identity()
        if held is not None:
            held = _with_younger_options(held, identity, self.config_type)
        # what an older record does not tell cannot be compared
        started = held is not None and held.get("start", "") != identity.get("start", "")
        if started or (held is not None and any(value != identity.get(name) for name, value in held.items())):
            found = f"{folder} holds another run ({differences(held, identity)})"
            raise ValueError(f"{found}; choose another folder, or remove this one")
        if held is None and (folder / WEIGHTS_FILE).exists():
            raise ValueError(
                f"{folder} holds a policy ({WEIGHTS_FILE}) without the record of its training ({SUMMARY_FILE}); "
                "choose another folder, or remove this one"
            )
        return self.summary()

    def _held_identity(self) -> dict[str, Any] | None:
        if (self.path / SUMMARY_FILE).exists():
            return read_json(self.path / SUMMARY_FILE).get("identity", {})
        state = read_state(self.path)
        return None if state is None else state["identity"]

    @property
    def hash(self) -> str:
        """12 hex digits of the identity."""
        return config_hash(self.identity)

    def summary(self) -> dict[str, Any] | None:
        """The record of a finished run, or None while it is not."""
        return read_json(self.path / SUMMARY_FILE) if is_finished(self.path) else None

    def write_summary(self, values: dict[str, Any]) -> None:
        """Leave the record of a run that is about to be finished: its weights come after, as the commit."""
        write_json(self.path / SUMMARY_FILE, {**values, "config_hash": self.hash, "identity": self.identity})

    def append_log(self, record: dict[str, Any]) -> None:
        """One line of `log.jsonl`."""
        with (self.path / LOG_FILE).open("a") as file:
            file.write(json.dumps(record) + "\n")

    def trim_log(self, step: int) -> None:
        """Drop the lines of steps after `step`, which will be done again, and a line cut short by a kill."""
        path = self.path / LOG_FILE
        if not path.exists():
            return
        kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
        partial = path.with_name(f".{LOG_FILE}.partial")
        partial.write_text("".join(line + "\n" for line in kept))
        os.replace(partial, path)


def with_defaults(config_type: type, options: dict[str, Any]) -> dict[str, Any]:
    """Options of a record with the defaults of those that did not exist then; as they are where they cannot be read."""
    try:
        return config_to_dict(config_from_dict(config_type, options))
    except ValueError:
        return options


def _with_younger_options(held: dict[str, Any], asked: dict[str, Any], config_type: type | None) -> dict[str, Any]:
    """A record with the defaults of options that did not exist then; whether features were kept, where it does not
    tell, as is asked for."""
    if config_type is not None:
        held = held | {"config": with_defaults(config_type, held.get("config", {}))}
    if "training" not in held:
        return held
    told = dict(held["training"])
    features_kept = told.pop(FEATURES_KEPT, asked["training"][FEATURES_KEPT])
    filled = with_defaults(TrainConfig, told).items()
    training = {name: value for name, value in filled if name not in NOT_IDENTITY}
    return held | {"training": training | {FEATURES_KEPT: features_kept}}


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")


def differences(held: dict[str, Any], asked: dict[str, Any]) -> str:
    """The options in which two runs, or two of their parts, differ, the first three of them."""
    there, here = _leaves(held), _leaves(asked)
    in_order = sorted({*there, *here}, key=lambda name: (name.count("."), name))  # the policy before its options
    names = [name for name in in_order if there.get(name, ABSENT) != here.get(name, ABSENT)]
    told = [f"{name} is {there.get(name, ABSENT)!r} there, {here.get(name, ABSENT)!r} here" for name in names[:3]]
    return "; ".join(told) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")


def _leaves(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves = {}
    for name, value in values.items():
        if isinstance(value, dict):
            leaves.update(_leaves(value, f"{prefix}{name}."))
        else:
            leaves[prefix + name] = value
    return leaves
