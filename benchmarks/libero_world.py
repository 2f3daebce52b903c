"""What the world `libero` does on this machine: expert's success, where markers are drawn, and how long things take.

    PARA_LIBERO_ASSETS=generated .venv-libero/bin/python -m benchmarks.libero_world

prints JSON; some minutes. The scripted expert acts on every position of the training grid, on the task's fifty official
initial states and, if asked, at random among all distractors and in the nine other tasks, with nothing drawn; markers
are drawn near the four corners of the image in each of the cap's 57 views, and of some views it is told how far a pixel
and a centimetre of height move a lifted point. Times are medians and hold for this machine
at this moment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np
import torch

from para.geometry import lift_to_height, pixel_rays, project
from para.interfaces import Observation, Scene
from para.worlds.libero import LiberoWorld
from para.worlds.libero_model import DISTRACTORS
from para.worlds.libero_package import task_names
from para.worlds.libero_scenes import LIBERO, official_scenes
from para.worlds.scenes import viewpoint_cap

MAX_FRAMES = 120
"""An expert that is still at work then has failed."""

ONE_ATTEMPT = 45
"""Stored frames that suffice for one attempt; more of them mean that the expert tried again."""

MIDDLE = Scene((-0.21, 0.0))


class Undrawn(LiberoWorld):
    """The same without pictures, which the expert does not need."""

    def look(self) -> Observation:
        """None, as nobody looks."""
        return None  # type: ignore[return-value]


def expert_figures(world: LiberoWorld, scenes: list[Scene]) -> dict[str, Any]:
    """How often the expert places the bowl, in how many frames and seconds, and where it fails."""
    frames, seconds, failed = [], [], []
    for scene in scenes:
        started = time.perf_counter()
        world.reset(scene)
        expert, n = world.expert(), 0
        while n < MAX_FRAMES and (action := expert.act()) is not None:
            world.execute(action.position, action.gripper)
            n += 1
        seconds.append(time.perf_counter() - started)
        frames.append(n)
        if world.outcome() != "placed" or n == MAX_FRAMES:
            failed.append({"scene": scene.task or scene.object_xy, "outcome": world.outcome(), "frames": n})
    return {
        "placed": len(scenes) - len(failed),
        "of": len(scenes),
        "tried_again": sum(n > ONE_ATTEMPT for n in frames),
        "frames_median": statistics.median(frames),
        "frames_most": max(frames),
        "seconds_per_episode": round(statistics.median(seconds), 2),
        "failed": failed,
    }


def task_figures(assets: str, n: int) -> dict[str, Any]:
    """The same expert in every task of libero_spatial, from its first official states: it was made for task 0."""
    figures = {}
    for index, name in enumerate(task_names()):
        world = Undrawn((16, 16), task_index=index, assets=assets)
        found = expert_figures(world, official_scenes(index)[:n])
        figures[f"{index} {name.removeprefix('pick_up_the_').removesuffix('_and_place_it_on_the_plate')}"] = found
        world.close()
    return figures


def marker_figures(world: LiberoWorld) -> dict[str, Any]:
    """How far from where `project` says a marker is drawn, in pixels."""
    errors = []
    for theta, phi in viewpoint_cap():
        obs = world.reset(MIDDLE.with_(view_theta_deg=float(theta), view_phi_deg=float(phi)))
        H, W = obs.camera.image_size
        v, u = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
        corners = torch.tensor([[6.0, 5.0], [W - 7.0, 5.0], [6.0, H - 6.0], [W - 7.0, H - 6.0]])
        origin, direction = pixel_rays(corners, obs.camera)
        for p_world in origin + 0.5 * direction:  # nearer to the camera than what could hide it
            change = (world.show_marker(p_world.numpy()).image[0].float() - obs.image[0].float()).abs().sum(dim=0)
            seen = torch.stack([(u * change).sum(), (v * change).sum()]) / change.sum()
            errors.append(float((seen - project(p_world, obs.camera[0])[0]).norm()))
    return {
        "views": len(viewpoint_cap()),
        "markers": len(errors),
        "median_px": round(statistics.median(errors), 3),
        "most_px": round(max(errors), 3),
    }


def lifting_figures(world: LiberoWorld) -> dict[str, dict[str, float]]:
    """What an error of a pixel, and of a height, moves a point by that is lifted 5 cm above the table's middle.

    In centimetres, for one of 128 pixels along the image's height, and for a centimetre of height; the camera's
    elevation in degrees.
    """
    figures = {}
    height = torch.tensor([0.05])
    for theta, phi in ((0.0, 0.0), *((25.0, phi) for phi in np.arange(8) * 45.0)):
        camera = world.reset(MIDDLE.with_(view_theta_deg=theta, view_phi_deg=float(phi))).camera
        pixel = 1 / 128 * torch.tensor([[0.0, float(camera.image_size[0])]])
        uv, _ = project(torch.tensor([[*MIDDLE.object_xy, float(height)]]), camera)
        there = lift_to_height(uv, height, camera)
        moved = [lift_to_height(uv + pixel, height, camera), lift_to_height(uv, height + 0.01, camera)]
        by_pixel, by_height = (100 * float((point - there)[0, :2].norm()) for point in moved)
        down = -float(camera.T_world_cam[0, 2, 2])
        figures[f"theta {theta:g} phi {phi:g}"] = {
            "elevation_deg": round(float(np.degrees(np.arcsin(down))), 1),
            "pixel_cm": round(by_pixel, 1),
            "height_cm": round(by_height, 1),
        }
    return figures


def drawing_figures(assets: str, repeats: int = 15) -> dict[str, float]:
    """Milliseconds to draw a frame, by size, quality and scene."""
    figures = {}
    for quality in ("fast", "nice"):
        for side in (128, 224, 448):
            world = LiberoWorld((side, side), render_quality=quality, assets=assets)
            for name, scene in (("clean", MIDDLE), ("full", official_scenes()[0])):
                world.reset(scene)
                times = []
                for _ in range(repeats):
                    started = time.perf_counter()
                    world.look()
                    times.append(time.perf_counter() - started)
                figures[f"{side} {quality} {name}"] = round(1000 * statistics.median(times), 1)
            world.close()
    return figures


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assets", default="", help="a folder, or `generated`; default: what the world takes")
    parser.add_argument("--grid-stride", type=int, default=1, help="every n-th grid position along each side")
    parser.add_argument("--official", type=int, default=50, help="how many official initial states")
    parser.add_argument("--cluttered", type=int, default=0, help="how many scenes with every distractor")
    parser.add_argument("--tasks", type=int, default=0, help="how many official states of each of the ten tasks")
    parser.add_argument("--no-drawing", action="store_true", help="the expert alone")
    options = parser.parse_args()
    grid = LIBERO.grid_positions()[:: options.grid_stride, :: options.grid_stride].reshape(-1, 2)
    rng = np.random.default_rng(0)
    cluttered = [
        Scene(tuple(rng.uniform(LIBERO.low, LIBERO.high)), distractors=tuple(DISTRACTORS), seed=i)
        for i in range(options.cluttered)
    ]
    world = Undrawn((16, 16), assets=options.assets)
    report: dict[str, Any] = {"assets": world.assets.words}
    sets = {
        "training_grid": [Scene((float(x), float(y))) for x, y in grid],
        "official_states": official_scenes()[: options.official],
        "all_distractors": cluttered,
    }
    for name, scenes in sets.items():
        if scenes:
            report[name] = expert_figures(world, scenes)
    world.close()
    if options.tasks:
        report["tasks"] = task_figures(options.assets, options.tasks)
    if not options.no_drawing:
        world = LiberoWorld((96, 128), assets=options.assets)
        report["markers"] = marker_figures(world)
        report["lifting"] = lifting_figures(world)
        world.close()
        report["milliseconds_per_frame"] = drawing_figures(options.assets)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
