"""A policy as a folder: `config.json` (which policy, with which options) and `model.safetensors` (its weights).

Nothing is ever pickled, so loading a checkpoint runs no code from it.
"""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from para.backbones.pretrained import weights_follow
from para.files import read_json, write_json
from para.registry import did_you_mean
from para.training.configs import config_from_dict, config_hash, config_to_dict
from para.training.files import read_tensors, write_tensors

FORMAT = 1
"""Of the checkpoint folder; older or newer ones are refused with a message."""

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


class PolicyDescription(NamedTuple):
    """What `config.json` says."""

    name: str
    """Registry name."""

    config: dict[str, Any]
    """JSON-ready options; `config_from_dict` makes the dataclass."""


def versions() -> dict[str, str]:
    """Of the software that makes the numbers; saved with everything that is trained."""
    import para

    return {"para": para.__version__, "torch": torch.__version__, "python": platform.python_version()}


def save_policy(policy: nn.Module, folder: str | Path) -> Path:
    """Write a policy into a folder, which may exist and hold other files; an older checkpoint there is replaced.

    The weights are written last and in one step: a folder with `model.safetensors` is complete. They carry a hash of
    their config, so that weights and config of different saves are told apart.

    Args:
        policy: with `name` (of the registry) and `config` (a frozen dataclass).
        folder: made where absent.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = {"policy": policy.name, "format": FORMAT, "config": config_to_dict(policy.config)}
    digest = config_hash(description)
    write_json(folder / CONFIG_FILE, {**description, "versions": versions()})
    write_tensors(folder / WEIGHTS_FILE, policy.state_dict(), {"config": digest})
    return folder


def describe(folder: str | Path) -> PolicyDescription:
    """Which policy a checkpoint folder holds, without loading it.

    Raises:
        FileNotFoundError: if the folder or its `config.json` is missing; it says where the folder holds a dataset.
        ValueError: if `config.json` is not that of a policy, or of another format.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no checkpoint folder {folder}; train a policy first, or check the path")
    if not (folder / CONFIG_FILE).is_file():
        advice = "give the folder that `para train --out` wrote"
        if (folder / "meta" / "info.json").is_file():
            advice = f"it holds a dataset: train a policy on it (para train --data {folder}), and give its folder"
        raise FileNotFoundError(f"no {CONFIG_FILE} in {folder}, so that it is no checkpoint; {advice}")
    values = read_json(folder / CONFIG_FILE)
    if values.get("format") != FORMAT:
        raise ValueError(
            f"{folder / CONFIG_FILE} has checkpoint format {values.get('format')!r}, this version reads {FORMAT}; "
            "load it with the version of para that wrote it"
        )
    if not isinstance(values.get("policy"), str) or not isinstance(values.get("config"), dict):
        raise ValueError(f"{folder / CONFIG_FILE} needs 'policy' and 'config'; got {sorted(values)}")
    return PolicyDescription(values["policy"], values["config"])


def load_policy(
    folder: str | Path,
    device: torch.device | str = "cpu",
    *,
    expect: str | None = None,
    registry: dict[str, Any] | None = None,
) -> nn.Module:
    """The policy that a checkpoint folder holds, in evaluation mode.

    Args:
        folder: written by `save_policy` or `train`.
        device: where to put it.
        expect: the registry name that it must have; None: any.
        registry: entries with `config_type` and `build` by name; None: `para.policies.POLICIES`.

    Raises:
        FileNotFoundError: if the folder or one of its two files is missing.
        ValueError: if the checkpoint is of another policy than expected, of an unknown one, has unknown options, or its
            weights are truncated, missing, too many, of other shapes or of another save than its config.
    """
    folder = Path(folder)
    description = describe(folder)
    if expect is not None and description.name != expect:
        raise ValueError(f"{folder} holds the policy '{description.name}', needed '{expect}'; pass another checkpoint")
    registry = _policies() if registry is None else registry
    if description.name not in registry:
        hint = did_you_mean(description.name, registry)
        raise ValueError(f"{folder} holds an unknown policy '{description.name}'{hint}")
    entry = registry[description.name]
    try:
        config = config_from_dict(entry.config_type, description.config)
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG_FILE}: {error}") from error
    weights = read_tensors(folder / WEIGHTS_FILE)
    _check_pair(folder)
    with weights_follow():
        policy = entry.build(config)
    load_weights(policy, weights, str(folder / WEIGHTS_FILE))
    return policy.to(device).eval()


def load_weights(policy: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Copy weights into a policy; all or nothing.

    Raises:
        ValueError: in one line, where tensors are missing, too many or of other shapes.
    """
    own = policy.state_dict()
    missing = sorted(set(own) - set(weights))
    extra = sorted(set(weights) - set(own))
    wrong = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    listed = (("missing", missing), ("extra", extra))
    complaints = [f"{len(names)} {what} ({_few(names)})" for what, names in listed if names]
    if wrong:
        name = wrong[0]
        shapes = f"{name} is {tuple(weights[name].shape)}, needed {tuple(own[name].shape)}"
        complaints.append(f"{len(wrong)} of another shape ({shapes})")
    if complaints:
        raise ValueError(
            f"{source} does not fit the policy that its config describes: tensors are {', '.join(complaints)}; "
            "was the config edited, or the policy's code changed since?"
        )
    policy.load_state_dict(weights)


def weights_hash(folder: str | Path) -> str:
    """12 hex digits of the sha256 of `model.safetensors`. Raises FileNotFoundError where there is none."""
    path = Path(folder) / WEIGHTS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {WEIGHTS_FILE} in {folder}; was its saving or training finished?")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:12]


def _check_pair(folder: Path) -> None:
    from safetensors import safe_open

    values = read_json(folder / CONFIG_FILE)
    values.pop("versions", None)
    with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
        digest = (file.metadata() or {}).get("config")
    if digest is not None and digest != config_hash(values):
        raise ValueError(
            f"{folder}: {CONFIG_FILE} and {WEIGHTS_FILE} come from different saves, or the config was edited; "
            "restore the config, or save the policy again"
        )


def _few(names: list[str]) -> str:
    return ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")


def _policies() -> dict[str, Any]:
    from para.policies import POLICIES

    return POLICIES


__all__ = ["PolicyDescription", "describe", "load_policy", "load_weights", "save_policy", "versions", "weights_hash"]
