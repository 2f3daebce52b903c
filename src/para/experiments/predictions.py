"""What policies see and predict, as arrays for the report: reports read files and never run a policy."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from para.devices import device_of
from para.evaluation.protocol import WorldSpec
from para.experiments.acting import load_to_act
from para.experiments.experiment import EvaluationScene, SceneSet
from para.experiments.training_jobs import TrainJob
from para.files import write_atomic
from para.geometry import project
from para.interfaces import ActionChunk, Observation, Policy, Scene, World
from para.rollout import predicted_chunk
from para.training.checkpoint import weights_hash
from para.training.options import TrainConfig

logger = logging.getLogger(__name__)


class Moment(NamedTuple):
    """Where to look: a scene, so many expert steps after its start."""

    name: str
    kind: str
    """train, test, early or late."""
    title: str
    scene: Scene
    n_steps: int


def moments(scenes: SceneSet) -> list[Moment]:
    """A training scene, and the scenes of the last split farthest from training at three stages of the task."""
    splits = list(scenes.evaluation.values())
    first, last = splits[0], splits[-1]
    far = sorted(last, key=distance, reverse=True)
    picks = [Moment("train_reach", "train", "in distribution, reaching", first[0].scene, 1)]
    for name, title, n_steps in (("reach", "reaching", 1), ("grasp", "at the bowl", 9), ("carry", "carrying", 20)):
        item = far[min(len(picks) - 1, len(far) - 1)]
        picks.append(Moment(f"test_{name}", "test", f"{describe_distance(item)}, {title}", item.scene, n_steps))
    return picks


def distance(item: EvaluationScene) -> float:
    """How far a scene is from training: degrees of the view, then metres of the object."""
    return item.scene.view_theta_deg + (item.boundary_distance_m or 0.0)


def describe_distance(item: EvaluationScene) -> str:
    """What is new in a scene, in words."""
    parts = []
    if item.boundary_distance_m:
        parts.append(f"{100 * item.boundary_distance_m:.0f} cm beyond training")
    if item.scene.view_theta_deg:
        parts.append(f"view turned by {item.scene.view_theta_deg:.0f} degrees")
    if item.scene.distractors:
        parts.append("among distractors")
    return ", ".join(parts) or "another scene"


def export_predictions(folder: Path, spec: WorldSpec, jobs: list[TrainJob], scenes: SceneSet, suffix: str = "") -> None:
    """Write `predictions/<policy>/<moment>.npz` for every trained policy, and early and late ones of the first moment.

    What is there of the same weights is kept. The arrays are listed in docs/architecture.md. `suffix` is that of the
    policies' names in a world that is not the run's.
    """
    wanted: list[tuple[Path, Path, Moment, int]] = []
    for job in jobs:
        into = folder / "predictions" / (job.name + suffix)
        for moment in moments(scenes):
            wanted.append((into / f"{moment.name}.npz", job.folder, moment, job.training.steps))
        first = moments(scenes)[1]
        for kind, step in early_and_late(job.training):
            source = job.folder if kind == "late" else job.folder / "snapshots" / f"step_{step:06d}"
            moment = first._replace(name=kind, kind=kind, title=f"{first.title}, after {step} training steps")
            wanted.append((into / f"{kind}.npz", source, moment, step))
    missing = [item for item in wanted if not shows(item[0], item[1])]
    if not missing:
        return
    world = spec.build()
    try:
        for path, checkpoint, moment, step in missing:
            policy = load_to_act(checkpoint)
            arrays = predict_at(policy, world, moment)
            meta = {"title": moment.title, "kind": moment.kind, "policy": policy.name, "step": step}
            meta["checkpoint"] = weights_hash(checkpoint)
            arrays["meta"] = np.array(json.dumps(meta | {"scene": moment.scene.to_dict()}))
            content = io.BytesIO()
            np.savez_compressed(content, **arrays)
            write_atomic(path, content.getvalue())
    finally:
        world.close()
    logger.info("looked inside at %d moments", len(missing))


def shows(path: Path, checkpoint: Path) -> bool:
    """Whether a file holds what those weights predict; one that does not say of which it is, as older ones, does."""
    if not path.exists():
        return False
    try:
        with np.load(path) as arrays:
            of = json.loads(str(arrays["meta"])).get("checkpoint")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile):
        return False  # damaged: it is made again
    return of is None or of == weights_hash(checkpoint)


def early_and_late(training: TrainConfig) -> list[tuple[str, int]]:
    """The steps of an early snapshot and of the end; none where no snapshot was taken."""
    early = [("early", step) for step in training.snapshot_steps[:1]]
    return [*early, ("late", training.steps)] if early else []


def predict_at(policy: Policy, world: World, moment: Moment) -> dict[str, np.ndarray]:
    """What the policy predicts at a moment, and what the demonstrator does from there."""
    obs = world.reset(moment.scene)
    expert = world.expert()
    for _ in range(moment.n_steps):
        action = expert.act()
        if action is not None:
            obs = world.execute(action.position, action.gripper)
    chunk = predicted_chunk(policy, obs)
    demonstrated = follow(expert, world, chunk.horizon, hold=obs.ee_position[0].numpy())
    arrays: dict[str, Any] = {
        "image": obs.image[0].permute(1, 2, 0).numpy(),
        "uv": pixels(chunk.position[0], obs),
        "position": chunk.position[0].numpy(),
        "gripper": chunk.gripper[0].numpy(),
        "demonstrated_position": demonstrated,
        "demonstrated_uv": pixels(torch.from_numpy(demonstrated), obs),
        "ee_uv": pixels(obs.ee_position, obs)[0],
        "K": obs.camera.K[0].numpy(),
        "T_world_cam": obs.camera.T_world_cam[0].numpy(),
    }
    return arrays | distributions(policy, obs, chunk)


def distributions(policy: Policy, obs: Observation, chunk: ActionChunk) -> dict[str, np.ndarray]:
    """Heatmaps (T, h, w) and height probabilities (T, N_H) of a policy that has them; nothing for the others."""
    if chunk.peak_probability is None or not hasattr(policy, "predict"):
        return {}
    prediction = policy.predict(obs.to(device_of(policy)))
    logits, heights = prediction.heatmap_logits[0].cpu(), prediction.height_logits[0].cpu()
    heatmaps = logits.flatten(1).softmax(dim=-1).view_as(logits)
    return {"heatmaps": heatmaps.numpy(), "height_probs": heights.softmax(dim=-1).numpy()}


def follow(expert, world: World, horizon: int, hold: np.ndarray) -> np.ndarray:
    """The next positions of the demonstrator, (T, 3) metres; the last one is held once it is done."""
    positions = []
    for _ in range(horizon):
        action = expert.act()
        if action is not None:
            world.execute(action.position, action.gripper)
            hold = action.position
        positions.append(hold)
    return np.asarray(positions, dtype=np.float32)


def pixels(p_world: torch.Tensor, obs: Observation) -> np.ndarray:
    """Where points (N, 3) appear in the one image of an observation. -> (N, 2)."""
    uv, _ = project(p_world.to(obs.camera.K.dtype), obs.camera)
    return uv.numpy()
