"""The optimiser: AdamW with parameter groups, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True)
class OptimConfig:
    """How weights are updated."""

    lr: float = 1.5e-3
    """Peak learning rate of the heads, and of the backbone times `backbone_lr_scale`."""

    weight_decay: float = 1e-4
    """Of matrices and convolutions; biases, norms and embeddings are never decayed."""

    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    """one_cycle: from lr / 25 up, then a cosine down to lr / 250 000; cosine: from 0 up, a cosine down to 0; constant:
    from 0 up, then flat."""

    warmup_fraction: float = 0.1
    """Share of the steps on the way up."""

    clip_norm: float = 1.0
    """Largest norm of the gradient; 0: not clipped."""

    backbone_lr_scale: float = 1.0
    """Learning rate of the backbone over that of the heads; below 1 for pretrained ones, 0 to freeze it."""

    ema_decay: float | None = None
    """Average the weights over steps with this decay, and keep the average; None: keep the last weights."""

    def __post_init__(self):
        numbers = (self.lr, self.weight_decay, self.clip_norm, self.backbone_lr_scale)
        if self.lr == 0 or min(numbers) < 0 or not all(map(math.isfinite, numbers)):
            raise ValueError(
                "lr must be above 0, and weight_decay, clip_norm (0: not clipped) and backbone_lr_scale at least 0, "
                f"all finite; got {', '.join(map(str, numbers))}"
            )
        if self.schedule not in ("one_cycle", "cosine", "constant"):
            raise ValueError(f"schedule must be one_cycle, cosine or constant; got {self.schedule!r}")
        if not 0 <= self.warmup_fraction < 1:
            raise ValueError(f"warmup_fraction is a share of the steps, 0 to below 1; got {self.warmup_fraction}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie between 0 and 1, or be None; got {self.ema_decay}")


def first_phase_of(policy: nn.Module) -> int:
    """How many of the first steps teach other tensors than those that follow: 0, unless a policy says so."""
    return getattr(policy, "first_phase_steps", 0)


def lr_factor(step: int, n_steps: int, config: OptimConfig, first_phase: int = 0) -> float:
    """Learning rate of a step (0 .. n_steps - 1) over the peak, a pure function, so that resuming needs no state.

    Where the first steps (`first_phase` of them) teach other tensors than those that follow, either phase has a whole
    schedule of its own: what begins to learn late would else begin at a rate that is on its way down.
    """
    if 0 < first_phase < n_steps:
        begin, end = (0, first_phase) if step < first_phase else (first_phase, n_steps)
        return lr_factor(step - begin, end - begin, config)
    low, last = {"one_cycle": (1 / 25, 1 / 250_000), "cosine": (0.0, 0.0), "constant": (0.0, 1.0)}[config.schedule]
    warmup = config.warmup_fraction * n_steps
    if step < warmup:
        way = (step + 1) / (warmup + 1)  # never 0: a first step that changes nothing would be wasted
        rise = (1 - math.cos(math.pi * way)) / 2 if config.schedule == "one_cycle" else way
        return low + (1 - low) * rise
    way = (step - warmup) / max(n_steps - warmup, 1)
    return last + (1 - last) * (1 + math.cos(math.pi * way)) / 2


MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers whose weights are decayed, whatever their names: `embed` may well be a convolution."""

EMBEDDINGS = ("embed", "token", "position", "cls")
"""What names of learnt embeddings have in them."""


def named_groups(policy: nn.Module, config: OptimConfig) -> list[dict]:
    """The trainable parameters in groups of one learning rate, decayed or not.

    What a policy holds under the attribute `backbone` is its backbone. It learns at `backbone_lr_scale` times the rate
    of the heads; or, where it has a method `lr_scales(backbone_lr_scale)`, each of its parameters at the share that
    this gives by name: pretrained ones at rates that differ with the layer, new ones as the heads do.

    Not decayed: biases of any shape, other one-dimensional parameters (norms, scales), and embeddings: an
    `nn.Embedding`, or a parameter of no linear layer or convolution that is called so (`EMBEDDINGS`).

    Returns:
        Groups with `names` and `params` in equal order, the peak `lr` and `weight_decay`.
    """
    embeddings = {id(module.weight) for module in policy.modules() if isinstance(module, nn.Embedding)}
    matrices = {id(module.weight) for module in policy.modules() if isinstance(module, MATRICES)}
    scales = _backbone_scales(policy, config)
    groups: dict[tuple[bool, float, bool], dict] = {}
    for name, parameter in policy.named_parameters():
        if not parameter.requires_grad:
            continue
        in_backbone = name.startswith("backbone.")
        called_so = id(parameter) not in matrices and any(word in name for word in EMBEDDINGS)
        embedding = id(parameter) in embeddings or called_so
        decayed = parameter.ndim > 1 and not embedding and not name.endswith("bias")
        scale = scales.get(name, config.backbone_lr_scale) if in_backbone else 1.0
        lr = config.lr * scale
        decay = config.weight_decay if decayed else 0.0
        empty = {"names": [], "params": [], "lr": lr, "peak_lr": lr, "weight_decay": decay}
        group = groups.setdefault((in_backbone, scale, decayed), empty)
        group["names"].append(name)
        group["params"].append(parameter)
    if not groups:
        raise ValueError("the policy has no trainable parameter; nothing to train")
    return list(groups.values())


def _backbone_scales(policy: nn.Module, config: OptimConfig) -> dict[str, float]:
    offer = getattr(getattr(policy, "backbone", None), "lr_scales", None)
    scales = {} if offer is None else offer(config.backbone_lr_scale)
    return {f"backbone.{name}": scale for name, scale in scales.items()}


def make_optimizer(policy: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW over `named_groups`, in the fused form where the device has it."""
    groups = [{key: value for key, value in group.items() if key != "names"} for group in named_groups(policy, config)]
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return torch.optim.AdamW(groups, lr=config.lr, fused=fused)


def set_lr(
    optimizer: torch.optim.Optimizer, step: int, n_steps: int, config: OptimConfig, first_phase: int = 0
) -> float:
    """Give every group its learning rate of this step (`lr_factor`). Returns that of the heads."""
    factor = lr_factor(step, n_steps, config, first_phase)
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return config.lr * factor
