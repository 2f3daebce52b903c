"""How far predicted pixels are from demonstrated ones, along demonstrations in worlds that policies were not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from para.evaluation.protocol import WorldSpec
from para.experiments.acting import load_to_act
from para.experiments.predictions import pixels
from para.files import read_json, write_json
from para.interfaces import Observation, Policy, Scene
from para.rollout import predicted_chunk
from para.training.checkpoint import weights_hash

ERRORS_FILE = "pixel_errors.json"

FRAME_STRIDE = 4
"""Every n-th frame of a demonstration is looked at."""

N_SCENES = 12
"""At most so many scenes."""


def export_pixel_errors(
    folder: Path, worlds: Mapping[str, WorldSpec], policies: Sequence[tuple[str, int, Path]], scenes: Sequence[Scene]
) -> None:
    """Write `pixel_errors.json`: of each policy, training run and world, the median and mean error of each step.

    What is there of the same weights is kept.

    Args:
        folder: of the run.
        worlds: where to look: name -> world.
        policies: name, train_seed and checkpoint of each.
        scenes: whose demonstrations to follow; the first `N_SCENES` of them.
    """
    path = folder / ERRORS_FILE
    rows: list[dict[str, Any]] = read_json(path)["rows"] if path.exists() else []
    known = {(row["policy"], row["train_seed"], row["world"], row["checkpoint"]) for row in rows}
    for world_name, spec in worlds.items():
        wanted = [
            (name, seed, checkpoint, weights)
            for name, seed, checkpoint in policies
            if (name, seed, world_name, weights := weights_hash(checkpoint)) not in known
        ]
        if not wanted:
            continue
        looks = demonstrated_looks(spec, scenes[:N_SCENES])
        for name, seed, checkpoint, weights in wanted:
            rows = [row for row in rows if (row["policy"], row["train_seed"], row["world"]) != (name, seed, world_name)]
            told = {"policy": name, "train_seed": seed, "world": world_name, "checkpoint": weights}
            rows.append(told | errors_of(load_to_act(checkpoint), looks))
    write_json(path, {"image_size": list(next(iter(worlds.values())).image_size), "rows": rows})


def demonstrated_looks(spec: WorldSpec, scenes: Sequence[Scene]) -> list[tuple[Observation, np.ndarray]]:
    """Observations along demonstrations, each with where the end effector went from there, (M, 3) metres."""
    world = spec.build()
    try:
        looks = []
        for scene in scenes:
            obs, expert, seen = world.reset(scene), world.expert(), []
            while (action := expert.act()) is not None:
                seen.append((obs, action.position))
                obs = world.execute(action.position, action.gripper)
            path = np.array([position for _, position in seen], dtype=np.float32)
            looks += [(seen[k][0], path[k:]) for k in range(0, len(seen), FRAME_STRIDE)]
        return looks
    finally:
        world.close()


def errors_of(policy: Policy, looks: Sequence[tuple[Observation, np.ndarray]]) -> dict[str, Any]:
    """Pixel errors of a policy's steps t+1, t+2, ... over the looks at which the demonstration goes on that long."""
    by_step: list[list[float]] = [[] for _ in range(policy.config.horizon)]
    for obs, path in looks:
        predicted = pixels(predicted_chunk(policy, obs).position[0], obs)
        demonstrated = pixels(torch.from_numpy(path[: len(predicted)]), obs)
        for step, error in enumerate(np.linalg.norm(predicted[: len(demonstrated)] - demonstrated, axis=-1)):
            by_step[step].append(float(error))
    everything = np.concatenate([errors for errors in by_step if errors])
    return {
        "looks": len(looks),
        "median_px": round(float(np.median(everything)), 3),
        "mean_px": round(float(everything.mean()), 3),
        "median_px_by_step": [round(float(np.median(errors)), 3) if errors else None for errors in by_step],
    }
