"""Scales: the same experiment in seconds (`tiny`), in minutes on two cores (`small`), or as in the paper (`paper`)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from para.backbones import BackboneConfig, SmallConvConfig, VitConfig, default_config, name_of
from para.backbones.dino import DinoConfig
from para.registry import pick

FINETUNING_LR = 3e-5
"""Peak learning rate of a pretrained network that is trained on, as is usual for such ones, whatever the heads' may be.
Not chosen on validation scenes, for want of weights."""


@dataclass(frozen=True)
class Scale:
    """How large an experiment is."""

    name: str
    """As on the command line."""

    image_size: tuple[int, int]
    """(H, W) of the images, pixels."""

    backbone: BackboneConfig
    """Shared by every policy of the experiment."""

    train_steps: int
    """Optimiser steps of each policy."""

    batch_size: int
    """Samples per step."""

    grid_stride: int = 1
    """Record demonstrations at every n-th grid position along each side, where an experiment takes a whole half."""

    random_starts: int = 1
    """Demonstrations per position from random starts of the arm, besides the one from home."""

    n_heldout: int = 12
    """Demonstrations held out of training, for errors in pixels and millimetres."""

    n_in_distribution: int = 32
    """Evaluation scenes in the region of the training positions, off their grid."""

    n_test: int = 64
    """Evaluation scenes outside it."""

    n_per_view: int = 2
    """Evaluation scenes of each view of the cap (paper: 3)."""

    n_demonstrations_per_view: int = 10
    """Demonstrations recorded at each training view (paper: 10)."""

    view_stride: int = 1
    """Take every n-th view of the cap, for training and for evaluation."""

    lr: float = 1.5e-3
    """Peak learning rate of the heads; the backbone's too unless `backbone_lr_scale` says otherwise."""

    backbone_lr_scale: float = 1.0
    """Learning rate of the backbone relative to the heads'."""

    moved_share: float = 1.0
    """Share of PARA's training pictures that warps and virtual views move."""

    eval_every: int = 100
    """Steps between measurements on held-out demonstrations."""

    early_snapshot: int = 70
    """Step at which an early policy is kept, for the picture of early and late heatmaps."""

    videos_per_split: int = 12
    """Rollouts of each split that are filmed, of the first training run's headline policies."""

    usual_policies: tuple[str, ...] = ()
    """Policies that are trained where none are named, in experiments that have them, the others with `extras`; empty:
    all but the extra ones."""

    note: str = ""
    """What it needs and takes, for --help and the page."""

    def with_fewer_scenes(self, by: int) -> Scale:
        """The same with one in `by` of the evaluation scenes of halves: for experiments with many policies."""
        return replace(self, n_in_distribution=-(-self.n_in_distribution // by), n_test=-(-self.n_test // by))

    def with_backbone(self, backbone: BackboneConfig | None = None, lr_scale: float | None = None) -> Scale:
        """The same with another backbone for every policy, None: its own, or another learning rate of it.

        Args:
            backbone: a pretrained one best with the hash of its weights (`para.backbones.dino.find_weights`), so that
                runs of other weights are told apart.
            lr_scale: its learning rate relative to the heads'; None: `FINETUNING_LR` of a pretrained one that is
                trained on, of others the scale's own.
        """
        backbone = self.backbone if backbone is None else backbone
        if lr_scale is None:
            finetuned = isinstance(backbone, DinoConfig) and backbone.mode == "finetune"
            lr_scale = round(FINETUNING_LR / self.lr, 4) if finetuned else self.backbone_lr_scale
        return replace(self, backbone=backbone, backbone_lr_scale=lr_scale)

    def describe_backbone(self) -> str:
        """Its name, and at which rate it is trained, if it is; of a pretrained one its weights too, of others those of
        its options that are not as usual."""
        name, rate = name_of(self.backbone), f"at {self.backbone_lr_scale:g} of the heads' learning rate"
        if not isinstance(self.backbone, DinoConfig):
            told = {field.name: getattr(self.backbone, field.name) for field in fields(self.backbone)}
            usual = default_config(name)
            changed = [f"{option} {value}" for option, value in told.items() if value != getattr(usual, option)]
            name += f" ({', '.join(changed)})" if changed else ""
            return f"{name} from scratch" + ("" if self.backbone_lr_scale == 1 else f", {rate}")
        mode = self.backbone.mode
        return f"{name} with weights {self.backbone.weights}, " + (f"{mode} {rate}" if mode == "finetune" else mode)


SCALES: dict[str, Scale] = {
    "tiny": Scale(
        name="tiny", image_size=(64, 64), backbone=SmallConvConfig(channels=8, dilations=(1, 2), pooled_grid=2),
        train_steps=12, batch_size=4, grid_stride=8, random_starts=1, n_heldout=1, n_in_distribution=2, n_test=3,
        n_per_view=1, n_demonstrations_per_view=1, view_stride=9,
        eval_every=6, early_snapshot=4, videos_per_split=1,
        note="seconds; for tests: its policies have learnt nothing",
    ),
    "small": Scale(
        name="small", image_size=(128, 128), backbone=SmallConvConfig(), train_steps=800, batch_size=16, lr=3e-3,
        note="two CPU cores",
    ),
    "paper": Scale(
        name="paper", image_size=(448, 448), backbone=VitConfig(), train_steps=5000, batch_size=32, lr=3e-4,
        backbone_lr_scale=0.3, n_in_distribution=100, n_test=100, n_per_view=3, eval_every=500, early_snapshot=200,
        note="448 px; needs a GPU",
    ),
}  # fmt: skip


TIMES_STEPS = {("small", "libero"): 2}
"""(scale, world) -> times the scale's steps that every policy trains for. LIBERO's bowl is twelve of 128 pixels wide:
on validation scenes PARA placed 53 of 64 on the other half after the usual steps, 63 after twice as many."""

MOVED_SHARE = {("small", "libero"): 0.5}
"""(scale, world) -> `Scale.moved_share`."""


USUAL_POLICIES = {("small", "libero"): ("para", "act")}
"""(scale, world) -> `Scale.usual_policies`: twice the steps, on pictures that take three times as long to draw."""


def pick_scale(name: str, world: str = "tabletop") -> Scale:
    """A scale by name, as it is in a world. Raises ValueError with the nearest name for an unknown one."""
    scale, times = pick(SCALES, "scale", name), TIMES_STEPS.get((name, world), 1)
    return replace(
        scale,
        train_steps=times * scale.train_steps,
        eval_every=times * scale.eval_every,
        moved_share=MOVED_SHARE.get((name, world), scale.moved_share),
        usual_policies=USUAL_POLICIES.get((name, world), scale.usual_policies),
    )
