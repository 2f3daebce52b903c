"""What a policy is off by where the camera was moved, along demonstrations: by its pixels, and by its heights.

    python -m benchmarks.view_errors --checkpoint runs/viewpoints/checkpoints/para/seed0 --world tabletop

prints JSON; a minute or two. In a few views of the viewpoints' validation scenes the scripted expert is followed; at
every fourth frame the policy's chunk is compared with where the end effector went: as the camera sees it, and warped
to and towards the camera of its demonstrations (`RolloutConfig.home_view_m`). The part of the pixels is what remains
with the demonstrated heights, that of the heights with the demonstrated pixels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from para.evaluation.protocol import WorldSpec
from para.experiments.acting import load_to_act
from para.experiments.pixel_errors import demonstrated_looks
from para.experiments.recipes import HOME_VIEW_M
from para.experiments.scale import SCALES
from para.experiments.view_sets import default_to_all
from para.geometry import Camera, lift_to_height_masked, project
from para.interfaces import Observation, Policy, Scene
from para.rollout import from_home, predicted_chunk
from para.worlds import world_entry

WITHIN_DEG = (None, 10.0, 5.0, 0.0)
"""How near to the camera of the demonstrations pictures are brought; None: as they are."""

VIEWS = ((0.0, 0.0), *((25.0, phi) for phi in (0.0, 90.0, 180.0, 225.0, 270.0, 315.0)))


def scenes_of(world: str, views: Sequence[tuple[float, float]], n: int) -> dict[tuple[float, float], list[Scene]]:
    """At most n of the viewpoints' validation scenes in each of the views."""
    sets = default_to_all(world_entry(world).workspace, SCALES["small"], validation=True)
    scenes = [item.scene for items in sets.evaluation.values() for item in items]
    seen_from = {view: [s for s in scenes if (s.view_theta_deg, s.view_phi_deg) == view] for view in views}
    return {view: found[:n] for view, found in seen_from.items() if found}


def off_by(predicted: Tensor, demonstrated: Tensor, camera: Camera) -> dict[str, Tensor]:
    """Of points (N, 3) and demonstrated ones: errors over the table in mm, their two parts, and errors in pixels."""
    N = len(predicted)
    cameras = Camera(camera.K.expand(N, 3, 3), camera.T_world_cam.expand(N, 4, 4), camera.image_size)
    uv, uv_told = project(predicted, cameras)[0], project(demonstrated, cameras)[0]

    def over_the_table(points: Tensor) -> Tensor:
        return 1000 * (points - demonstrated)[:, :2].norm(dim=-1)

    return {
        "over_the_table_mm": over_the_table(predicted),
        "by_pixels_mm": over_the_table(lift_to_height_masked(uv, demonstrated[:, 2], cameras)[0]),
        "by_heights_mm": over_the_table(lift_to_height_masked(uv_told, predicted[:, 2], cameras)[0]),
        "pixels_px": (uv - uv_told).norm(dim=-1),
    }


def errors(
    policy: Policy, looks: Sequence[tuple[Observation, np.ndarray]], within_deg: float | None
) -> dict[str, float]:
    """Medians of `off_by` over all steps of all chunks."""
    parts: dict[str, list[Tensor]] = {}
    for obs, path in looks:
        shown = obs if within_deg is None else from_home(policy, obs, HOME_VIEW_M, within_deg)
        predicted = predicted_chunk(policy, shown).position[0]
        told = torch.from_numpy(path[: len(predicted)])
        for name, values in off_by(predicted[: len(told)], told, obs.camera).items():
            parts.setdefault(name, []).append(values)
    return {name: round(float(torch.cat(values).median()), 2) for name, values in parts.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of a policy for the viewpoints")
    parser.add_argument("--world", default="tabletop")
    parser.add_argument("--scenes", type=int, default=2, help="of each view")
    chosen = parser.parse_args()
    policy = load_to_act(chosen.checkpoint)
    spec = WorldSpec(chosen.world, tuple(policy.config.image_size))
    for view, scenes in scenes_of(chosen.world, VIEWS, chosen.scenes).items():
        looks = demonstrated_looks(spec, scenes)
        for within in WITHIN_DEG:
            told = {"theta_phi_deg": view, "within_deg": within, "scenes": len(scenes), "looks": len(looks)}
            print(json.dumps(told | errors(policy, looks, within)), flush=True)


if __name__ == "__main__":
    main()
