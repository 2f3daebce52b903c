"""Evaluation of one checkpoint by itself, outside of any experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from para.assets import told_of_both, with_own_entry
from para.evaluation.kept_records import check_same_run
from para.evaluation.protocol import Run, Trial, WorldSpec, evaluate
from para.evaluation.results import read_results
from para.evaluation.summary_text import UNFINISHED
from para.experiments.acting import load_to_act, processes_to_act
from para.experiments.lessons import lesson_of
from para.experiments.provenance import agrees, provenance, with_earlier
from para.experiments.store import assets_of
from para.experiments.summaries import summarise_run
from para.experiments.trials import goal_in
from para.experiments.unfinished import unfinished
from para.files import read_json, write_json
from para.interfaces import Scene
from para.locks import check_free, only_writer
from para.rollout import RolloutConfig, home_camera_of
from para.training.checkpoint import load_policy, weights_hash
from para.training.configs import config_to_dict
from para.training.run_folder import with_defaults
from para.worlds import world_entry
from para.worlds.scenes import sample_object_xy

OFFICIAL = "official"
"""In place of a half: the initial conditions that the world's makers test in."""


def evaluate_checkpoint(
    checkpoint: Path, out: Path, *, world: str, half: str | None, n: int, seed: int, rollout: RolloutConfig,
    n_videos: int, workers: int, world_options: dict[str, Any], warning: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Run a policy in `n` random scenes and summarise; goes on from the records that are there.

    Args:
        checkpoint: folder of the policy.
        out: gets results.jsonl, summary.json and videos/.
        world: name of the world; its images are of the policy's size.
        half: where the object may lie (None: anywhere in the workspace); `OFFICIAL`: the world's own scenes.
        n, seed: how many scenes, and of which stream.
        rollout: how chunks are carried out.
        n_videos: how many episodes are filmed.
        workers: processes.
        world_options: of that world, as its servo.
        warning: what a reader of the page must know of the policy; "": nothing.

    Raises:
        FileNotFoundError, ValueError: if the checkpoint is missing or damaged, the world's assets are not whole, or
            `out` holds other records, or the world has no scenes of its own, or the policy is to look from home and
            does not say where that is.
        ImportError: where the world's own scenes are in a package that is missing.
    """
    policy = load_policy(checkpoint)
    if rollout.home_view_m is not None:
        policy.home_camera = lesson_of(checkpoint).home_camera()
        home_camera_of(policy)
    scenes = scenes_to_try(world, half, n, seed, world_options)
    weights = weights_hash(checkpoint)
    spec = WorldSpec(world, tuple(policy.config.image_size)).with_options(world_options)
    trials = [
        Trial(
            policy.name, str(checkpoint), weights, 0, half or "all", i, scene,
            spec, rollout, None, goal_in(world, scene),
            f"videos/{policy.name}/{half or 'all'}_{i:03d}.mp4" if i < n_videos else None,
        )
        for i, scene in enumerate(scenes)
    ]  # fmt: skip
    config = {
        "experiment": "evaluate",
        "title": f"{policy.name} by itself",
        "world": world,
        "world_options": world_options,
        "scale": {"name": "single"},
        "policies": {policy.name: config_to_dict(policy.config)},
        "execute": {policy.name: config_to_dict(rollout)},
        "thresholds": world_entry(world).describe_stages(),
    }
    assets = assets_of(spec)
    config |= {"assets": assets} if assets else {}
    check_free(out)
    claim_folder(out, config, {"warning": warning} if warning else {}, trials)
    with only_writer(out):
        run = Run("evaluate", out, load_to_act)
        with unfinished(out, trials):
            evaluate(trials, run, workers=processes_to_act([checkpoint], workers))
        return summarise_run(out)


def scenes_to_try(world: str, half: str | None, n: int, seed: int, options: Mapping[str, Any]) -> list[Scene]:
    """As many scenes, as `evaluate_checkpoint` says; of the world's own ones the first.

    Raises:
        ValueError: if the world has none of its own, or not as many.
        ImportError: where they are in a package that is missing.
    """
    workspace = world_entry(world).workspace
    if half == OFFICIAL:
        own = own_scenes(world, options)
        if not 1 <= n <= len(own):
            raise ValueError(f"world '{world}' has {len(own)} scenes of its own; asked for were {n}")
        return own[:n]
    low, high = workspace.region(half)
    positions = sample_object_xy(low, high, n, generator=np.random.default_rng(seed)).round(4)
    return [Scene(object_xy=(float(x), float(y)), seed=i) for i, (x, y) in enumerate(positions)]


def own_scenes(world: str, options: Mapping[str, Any]) -> list[Scene]:
    """The scenes that a world's makers test in. Raises ValueError where there are none, ImportError as above."""
    made = world_entry(world).workspace.own_scenes
    if made is None:
        raise ValueError(f"world '{world}' has no scenes of its own; choose a half, or all")
    return made(options)


def same(name: str, old: Any, new: Any) -> bool:
    """Whether an entry of a record is what it would be now; options younger than it count as their defaults."""
    if name == "execute" and isinstance(old, dict):
        return {policy: with_defaults(RolloutConfig, how) for policy, how in old.items()} == new
    return agrees(old, new) if name == "policies" else old == new


def claim_folder(out: Path, config: dict[str, Any], told: dict[str, Any], trials: list[Trial]) -> None:
    """Write `config.json`, or check that the one there is of the same evaluation, unless that one has no episode yet.
    `told` goes into it too, and is not compared.

    Raises:
        ValueError: if the folder holds another run, one with other assets, episodes of other weights or scenes than
            these trials', or files that are no run at all. Nothing is changed then.
    """
    made = provenance()
    path = out / "config.json"
    began = path.exists() and read_json(path).get("experiment") == "evaluate" and not (out / "results.jsonl").exists()
    if path.exists() and not began:
        old = with_own_entry(read_json(path))
        try:
            assets = told_of_both(old.get("assets", ""), config.get("assets", ""))
        except ValueError as error:
            raise ValueError(f"{out}: {error}") from error
        config = config | ({"assets": assets} if assets else {})
        told = told | ({UNFINISHED: old[UNFINISHED]} if UNFINISHED in old else {})
        other = [name for name in config if name != "assets" and not same(name, old.get(name), config[name])]
        if other:
            raise ValueError(
                f"{out} holds another run (made by: {old.get('command')}; it differs in {', '.join(other)}); "
                "choose another --out, or remove the folder"
            )
        check_same_run(trials, read_results(out / "results.jsonl"), out / "results.jsonl")
        made |= {"command": with_earlier(made["command"], old["command"]), "started": old["started"]}
    elif not began and out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no run (no config.json); choose another --out")
    write_json(path, config | told | made)
