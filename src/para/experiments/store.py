"""Where demonstrations and checkpoints lie: in the run's own folder, or in one that several experiments share.

In a shared folder every set of demonstrations and every training has a folder named after what it is made from, so that
experiments that need the same one record and train it once, and none can mistake another's for its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from para.assets import GENERATED, look
from para.evaluation.protocol import WorldSpec
from para.experiments.experiment import Recipe, TrainingSet
from para.training.configs import changed_options, config_hash
from para.training.options import TrainConfig
from para.worlds import world_entry

HELDOUT = "demonstrations_heldout"
"""Folder of the demonstrations that errors during training are measured on."""


@dataclass(frozen=True)
class Store:
    """The folders of one run."""

    out: Path
    """The run's own folder."""

    shared: Path | None = None
    """A folder that runs share; None: everything is in `out`."""

    def demonstrations(self, name: str, spec: WorldSpec, data: TrainingSet) -> Path:
        """The folder of a set of demonstrations."""
        if self.shared is None:
            return self.out / name
        return self.shared / "demonstrations" / f"{name}-{demonstrations_key(spec, data)[:8]}"

    def checkpoint(
        self, recipe: Recipe, config: Any, training: TrainConfig, data: str, seed: int, start: Path | None = None
    ) -> Path:
        """The folder of a trained policy; `data` is the key of its demonstrations, `start` what it starts from."""
        if self.shared is None:
            return self.out / "checkpoints" / recipe.name / f"seed{seed}"
        made_of = {
            "policy": [type(config).__name__, changed_options(config)],
            "training": changed_options(replace(training, seed=0)),
            "data": data,
            "step": recipe.step,
        }
        if recipe.supervision != "all":
            made_of["supervision"] = recipe.supervision
        if start is not None:
            made_of["start"] = start.parent.name
        kind = recipe.name.split("+")[0]
        return self.shared / "checkpoints" / f"{kind}-{config_hash(made_of)[:8]}" / f"seed{seed}"


def demonstrations_key(spec: WorldSpec, data: TrainingSet) -> str:
    """What tells one set of demonstrations from another: the world, its options, its assets and the scenes."""
    spec = spec.with_options(data.world)
    made_of = {"world": asdict(spec), "scenes": [scene.to_dict() for scene in data.scenes]}
    assets = look(assets_of(spec))
    if assets not in ("", GENERATED):  # these add nothing: what was recorded with them keeps its folder
        made_of["assets"] = assets
    return config_hash(made_of)


def assets_of(spec: WorldSpec) -> str:
    """What a world is made of here, in words; "" where it has no choice."""
    return world_entry(spec.name).describe_assets(dict(spec.options))
