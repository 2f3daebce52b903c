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

from para.backbones import BACKBONES
from para.pixel_actions.frames import frame_offsets
from para.training.checkpoint import load_policy, weights_hash
from para.training.configs import config_to_dict
from para.training.run_folder import differences

SAME_OPTIONS = ("horizon", "formulation", "frame", "readout", "image_size")
"""Options that decide what tensors of equal shapes mean: pretraining and fine-tuning must agree in them. Images of
another size show everything at another size, whatever the backbone: resize the videos to the robot's images."""

FREE_OPTIONS = ("weights", "weights_hash", "mode", "layer_decay", "gradient_checkpointing", "lora_rank", "lora_alpha")
"""Options of backbones that may differ: where their weights began, which all go over anyway, and how they are trained.
All others say what a network of equal tensors computes."""

LORA_OPTIONS = ("mode", "lora_rank", "lora_alpha")
"""Of these, those that may not differ where one of both has LoRA: it is tensors beside others, times a factor."""

READING_OPTIONS = ("blocks", "grid_stride", "sigma", "noise_seed", "neck_channels", "neck_dilations")
"""Options of how features are read from a video model: they may differ where nothing but that goes over."""

INPUT_STATISTICS = ("state_mean", "state_std", "camera_mean", "camera_std")
"""Buffers that say how inputs are scaled. They go over with the weights that they belong to where the policy's own data
lies within them: a few demonstrations say little of the spread that is to be expected. Heights on a nominal plane say
nothing of true ones: there the policy keeps its own."""

MAX_DEVIATIONS = 6.0
"""Of the pretraining's statistics: inputs of another mean or spread than that are not what they describe."""

HEIGHT_RANGE = "height_bins.edges"

PROGRESS = ("steps_done", "magnitudes")
"""Buffers that say how far a training has come and what its losses were: a new one begins at its own."""

SOFT_HEIGHT_RANGE = "height_range"
"""What a regressed height is a share of. The policy keeps its own, as it does those: the head may never have been told
a height, and then its range is that of a nominal plane."""

OUTPUT_BOX = ("low", "high")
"""Corners of what a regressed position can be. They go over with the head whose outputs they give a meaning."""

BOX_TOLERANCE_M = 1e-3

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
        ValueError: if the two are different policies, differ in their backbone or its options (except `FREE_OPTIONS`)
            or in an option of `SAME_OPTIONS`, or `pretrained` cannot reach all that `policy` is to, with its outputs
            or its classes of height; nothing is copied then.
    """
    taught = getattr(pretrained, "taught", None)
    given, own = pretrained.state_dict(), policy.state_dict()
    if taught is None:
        _check_alike(pretrained, policy)
    else:
        given = {name: value for name, value in given.items() if name.startswith(taught)}
        there, here = pretrained.config.backbone, policy.config.backbone
        _check_backbones("video model", there, here, FREE_OPTIONS + READING_OPTIONS)
        _check_fits("video model", given, own)
        _check_frames(pretrained.config, policy.config)
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
    last = name.rsplit(".", 1)[-1]
    if last in PROGRESS:
        return "kept"
    if last == SOFT_HEIGHT_RANGE or (last in INPUT_STATISTICS and not _describe_both(name, given, own)):
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


def _describe_both(name: str, given: dict[str, Tensor], own: dict[str, Tensor]) -> bool:
    """Whether the mean and deviation of the inputs of one policy describe those of the other."""
    stem = name.rpartition("_")[0]
    mean, std = f"{stem}_mean", f"{stem}_std"
    if name not in given or given[mean].shape != own[mean].shape:
        return False
    off, spread = (own[mean] - given[mean]).abs() / given[std], own[std] / given[std]
    return bool((torch.maximum(off, spread) < MAX_DEVIATIONS).all())


def _check_frames(there: Any, here: Any) -> None:
    """Raise ValueError where a video model would show other times, or the picture in another shape, than it learnt."""
    steps = [frame_offsets(config.horizon, config.backbone.n_frames) for config in (there, here)]
    if steps[0] != steps[1]:
        raise ValueError(
            f"the pretrained video model's frames are {steps[0]} steps ahead (horizon {there.horizon}), here they "
            f"would be {steps[1]} (horizon {here.horizon}); give both one horizon"
        )
    (H, W), (h, w) = there.image_size, here.image_size
    if H * w != h * W:
        raise ValueError(
            f"the pretrained video model saw images of {H} x {W}, here they are {h} x {w}, of another shape; record "
            "both in one shape"
        )


def _check_alike(pretrained: nn.Module, policy: nn.Module) -> None:
    if pretrained.name != policy.name:
        raise ValueError(
            f"it holds the policy '{pretrained.name}', to be fine-tuned is '{policy.name}'; pretrain that one"
        )
    there, here = pretrained.config, policy.config
    _check_backbones("backbone", there.backbone, here.backbone, FREE_OPTIONS)
    for option in SAME_OPTIONS:
        if getattr(there, option, None) != getattr(here, option, None):
            raise ValueError(
                f"{option} is {getattr(there, option, None)!r} there and {getattr(here, option, None)!r} here; "
                "pretrain and fine-tune with the same"
            )
    _check_fits("backbone", pretrained.backbone.state_dict(), policy.backbone.state_dict())
    _check_reach(pretrained.state_dict(), policy.state_dict())
    n, own_n = getattr(there, "n_height_bins", 0), getattr(here, "n_height_bins", 0)
    if n == own_n > 1 and there.third != here.third:
        raise ValueError(f"it predicts {there.third}, to be fine-tuned is {here.third}; pretrain with the same `third`")
    if n not in (1, own_n) and here.formulation == "joint":
        raise ValueError(
            f"it has {n} classes of {there.third}, to be fine-tuned are {own_n}: in the joint form these hold the "
            f"heatmap, which would be lost; pretrain with --n-height-bins {own_n}, or with 1 on pixels alone"
        )
    if n == own_n > 1:
        _check_third_range(pretrained, policy)


def _check_reach(given: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raise ValueError where a policy's outputs, in the other's box, could not be everywhere that they are to be."""
    low, high = OUTPUT_BOX
    if not all(name in tensors for name in OUTPUT_BOX for tensors in (given, own)):
        return
    beyond = (given[low] - own[low]).maximum(own[high] - given[high])
    if bool((beyond > BOX_TOLERANCE_M).any()):
        there, here = (
            " to ".join("(" + ", ".join(f"{x:.2f}" for x in box[end].tolist()) + ")" for end in OUTPUT_BOX)
            for box in (given, own)
        )
        raise ValueError(
            f"its outputs span {there} m and would go on to, but here they are to span {here} m: pretrain with the "
            "same workspace_low_m, workspace_high_m and output_range (in frame 'camera' also with the robot's camera)"
        )


