"""A run folder with every file that an experiment leaves behind, made without running anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from para.datasets.video import write_video
from para.evaluation.results import EpisodeRecord, append_records, summarise
from para.interfaces import Scene

PAPER = {"para": {"test": (0.54, "54 of 100 trials")}, "act": {"test": (0.01, "1 of 100 trials")}}
WAYS = {
    "+execute1": {"execute_steps": 1, "ensemble_decay": None},
    "+execute2": {"execute_steps": 2, "ensemble_decay": None},
    "+execute4": {"execute_steps": 4, "ensemble_decay": None},
    "+execute_all": {"execute_steps": 0, "ensemble_decay": None},
    "+ensemble": {"execute_steps": 1, "ensemble_decay": 0.1},
}
HEADLINES = {"para": "+execute4", "act": "+ensemble"}
EXECUTE = {
    base + ("" if suffix == headline else suffix): options
    for base, headline in HEADLINES.items()
    for suffix, options in WAYS.items()
}
RATES = {"para": {"train": 0.99, "test": 0.96}, "act": {"train": 0.96, "test": 0.1}}
IMAGE_SIZE = (72, 96)  # not square: rows and columns must not be mixed up anywhere
T = 12


def training_positions() -> list[list[float]]:
    return [[round(x, 3), round(y, 3)] for x in np.linspace(-0.2, 0.19, 8) for y in np.linspace(-0.38, -0.1, 6)]


def make_records(n_train: int = 12, n_test: int = 24, seeds: int = 1, errors: int = 0) -> list[EpisodeRecord]:
    """Records of two policies, their executions and two variants; the last `errors` test episodes of ACT raised."""
    rng = np.random.default_rng(0)
    records = []
    names = [*EXECUTE, "para+paper_form", "act+train_range"]
    for name in names:
        for seed in range(seeds):
            for split, n in (("train", n_train), ("test", n_test)):
                scenes = np.random.default_rng(1 + (split == "test"))
                for index in range(n):
                    low, high = (-0.38, -0.1) if split == "train" else (-0.08, 0.22)
                    x, y = scenes.uniform(-0.2, 0.19), scenes.uniform(low, high)
                    distance = max(0.0, round(y + 0.1, 4))
                    rate = RATES[name.split("+")[0]][split]
                    if name.startswith("act") and split == "test":
                        rate = 0.9 * max(0.0, 1 - distance / 0.08)
                    draw = rng.random()
                    outcome = "placed" if draw < rate else ("grasped" if draw < rate + 0.3 * (1 - rate) else "missed")
                    failed = name == "act" and split == "test" and index >= n - errors
                    records.append(
                        EpisodeRecord(
                            experiment="left_to_right",
                            world="tabletop",
                            policy=name,
                            train_seed=seed,
                            split=split,
                            scene=Scene((round(x, 4), round(y, 4))).to_dict(),
                            scene_index=index,
                            outcome=None if failed else outcome,
                            steps=40,
                            seconds=1.0,
                            checkpoint="0123456789ab",
                            error="ValueError: the target <b>is not</b> finite" if failed else None,
                            boundary_distance_m=distance,
                            video=f"videos/{name}/{split}_{index:03d}.mp4" if seed == 0 and "+" not in name else None,
                        )
                    )
    return records


def make_config(**changes) -> dict:
    config = {
        "experiment": "left_to_right",
        "world": "tabletop",
        "scale": {"name": "small", "image_size": list(IMAGE_SIZE), "note": "Two CPU cores, minutes."},
        "title": "Left to right: new object positions",
        "question": "Trained with the object on the left half only, does the policy place it on the right half?",
        "command": "para experiment left_to_right --scale small --out runs/demo",
        "versions": {"para": "0.1.0", "torch": "2.13.0", "mujoco": "4.0.0"},
        "started": "2026-01-02 03:04:05 +0000",
        "seconds": {"record": 61.0, "train": 412.0},
        "data_hash": "feedc0ffee12",
        "training_xy": training_positions(),
        "thresholds": "placed: released upright within 4 cm of the plate's centre; grasped: lifted by more than 4 cm.",
        "recipes": {
            "para+paper_form": "the paper's plain form",
            "act+train_range": "outputs within the training range",
        },
        "execute": EXECUTE,
        "policies": {"para": {"horizon": T}, "act": {"horizon": T}},
    }
    return {**config, **changes}


def make_summary(records: list[EpisodeRecord], config: dict) -> dict:
    return summarise(
        records,
        experiment=config["experiment"],
        world=config["world"],
        scale=config["scale"]["name"],
        paper=PAPER,
        comparisons=[("para", "act", "test"), ("para", "act", "train"), ("para", "para+paper_form", "test")],
        seconds={**config["seconds"], "evaluate": 95.0},
    )


def table_picture(rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8: something like a table with a bowl."""
    H, W = IMAGE_SIZE
    v, u = np.mgrid[:H, :W]
    image = np.full((H, W, 3), (196, 178, 150), float) - 0.5 * v[..., None] + rng.normal(0, 3, (H, W, 1))
    image[(u - 60) ** 2 + ((v - 40) * 1.5) ** 2 < 90] = (40, 40, 45)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_prediction(path: Path, policy: str, kind: str, title: str, step: int, spread: float) -> None:
    rng = np.random.default_rng(3)
    H, W = IMAGE_SIZE
    s = np.linspace(0, 1, T)
    demonstrated_uv = np.stack([20 + 40 * s, 15 + 25 * s**2], axis=-1)
    demonstrated = np.stack([0.05 + 0.02 * s, -0.2 + 0.3 * s, 0.2 - 0.18 * s**2], axis=-1)
    uv = demonstrated_uv + rng.normal(0, spread, (T, 2))
    arrays = {
        "image": table_picture(rng),
        "uv": uv,
        "position": demonstrated + 0.003 * spread * rng.normal(0, 1, (T, 3)),
        "gripper": np.where(s < 0.8, 1.0, 0.0),
        "demonstrated_uv": demonstrated_uv,
        "demonstrated_position": demonstrated,
        "ee_uv": np.array([20.0, 15.0]),
        "meta": np.array(json.dumps({"title": title, "kind": kind, "policy": policy, "step": step, "scene": {}})),
    }
    if policy.startswith("para"):
        v, u = np.mgrid[: H // 4, : W // 4]
        far = (u[None] - uv[:, 0, None, None] / 4) ** 2 + (v[None] - uv[:, 1, None, None] / 4) ** 2
        heat = np.exp(-far / (2 * (0.8 + spread) ** 2))
        arrays["heatmaps"] = (heat / heat.sum(axis=(1, 2), keepdims=True)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def write_predictions(folder: Path) -> None:
    for policy, off in (("para", 0.3), ("act", 6.0)):
        write_prediction(folder / policy / "train_reach.npz", policy, "train", "training region, reaching", 700, 0.3)
        write_prediction(
            folder / policy / "test_reach.npz", policy, "test", "30 cm beyond training, reaching", 700, off
        )
        write_prediction(
            folder / policy / "test_grasp.npz", policy, "test", "27 cm beyond training, at the bowl", 700, off
        )
    write_prediction(folder / "para" / "early.npz", "para", "early", "after 70 training steps", 70, 5.0)
    write_prediction(folder / "para" / "late.npz", "para", "late", "after 700 training steps", 700, 0.3)


def write_videos(folder: Path, records: list[EpisodeRecord], per_split: int) -> None:
    rng = np.random.default_rng(4)
    for record in records:
        if record.video and record.scene_index < per_split:
            n = 8 + record.scene_index % 5
            frames = np.stack([table_picture(rng) for _ in range(n)])
            for i in range(n):
                frames[i, 10 + i : 16 + i, 4 * i : 4 * i + 8] = (31, 95, 168)
            write_video(folder / record.video, frames, fps=10)


def write_logs(folder: Path) -> None:
    for policy, floor in (("para", 4.0), ("act", 9.0), ("para+paper_form", 6.0)):
        path = folder / "checkpoints" / policy / "seed0" / "log.jsonl"
        path.parent.mkdir(parents=True)
        lines = []
        for step in range(10, 701, 10):
            lines.append({"step": step, "split": "train", "total": floor * (0.3 + 20 / step), "lr": 1e-3})
            if step % 100 == 0:
                heldout = {"loss": floor * (0.4 + 20 / step), "error_mm": floor + 2000 / step}
                if policy.startswith("para"):
                    heldout["pixel_error_px"] = 0.5 + 100 / step
                lines.append({"step": step, "split": "heldout", **heldout})
        path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 710, "spl')


def write_run(
    folder: Path,
    *,
    n_test: int = 24,
    seeds: int = 1,
    errors: int = 0,
    config: dict | None = None,
    per_split: int = 3,
    pictures: bool = True,
    everything: bool = True,
) -> Path:
    """A run folder; without `pictures` only its numbers, without `everything` `results.jsonl` alone."""
    records = make_records(n_test=n_test, seeds=seeds, errors=errors)
    append_records(folder / "results.jsonl", records)
    if not everything:
        return folder
    config = config or make_config()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "summary.json").write_text(json.dumps(make_summary(records, config)))
    if pictures:
        write_predictions(folder / "predictions")
        write_videos(folder, records, per_split)
        write_logs(folder)
    return folder
