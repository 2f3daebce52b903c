"""A folder of runs, one per kind of experiment, as committed records leave them: numbers only, made without running."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from para.evaluation.results import EpisodeRecord, append_records, summarise
from para.interfaces import Scene
from para.worlds.tabletop_expert import GRASP_OFFSET
from tests.reports.synthetic_run import WAYS

PAPER_CURVES = {
    "para": [[0, 0.88], [3.6, 0.79], [7.1, 0.62], [10.7, 0.63], [14.3, 0.62], [17.9, 0.62], [21.4, 0.33], [25, 0.38]],
    "act": [[0, 0.67], [3.6, 0.54], [7.1, 0.42], [10.7, 0.17], [14.3, 0.12], [17.9, 0.0], [21.4, 0.0], [25, 0.0]],
}
THETAS, BEYOND, PHIS = [3.57, 7.14, 10.71, 14.29, 17.86, 21.43, 25.0], [32.0, 40.0], range(0, 360, 45)
SCALE = {"name": "small", "image_size": [72, 96], "note": "Two CPU cores, minutes."}
GOAL_OFFSET = (0.0, 0.16)


@dataclass(frozen=True)
class Made:
    """One experiment of the synthetic family."""

    name: str
    axis: str
    title: str
    policies: tuple[str, ...]
    scenes: dict[str, list[tuple[Scene, float]]]
    """split -> (scene, distance from the training region in metres)."""

    headline: tuple[str, ...] = ("para", "act")
    headline_splits: tuple[str, ...] = ("test",)
    paper: dict[str, dict[str, tuple[float, str]]] = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    seeds: int = 2


def scenes_at(n: int, low: float, high: float, seed: int, **changes) -> list[tuple[Scene, float]]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        x, y = round(rng.uniform(-0.2, 0.19), 4), round(rng.uniform(low, high), 4)
        made.append((Scene((x, y), **changes), max(0.0, round(y + 0.1, 4))))
    return made


def corner_grid(count: int) -> list[list[float]]:
    n = 2 if count == 4 else int(np.ceil(np.sqrt(count)))
    return [[round(x, 3), round(y, 3)] for x in np.linspace(-0.2, 0.19, n) for y in np.linspace(-0.38, 0.22, n)][:count]


def views(thetas: Iterable[float], per_view: int) -> list[tuple[Scene, float]]:
    places = [(theta, phi) for theta in thetas for phi in PHIS]
    return [
        (scene.with_(view_theta_deg=theta, view_phi_deg=float(phi)), 0.0)
        for number, (theta, phi) in enumerate(places)
        for scene, _ in scenes_at(per_view, -0.38, 0.22, 100 + number)
    ]


def rate_of(policy: str, scene: Scene, distance: float) -> float:
    """PARA degrades slowly with angle and distance, the others at once; a perturbed or small training costs both."""
    slow = policy.startswith("para")
    rate = 1 / (1 + np.exp((scene.view_theta_deg - (38 if slow else 9)) / 4))
    rate *= 1 / (1 + np.exp((distance - (0.5 if slow else 0.05)) / 0.03))
    rate *= (0.95 if slow else 0.6) if scene.distractors else 1.0
    for part in policy.split("+")[1:]:
        if part.startswith("n") and part[1:].isdigit():
            rate *= 1 / (1 + np.exp(2.0 * ((3 if slow else 5) - np.log2(int(part[1:])))))
        if part.startswith(("rotation_", "translation_", "focal_")):
            rate *= np.exp(-float("".join(c for c in part if c.isdigit())) / 12)
        if part in ("no_warps", "no_camera"):
            rate *= 0.7
    return float(0.98 * rate)


def path_and_events(scene: Scene, mode: str) -> dict:
    """The way of the end effector, and where the gripper acted, in an episode that failed (or did not) in this way."""
    object_xy, goal_xy = np.array(scene.object_xy), np.add(scene.object_xy, GOAL_OFFSET)
    grasp_xy = object_xy + GRASP_OFFSET[:2]
    aim = grasp_xy - (0.06, 0.12) if mode == "wrong_place" else grasp_xy
    close_at = 0.11 if mode == "closed_early" else 0.045
    let_go = grasp_xy + (0.4 if mode == "dropped" else 1.0) * (goal_xy - object_xy)
    stops = [(-0.1, 0.0, 0.22), (*aim, 0.15), (*aim, close_at)]
    if mode != "never_closed":
        stops += [(*aim, 0.15), (*let_go, 0.155), (*let_go, 0.06), (*let_go, 0.15)]
    times = np.linspace(0, len(stops) - 1, 36)
    path = np.stack([np.interp(times, range(len(stops)), [stop[i] for stop in stops]) for i in range(3)], axis=-1)
    events = [] if mode == "never_closed" else [[20, 0, *stops[2]]]
    if mode == "dropped":
        events.append([35, 1, *stops[4]])
    elif mode in ("", "wrong_place", "closed_early"):
        events.append([50, 1, *stops[5]])
    return {"ee_path": path.round(3).tolist(), "gripper_events": [[round(float(v), 3) for v in e] for e in events]}


MODES = {"missed": ("wrong_place", "closed_early", "never_closed"), "grasped": ("dropped", "never_released")}


def make_family_records(made: Made) -> list[EpisodeRecord]:
    rng = np.random.default_rng(sum(map(ord, made.name)))
    records = []
    for policy in made.policies:
        for seed in range(made.seeds):
            for split, scenes in made.scenes.items():
                for index, (scene, distance) in enumerate(scenes):
                    rate = rate_of(policy, scene, distance)
                    draw = rng.random()
                    outcome = "placed" if draw < rate else ("grasped" if draw < rate + 0.3 * (1 - rate) else "missed")
                    mode = "" if outcome == "placed" else MODES[outcome][index % len(MODES[outcome])]
                    records.append(
                        EpisodeRecord(
                            experiment=made.name, world="tabletop", policy=policy, train_seed=seed, split=split,
                            scene=scene.to_dict(), scene_index=index, outcome=outcome, steps=60 + 10 * (index % 7),
                            seconds=0.5, checkpoint="0123456789ab", boundary_distance_m=distance,
                            goal_xy=np.add(scene.object_xy, GOAL_OFFSET).round(4).tolist(),
                            **path_and_events(scene, mode),
                        )
                    )  # fmt: skip
    return records


def family_config(made: Made) -> dict:
    grid = [[round(x, 3), round(y, 3)] for x in np.linspace(-0.2, 0.19, 6) for y in np.linspace(-0.38, -0.1, 6)]
    return {
        "experiment": made.name,
        "title": made.title,
        "question": f"What does {made.title.lower()} cost?",
        "world": "tabletop",
        "scale": SCALE,
        "axis": made.axis,
        "headline": list(made.headline),
        "headline_splits": list(made.headline_splits),
        "policies": {policy: {"horizon": 12} for policy in made.policies},
        "recipes": {policy: f"why {policy}" for policy in made.policies},
        "execute": {policy: WAYS.get("+" + policy.rpartition("+")[2], WAYS["+execute4"]) for policy in made.policies},
        "command": f"para experiment {made.name} --scale small --train-seeds {made.seeds}",
        "versions": {"para": "0.1.0", "torch": "2.13.0"},
        "seconds": {"record": 61.0, "train": 412.0},
        "training": {"demonstrations": {"xy": grid, "views": [[0.0, 0.0]], "n": len(grid)}},
        "train_seeds": made.seeds,
        **made.extra,
    }


def synthetic_experiments(n: int = 16) -> list[Made]:
    """One of each kind; `n` scenes in a split."""
    four = ("para", "act", "motion_tracks", "diffusion")
    counts = (4, 8, 16, 32, 64)
    corners = tuple(f"{base}+n{count}" for base in ("para", "act") for count in counts)
    heads = ("para", "para+no_warps", "act", "act+camera", "act+camera+warps", "soft_argmax")
    tilts = {f"rotation_deg_{v}": ("rotation_deg", v) for v in (1, 2, 4)}
    moves = {f"translation_mm_{v}": ("translation_mm", v) for v in (5, 10, 20)}
    zooms = {f"focal_percent_{v}": ("focal_percent", v) for v in (1, 2, 5)}
    sweep = {
        f"para+{name}": {"base": "para", "quantity": quantity, "value": float(v)}
        for name, (quantity, v) in {**tilts, **moves, **zooms}.items()
    }
    windows = {
        f"{base}+t{v}": {"base": base, "quantity": "horizon", "value": v}
        for base in ("para", "act")
        for v in (4, 6, 12)
    }
    ways = tuple(f"{name}+{way}" for name in windows for way in ("execute1", "execute_all"))
    inside = {"train": scenes_at(n, -0.38, -0.1, 1), "test": scenes_at(n, -0.08, 0.22, 2)}
    all_over = {"test": scenes_at(n, -0.38, 0.22, 3)}
    clutter = {
        "default_position": scenes_at(n, -0.2, -0.19, 4, distractors=("mug", "box")),
        "test": scenes_at(n, -0.38, -0.1, 5, distractors=("mug", "box")),
    }
    paper = {"para": {"test": (0.54, "draft, 54 of 100")}, "act": {"test": (0.01, "draft, 1 of 100")}}
    few = {"para+n32": {"test": (0.54, "draft")}, "act+n32": {"test": (0.33, "draft")}}
    return [
        Made("left_to_right", "position", "Left to right", (*four, "para+execute1"), inside, four, paper=paper),
        Made(
            "corner_scaling", "position", "Corner scaling", corners, all_over, ("para+n32", "act+n32"), paper=few,
            extra={
                "training": {f"corners{count}": {"xy": corner_grid(count), "n": count} for count in counts},
                "data": {f"{base}+n{count}": f"corners{count}" for base in ("para", "act") for count in counts},
            },
        ),
        Made(
            "viewpoints", "view", "Default view to all views", four,
            {"train": views([0.0], 1), "test": views(THETAS, 1), "beyond": views(BEYOND, 1)}, four,
            paper={"para": {"test": (0.57, "derived")}, "act": {"test": (0.18, "derived")}},
            extra={
                "paper_curves": PAPER_CURVES, "paper_curves_source": "draft, figure 6",
            },
        ),
        Made("distractors", "clutter", "Distractors", four, clutter, four, ("default_position", "test")),
        Made(
            "action_heads", "control", "Action heads", heads, {"test": views([0.0, 14.29], 1), **all_over}, ("para",),
            extra={
                "factors": {
                    name: {
                        "head": "heatmap" if name.startswith("para") else "regression",
                        "augmentation": "warps" if name in ("para", "act+camera+warps") else "colour",
                        "camera": "lifting" if name.startswith("para") else "input" if "camera" in name else "none",
                    }
                    for name in heads
                }
            },
        ),
        Made(
            "calibration_error", "control", "Calibration error", ("para", "act", *sweep), all_over,
            extra={"sweep": sweep},
        ),
        Made("window", "control", "Window", (*windows, *ways), all_over, tuple(windows), extra={"sweep": windows}),
    ]  # fmt: skip


def write_family(folder: Path, *, n: int = 16, experiments: Iterable[Made] | None = None) -> Path:
    """The folder of a family: `config.json`, `results.jsonl` and `summary.json` of each experiment."""
    for made in experiments if experiments is not None else synthetic_experiments(n):
        records, config = make_family_records(made), family_config(made)
        run = folder / made.name
        append_records(run / "results.jsonl", records)
        (run / "config.json").write_text(json.dumps(config))
        others = [p for p in made.headline if p != made.headline[0]]
        summary = summarise(
            records, experiment=made.name, world="tabletop", scale="small", paper=made.paper,
            comparisons=[(made.headline[0], other, split) for split in made.headline_splits for other in others],
            seconds={**config["seconds"], "evaluate": 95.0},
        )  # fmt: skip
        (run / "summary.json").write_text(json.dumps(summary))
    return folder