def _check_third_range(pretrained: nn.Module, policy: nn.Module) -> None:
    """Raise ValueError where classes of height (or of depth), in the other's range, would not hold the policy's data.

    Labels beyond the outermost classes are clamped to them: it would learn heights that nobody showed.
    """
    there, here = pretrained.config, policy.config
    margin = f"{here.third}_margin_m"
    low, high = (x.item() for x in pretrained.height_bins.edges)
    shown = policy.height_bins.edges + policy.height_bins.edges.new_tensor([1.0, -1.0]) * getattr(here, margin)
    lowest, highest = (x.item() for x in shown)  # of the demonstrations that its own range was fitted to
    beyond = max(low - lowest, highest - high)
    if beyond <= BOX_TOLERANCE_M:
        return
    enough = math.ceil((getattr(there, margin) + beyond) * 100) / 100
    raise ValueError(
        f"its {there.third}s span {low:.2f} to {high:.2f} m and would go on to, but the demonstrations reach "
        f"{lowest:.2f} to {highest:.2f} m: pretrain with --{margin.replace('_', '-')} {enough:.2f}, or without "
        f"{there.third}s, with --n-height-bins 1"
    )


def _check_backbones(what: str, there: Any, here: Any, free: tuple[str, ...]) -> None:
    """Raise ValueError where weights of one backbone would mean another thing in the other."""
    name, own_name = _backbone_name(there), _backbone_name(here)
    if type(there) is not type(here):
        raise ValueError(f"its {what} is another one ({name} there, {own_name} here); use the same for both")
    options, own = config_to_dict(there), config_to_dict(here)
    if "lora" in (options.get("mode"), own.get("mode")):
        free = tuple(option for option in free if option not in LORA_OPTIONS)
    for option in free:
        options.pop(option, None)
        own.pop(option, None)
    if options != own:
        raise ValueError(
            f"its {what} is another one ({name}: {differences(options, own)}); use the same options for both"
        )


def _backbone_name(config: Any) -> str:
    return next((name for name, entry in BACKBONES.items() if entry.config_type is type(config)), type(config).__name__)


def _check_fits(what: str, given: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raise ValueError where a tensor has no place, or another size, among others: options do not tell all."""
    strangers = [name for name, value in given.items() if name not in own or own[name].shape != value.shape]
    if strangers:
        raise ValueError(
            f"its {what} is another one, though with the same options ({len(strangers)} of its tensors have no place "
            f"or another size here, as {strangers[0]}); pretrain it with this version of para"
        )
