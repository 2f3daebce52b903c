"""What `train` is told and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from para.training.optim import OptimConfig


@dataclass(frozen=True)
class TrainConfig:
    """How long and on what a policy is trained."""

    steps: int = 700
    """Updates of the weights."""

    batch_size: int = 16
    """Samples per step, over all processes together."""

    seed: int = 0
    """Of the order of samples, the augmentation and whatever a policy draws from torch's global generator."""

    optim: OptimConfig = field(default_factory=OptimConfig)
    """How weights are updated."""

    augment: bool = True
    """Hand the policy a generator for its augmentation."""

    feature_cache: str = ""
    """A folder in which the features that a frozen backbone makes of images are kept (in float16), so that each is
    computed once; empty: none. It needs `augment` off, since an augmented image never comes twice."""

    mixed_precision: Literal["auto", "no", "bf16"] = "auto"
    """auto: bfloat16 on devices that are fast at it (recent GPUs, CPUs with AMX), float32 elsewhere."""

    device: Literal["auto", "cpu"] = "auto"
    """auto: the accelerator where there is one."""

    log_every: int = 10
    """Steps between lines of `log.jsonl` and calls of `on_progress`."""

    eval_every: int = 100
    """Steps between looks at the held-out samples."""

    heldout_samples: int = 128
    """How many of them are looked at, spread evenly."""

    save_every: int = 100
    """Steps between saved states to go on from."""

    snapshot_steps: tuple[int, ...] = ()
    """After how many steps to keep the policy as it then is, under `snapshots/`."""

    def __post_init__(self):
        for name in ("steps", "batch_size", "log_every", "eval_every", "heldout_samples", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.feature_cache and self.augment:
            raise ValueError(
                "feature_cache keeps the features of images as they are; set augment to False, or empty it"
            )
        if any(not 0 <= step <= self.steps for step in self.snapshot_steps):
            raise ValueError(f"snapshot_steps must lie within 0 to {self.steps}; got {self.snapshot_steps}")


@dataclass(frozen=True)
class TrainResult:
    """What training left behind."""

    folder: Path
    """The checkpoint: `load_policy(folder)`."""

    steps: int
    """Steps of the finished run."""

    seconds: float
    """Spent on it, over all interruptions."""

    metrics: dict[str, float]
    """Held-out metrics at the end; empty without held-out data."""

    weights: str
    """12 hex digits of the weights' sha256."""

    reused: bool = False
    """The folder held this very run, finished, and nothing was trained."""

    first_step: int = 0
    """Where this call began: above 0 it went on from a saved state."""
