"""Weights from one policy into another with more heads: what is pretrained on pixels goes on to predict everything.

A policy that was pretrained on point tracks has one height class and no gripper; the one to be fine-tuned has all
heads. Every tensor that both have goes over. How a pixel's one logit becomes one per height: in the joint form the
head's row is repeated for each of the N_H heights and log N_H is taken off its bias, so that the softmax, summed over
heights, is the very heatmap that was learnt, and the heights are still all alike. (The original says no more than that
all weights transfer in the 3D form, where heads have equal sizes.)

A policy that was trained for videos alone names the tensors that this taught (`taught`): these go over, into whatever
policy has the same video model, and nothing else does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from para.training.checkpoint import load_policy, weights_hash
from para.training.configs import config_to_dict

SAME_OPTIONS = ("horizon", "formulation", "frame")
"""Options that decide what tensors of equal shapes mean: pretraining and fine-tuning must agree in them."""

INPUT_STATISTICS = ("state_mean", "state_std", "camera_mean", "camera_std", "points_mean", "points_std")
"""Buffers that say how inputs are scaled. The policy keeps its own: nominal heights say nothing of true ones."""

HEIGHT_RANGE = "height_bins.edges"

MAX_NAMES = 12
"""So many tensors are named in one line."""


@dataclass(frozen=True)
class Transfer:
    """What became of each tensor of a policy that got weights from another."""

    copied: tuple[str, ...]
    """As they were."""

    tiled: tuple[str, ...]
    """Repeated over height classes."""

    reinitialised: tuple[str, ...]
    """Not in the other policy, or of another size there: left at their fresh random values."""

    kept: tuple[str, ...]
    """Ranges and statistics of the policy's own training data."""

    unused: tuple[str, ...]
    """Tensors of the other policy that have no place here."""

    def describe(self) -> str:
        """In one line: how many tensors each, and which ones were not simply copied."""
        parts = [f"{len(self.copied)} tensors copied"]
        for what in ("tiled", "reinitialised", "kept", "unused"):
            names = getattr(self, what)
            if names:
                more = f", and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
                parts.append(f"{len(names)} {what} ({', '.join(names[:MAX_NAMES])}{more})")
        return "; ".join(parts)


def start_from(policy: nn.Module, checkpoint: str | Path) -> tuple[Transfer, str]:
    """Give a policy the weights of a checkpoint.

    Returns:
        What was done, and what tells the starting weights from others: for `train(..., start=...)`.

    Raises:
        FileNotFoundError, ValueError: as `load_policy` and `transfer_weights`; the message names the checkpoint.
    """
    pretrained = load_policy(checkpoint)
    try:
        return transfer_weights(pretrained, policy), weights_hash(checkpoint)
    except ValueError as error:
        raise ValueError(f"{checkpoint} cannot be started from: {error}") from error


@torch.no_grad()
def transfer_weights(pretrained: nn.Module, policy: nn.Module) -> Transfer:
    """Copy into `policy` what it shares with `pretrained`; see the module's docstring.

    Args:
        pretrained: with `name`, `config` and its weights; stays as it is.
        policy: the same kind of policy on the same backbone, initialised and with its ranges fitted; changed in place.

    Raises:
        ValueError: if the two are different policies, differ in their backbone or in an option of `SAME_OPTIONS`;
            nothing is copied then.
    """
    taught = getattr(pretrained, "taught", None)
    given, own = pretrained.state_dict(), policy.state_dict()
    if taught is None:
        _check_alike(pretrained, policy)
    else:
        given = {name: value for name, value in given.items() if name.startswith(taught)}
        _check_fits(given, own)
    fate = {name: _fate(name, given, own, policy) for name in own}
    for name, what in fate.items():
        if what == "copied":
            own[name].copy_(given[name])
        elif what == "tiled":
            own[name].copy_(tile_heights(given[name], own[name]))
    listed = {what: tuple(name for name in own if fate[name] == what) for what in set(fate.values())}
    unused = tuple(name for name in given if name not in own)
    parts = ("copied", "tiled", "reinitialised", "kept")
    return Transfer(*(listed.get(what, ()) for what in parts), unused)


def tile_heights(given: Tensor, own: Tensor) -> Tensor:
    """The one height class of a joint head for every class of another: (T, 1, ...) -> (T, N_H, ...).

    A bias gives up log N_H, so that exp(logits) summed over heights stays what it was.
    """
    n = own.shape[1]
    tiled = given.expand(own.shape).clone()
    return tiled - math.log(n) if own.ndim == 2 else tiled


def _fate(name: str, given: dict[str, Tensor], own: dict[str, Tensor], policy: nn.Module) -> str:
    if name.rsplit(".", 1)[-1] in INPUT_STATISTICS:
        return "kept"
    if name == HEIGHT_RANGE:
        # a range belongs to the head whose classes it gives a meaning
        return "copied" if _fate("heads.height.weight", given, own, policy) == "copied" else "kept"
    if name not in given:
        return "kept" if name.endswith("_bins.edges") else "reinitialised"
    if given[name].shape == own[name].shape:
        return "copied"
    joint = getattr(policy.config, "formulation", "") == "joint"
    if joint and name in ("heads.height.weight", "heads.height.bias") and given[name].shape[1] == 1:
        return "tiled"
    return "reinitialised"


def _check_alike(pretrained: nn.Module, policy: nn.Module) -> None:
    if pretrained.name != policy.name:
        raise ValueError(
            f"it holds the policy '{pretrained.name}', to be fine-tuned is '{policy.name}'; pretrain that one"
        )
    there, here = pretrained.config, policy.config
    backbones = (type(there.backbone).__name__, type(here.backbone).__name__)
    given, own = (_backbone_shapes(p) for p in (pretrained, policy))
    if given != own:
        wrong = [name for name in {**own, **given} if own.get(name) != given.get(name)]
        how = f"{backbones[0]} against {backbones[1]}"
        if backbones[0] == backbones[1]:
            how = f"{how}, {_difference(there.backbone, here.backbone, there.image_size, here.image_size)}"
        raise ValueError(
            f"its backbone is another one ({how}; {len(wrong)} of {len(own)} tensors do not fit, first {wrong[0]}); "
            "use the same backbone with the same options for both"
        )
    for option in SAME_OPTIONS:
        if getattr(there, option, None) != getattr(here, option, None):
            raise ValueError(
                f"{option} is {getattr(there, option, None)!r} there and {getattr(here, option, None)!r} here; "
                "pretrain and fine-tune with the same"
            )
    heights = (getattr(there, "n_height_bins", 0), getattr(here, "n_height_bins", 0))
    if heights[0] == heights[1] > 1 and there.third != here.third:
        raise ValueError(f"it predicts {there.third}, to be fine-tuned is {here.third}; pretrain with the same `third`")


def _check_fits(given: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    wrong = [name for name, value in given.items() if name not in own or own[name].shape != value.shape]
    if wrong:
        raise ValueError(
            f"its video model is another one ({len(wrong)} of {len(given)} tensors do not fit, first {wrong[0]}); use "
            "the same weights and frames for both"
        )


def _backbone_shapes(policy: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in policy.backbone.state_dict().items()}


def _difference(there: Any, here: Any, *image_sizes: tuple[int, int]) -> str:
    """The first option in which two backbones of one kind differ, or else their images' sizes."""
    a, b = config_to_dict(there), config_to_dict(here)
    for name in a:
        if a[name] != b.get(name):
            return f"{name} {a[name]} against {b.get(name)}"
    return f"images {image_sizes[0]} against {image_sizes[1]}"
