"""Policies before their training: random weights, and ranges of outputs from the demonstrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from para.datasets import Demonstrations
from para.datasets.partial_supervision import (
    NOMINAL_HEIGHT_M,
    heights_missing,
    known_actions,
    pixels_only_actions,
)
from para.experiments.experiment import Supervision
from para.geometry import Camera
from para.interfaces import ActionChunk
from para.policies import make_policy
from para.policies.ranges import OUTPUT_MARGIN_M
from para.training.transfer import BOX_TOLERANCE_M, HEIGHT_RANGE, OUTPUT_BOX


def fresh_policy(
    config: Any,
    demonstrations: Demonstrations,
    seed: int,
    *,
    supervision: Supervision = "all",
    also: Sequence[Demonstrations] = (),
) -> nn.Module:
    """An untrained policy: random weights from a seed, ranges of outputs from what the demonstrations tell.

    Args:
        config: the policy's options.
        demonstrations: which give the ranges.
        seed: of the weights.
        supervision: what of them is told.
        also: further demonstrations that it is to be trained on.

    Raises:
        ValueError: if the demonstrations tell only pixels, and the policy learns nothing from those, or would learn
            from a nominal plane what its heights are; if any tell only pixels, and virtual views would leave them; if
            further ones go where the outputs, in the ranges of the first, cannot.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = make_policy(config)
    partial = supervision == "pixels" or tells_only_pixels(demonstrations)
    if (partial or any(map(tells_only_pixels, also))) and not getattr(policy, "learns_from_pixels", False):
        which = "the demonstrations tell" if partial else "some of the further demonstrations tell"
        raise ValueError(f"{which} only pixels, from which '{policy.name}' learns nothing: train para or act on them")
    if partial and (wrong := tied_to_heights(policy.config)):
        if not all(map(tells_only_pixels, also)):
            raise ValueError(
                "the demonstrations tell only pixels, and some of the further ones tell heights: exchange them, so "
                "that ranges come from what is told in full (--data the robot's, --also the videos)"
            )
        raise ValueError(
            f"the demonstrations tell only pixels, but {wrong}: what is fine-tuned from it would stay in their plane"
        )
    missing = supervision == "pixels" or heights_missing([demonstrations, *also])
    if missing and (wrong := off_the_nominal_plane(policy.config)):
        raise ValueError(f"demonstrations tell only pixels, but {wrong}: their labels would not follow the picture")
    beyond = [ranges_of(policy, *all_actions(further)) for further in also if not tells_only_pixels(further)]
    actions, camera = all_actions(demonstrations)
    actions = actions if supervision == "all" else pixels_only_actions(actions, camera)
    refuse_beyond(ranges_of(policy, actions, camera), beyond, policy.config)  # leaves the policy with these ranges
    return policy


def ranges_of(policy: nn.Module, actions: ActionChunk, camera: Camera) -> dict[str, tuple[float, float]]:
    """Fit a policy's ranges to actions, and say from where to where its classes, or outputs, then go."""
    policy.fit_ranges(actions, camera)
    state = policy.state_dict()
    if HEIGHT_RANGE in state:  # a single class stands for any height
        several = policy.config.n_height_bins > 1
        return {f"{policy.config.third}s": tuple(state[HEIGHT_RANGE].tolist())} if several else {}
    box = [state[end].flatten().tolist() for end in OUTPUT_BOX if end in state]
    return dict(zip("xyz", zip(*box)))


def refuse_beyond(own: dict[str, Any], further: list[dict[str, Any]], config: Any) -> None:
    """Raise ValueError where further demonstrations go beyond ranges: their labels would be of the outermost class, or
    output, where nobody was.
    """
    option = f"{getattr(config, 'third', 'output')}_margin_m"
    margin = getattr(config, option, OUTPUT_MARGIN_M)
    for ranges in further:
        for name, (low, high) in ranges.items():
            excess = max(own[name][0] - low, high - own[name][1])  # each is wider by the margin than what was shown
            if excess <= margin + BOX_TOLERANCE_M:
                continue
            enough = math.ceil(round(100 * excess, 2)) / 100
            wider = f", or give --{option.replace('_', '-')} {enough:.2f}" if hasattr(config, option) else ""
            raise ValueError(
                f"{name} of further demonstrations span {low + margin:.2f} to {high - margin:.2f} m, and those of the "
                f"first give {own[name][0]:.2f} to {own[name][1]:.2f} m to what is learnt: exchange them (--data those "
                f"that span more, --also the others){wider}"
            )


def tells_only_pixels(demonstrations: Demonstrations) -> bool:
    """Whether no action of some demonstrations is told in full."""
    known = known_actions(demonstrations)
    return known is not None and not bool(known.all(dim=-1).any())


def tied_to_heights(config: Any) -> str:
    """Which options give a policy's outputs a range that comes from heights, in words; empty where none does.

    Such a range goes over to what starts from the policy, along with the head whose outputs it gives a meaning.
    """
    if (n := getattr(config, "n_height_bins", 1)) > 1:
        return f"there are {n} height classes (give --n-height-bins 1 --n-gripper-bins 0)"
    if getattr(config, "output_range", "workspace") == "training":
        return "output_range is 'training' (give --output-range workspace)"
    return ""


def off_the_nominal_plane(config: Any) -> str:
    """Which options warp pictures along another plane than that of labels without heights, in words; empty: none do."""
    augment = getattr(config, "augment", None)
    nominal = (NOMINAL_HEIGHT_M, NOMINAL_HEIGHT_M)
    if augment is None or not augment.view_tilt_deg or tuple(augment.view_plane_m) == nominal:
        return ""
    low, high = augment.view_plane_m
    return (
        f"virtual views are warped along planes {low:g} to {high:g} m high and not along theirs "
        f"(give --augment.view-plane-m {NOMINAL_HEIGHT_M:g} {NOMINAL_HEIGHT_M:g})"
    )


def all_actions(demonstrations: Demonstrations) -> tuple[ActionChunk, Camera]:
    """Every action of the demonstrations, (N, 1), with what is known of it, and the camera (N,) of its image."""
    position = torch.as_tensor(demonstrations.action_position).float().unsqueeze(1)  # (N, 1, 3)
    gripper = torch.as_tensor(demonstrations.action_gripper).float().unsqueeze(1)
    known = known_actions(demonstrations)
    known = None if known is None else known.unsqueeze(1)  # (N, 1, 3)
    actions = ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool), known=known)
    return actions, demonstrations.camera(slice(None))
