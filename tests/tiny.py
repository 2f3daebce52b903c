"""A small instance of whatever is registered, for the tests of contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from para.backbones import BACKBONES, SmallConvConfig, SvdUnetConfig, VitConfig, default_config, make_backbone
from para.policies import POLICIES, make_policy
from para.policies.augment import AugmentConfig
from para.policies.para import paper_form
from para.policies.video_training import VideoTraining
from tests.tiny_weights import tiny_weights

IMAGE_SIZE = (48, 64)
HORIZON = 4

TINY_BACKBONES: dict[str, Any] = {
    "small_conv": SmallConvConfig(channels=8, dilations=(1, 2), pooled_grid=2),
    "vit": VitConfig(channels=16, patch=8, depth=2, n_heads=2),
    "svd_unet": SvdUnetConfig(weights="scratch_tiny", n_frames=3, model_size=(12, 16), neck_channels=16),
}
"""Options that make a backbone small and let it take images of `IMAGE_SIZE`; one that is not here gets its defaults."""

TINY_WEIGHTS: dict[str, Callable[[], Path]] = {
    "dinov2": partial(tiny_weights, "dinov2_with_registers", patch=8),
    "dinov3": partial(tiny_weights, "dinov3_vit", patch=8),
}
"""How the weights of a pretrained backbone's tiny instance come to be, the first time that they are asked for."""


def backbone_config(name: str) -> Any:
    if name in TINY_WEIGHTS:
        return replace(default_config(name), weights=str(TINY_WEIGHTS[name]()))
    return TINY_BACKBONES.get(name) or default_config(name)


def tiny_backbone(name: str, image_size: tuple[int, int] = IMAGE_SIZE) -> nn.Module:
    """A registered backbone with random weights that depend on nothing but its name."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_backbone(backbone_config(name), image_size).eval()


def policy_config(name: str, **changes) -> Any:
    """Small options of a registered policy: those of these names that it has."""
    config_type = POLICIES[name].config_type
    # narrow MLPs: the steps of these tests are so large that wide ones are thrown about
    wanted = {"image_size": IMAGE_SIZE, "horizon": HORIZON, "backbone": TINY_BACKBONES["small_conv"], "hidden": 64}
    wanted |= {"video": VideoTraining(objective="actions")}  # plain batches show nothing of the future
    wanted |= changes
    known = {f.name for f in fields(config_type)}
    if missing := {"image_size", "horizon"} - known:
        raise ValueError(f"policy '{name}' has no option {sorted(missing)}, which experiments set; see ParaConfig")
    return config_type(**{option: value for option, value in wanted.items() if option in known})


def policy_configs(**changes) -> dict[str, Any]:
    """Every registered policy, and the forms of `para` and `act` that share no code with their defaults."""
    configs = {name: policy_config(name, **changes) for name in POLICIES}
    paper = paper_form(changes.get("image_size", IMAGE_SIZE), TINY_BACKBONES["small_conv"])
    known = {f.name for f in fields(paper)}
    options = {"horizon": HORIZON} | {option: value for option, value in changes.items() if option in known}
    configs["para, paper's form"] = type(paper)(**{f.name: getattr(paper, f.name) for f in fields(paper)} | options)
    configs["para, factorised"] = policy_config("para", formulation="factorised", **changes)
    warps = AugmentConfig(scale=(0.8, 1.2), max_rotation_deg=8.0, max_shift=0.05, view_tilt_deg=20.0)
    configs["para, depth"] = policy_config("para", third="depth", augment=warps, **changes)
    configs["act, told the camera"] = policy_config("act", use_camera=True, augment=warps, **changes)
    configs["act, in the camera's frame"] = policy_config("act", frame="camera", augment=warps, **changes)
    for name in ("act", "diffusion", "motion_tracks"):
        configs[f"{name}, spatial softmax"] = policy_config(name, readout="spatial_softmax", **changes)
    return configs


def build(config: Any, seed: int = 0) -> nn.Module:
    """The policy, with random weights that depend on nothing but the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_policy(config)


def train_on(policy: nn.Module, obs, actions, steps: int, lr: float = 1e-2) -> list[float]:
    """Adam on one batch, without augmentation. The totals before each step, and after the last."""
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=lr / 20)
    totals = []
    policy.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = policy.loss(obs, actions)["total"]
        loss.backward()
        optimizer.step()
        schedule.step()
        totals.append(loss.item())
    policy.eval()
    with torch.no_grad():
        return [*totals, policy.loss(obs, actions)["total"].item()]


assert set(TINY_BACKBONES) | set(TINY_WEIGHTS) <= set(BACKBONES), "a tiny instance of a backbone that is not registered"
