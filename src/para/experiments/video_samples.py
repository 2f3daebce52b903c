"""What video models imagine, beside what came: generated frames and the keypoints of both, as files for the page.

In some scenes of the test a demonstration is followed. At some of its frames a policy's video model generates the
frames to come from the one that is seen, and its heads say where the end effector will be in each. Where it is in the
generated picture is found by its look (`ee_finder.py`), whose own error on the real frames is told beside it.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from para.backbones import svd_video
from para.devices import device_of
from para.evaluation.protocol import WorldSpec
from para.experiments.acting import load_to_act
from para.experiments.ee_finder import find_end_effector
from para.experiments.predictions import distributions, pixels
from para.files import read_json, write_atomic, write_json
from para.geometry.pixels import in_image
from para.interfaces import Observation, Policy, Scene
from para.pixel_actions.frames import frame_offsets
from para.policies.video import VideoRegression
from para.rollout import predicted_chunk
from para.training.checkpoint import weights_hash

if TYPE_CHECKING:
    from para.experiments.run import Plan

logger = logging.getLogger(__name__)

FOLDER, ERRORS_FILE = "video", "video_alignment.json"

FRAME_STRIDE = 6
"""Every n-th frame of a demonstration is looked at."""

N_SCENES = 6
N_SHOWN = 5
"""Looks whose frames are kept for the page (the original project showed 5)."""

DENOISING_STEPS = 12
"""Of sampling."""


class Look(NamedTuple):
    """A moment of a demonstration, and what came."""

    obs: Observation
    frames: np.ndarray
    """(F - 1, H, W, 3) uint8, the frames to come."""
    ee_uv: np.ndarray
    """(F, 2) pixels of the end effector, now and in them."""


def export_video_samples(plan: Plan) -> None:
    """Write `video_alignment.json`, and `video/<policy>/look<k>.npz` of the first training run; what is there of the
    same weights is kept. Of policies whose video model is frozen nothing is written: it is another one's.
    """
    out = plan.options.out
    path = out / ERRORS_FILE
    rows: list[dict[str, Any]] = read_json(path)["rows"] if path.exists() else []
    known = {(row["policy"], row["train_seed"], row["checkpoint"]) for row in rows}
    jobs = [job for job in plan.jobs if job.config.backbone.mode != "frozen"]
    wanted = [job for job in jobs if (job.name, job.seed, weights_hash(job.folder)) not in known]
    if not wanted:
        return
    items = list(plan.scenes.evaluation.values())[-1]
    config = wanted[0].config
    offsets = frame_offsets(config.horizon, config.backbone.n_frames)
    looks = demonstrated_looks(plan.spec, [item.scene for item in items[:N_SCENES]], offsets)
    for job in wanted:
        policy = load_to_act(job.folder)
        samples = [sample(policy, look, offsets) for look in looks]
        rows = [row for row in rows if (row["policy"], row["train_seed"]) != (job.name, job.seed)]
        told = {"policy": job.name, "train_seed": job.seed, "checkpoint": weights_hash(job.folder)}
        rows.append(told | errors_of(samples))
        if job.seed == 0:
            for k, i in enumerate(np.unique(np.linspace(0, len(samples) - 1, N_SHOWN).astype(int))):
                write_sample(out / FOLDER / job.name / f"look{k}.npz", samples[i], offsets)
        write_json(path, {"image_size": list(plan.spec.image_size), "offsets": list(offsets), "rows": rows})
    logger.info("generated %d videos of %d policies", len(looks) * len(wanted), len(wanted))


def demonstrated_looks(spec: WorldSpec, scenes: Sequence[Scene], offsets: Sequence[int]) -> list[Look]:
    """Moments along demonstrations at which the demonstration goes on to the last of the frames to come."""
    world = spec.build()
    try:
        looks = []
        for scene in scenes:
            obs, expert = world.reset(scene), world.expert()
            seen = [obs]
            while (action := expert.act()) is not None:
                seen.append(world.execute(action.position, action.gripper))
            uv = np.stack([pixels(obs.ee_position, obs)[0] for obs in seen])  # (N, 2)
            for now in range(0, len(seen) - offsets[-1], FRAME_STRIDE):
                later = [now + offset for offset in offsets]
                frames = np.stack([as_picture(seen[i].image[0]) for i in later])
                if bool(in_image(torch.from_numpy(uv[[now, *later]]), spec.image_size).all()):
                    looks.append(Look(seen[now], frames, uv[[now, *later]]))
        return looks
    finally:
        world.close()


def as_picture(image: torch.Tensor) -> np.ndarray:
    """(..., 3, H, W) uint8, wherever it is -> (..., H, W, 3)."""
    return image.movedim(-3, -1).cpu().numpy()


@torch.no_grad()
def sample(policy: Policy, look: Look, offsets: Sequence[int]) -> dict[str, np.ndarray]:
    """What a policy's video model and its heads say at a look, and what came."""
    obs, chunk, device = look.obs, predicted_chunk(policy, look.obs), device_of(policy)
    real = np.concatenate([as_picture(obs.image[0])[None], look.frames])  # (F, H, W, 3)
    generated = as_picture(svd_video.generate(policy.backbone, obs.image.to(device), DENOISING_STEPS)[0])
    video = torch.from_numpy(real).permute(0, 3, 1, 2).unsqueeze(0).to(device)
    reconstructed = as_picture(svd_video.reconstruct(policy.backbone, video)[0])
    steps = [offset - 1 for offset in offsets]  # step t + k is number k - 1 of the chunk
    arrays = {
        "real": real,
        "generated": generated,
        "reconstructed": reconstructed,
        "ee_uv": look.ee_uv,
        "predicted_uv": pixels(chunk.position[0], obs)[steps],
        # pictures that went through the autoencoder are searched for what it makes of the one that is seen
        "found_real_uv": found(real[0], look.ee_uv[0], real[1:]),
        "found_reconstructed_uv": found(reconstructed[0], look.ee_uv[0], reconstructed[1:]),
        "found_generated_uv": found(generated[0], look.ee_uv[0], generated[1:]),
    }
    heatmaps = {} if isinstance(policy, VideoRegression) else distributions(policy, obs, chunk)
    return arrays | ({"heatmaps": heatmaps["heatmaps"][steps]} if heatmaps else {})


def found(seen: np.ndarray, ee_uv: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Where the end effector is found in frames (F, H, W, 3). -> (F, 2) pixels."""
    return np.stack([find_end_effector(seen, ee_uv, frame) for frame in frames])


def errors_of(samples: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Median distances between keypoints, pixels, and mean squared errors of pictures as PSNR, dB.

    Keypoints: `heads` of the policy, `true` ones, and those `found` in generated, reconstructed and real frames.
    """

    def median(a: str, b: str) -> float:
        pairs = [(s[a], s[b] if b != "ee_uv" else s[b][1:]) for s in samples]
        return round(float(np.median([np.linalg.norm(x - y, axis=-1) for x, y in pairs])), 3)

    def psnr(other: Any) -> float:
        errors = [np.square(other(s).astype(float) - s["real"][1:]).mean() for s in samples]
        return round(float(10 * np.log10(255**2 / max(np.mean(errors), 1e-9))), 2)

    moved = [np.linalg.norm(s["ee_uv"][1:] - s["ee_uv"][:1], axis=-1) for s in samples]
    return {
        "looks": len(samples),
        "heads_and_generated_px": median("predicted_uv", "found_generated_uv"),
        "heads_and_true_px": median("predicted_uv", "ee_uv"),
        "generated_and_true_px": median("found_generated_uv", "ee_uv"),
        "reconstructed_and_true_px": median("found_reconstructed_uv", "ee_uv"),
        "finder_on_real_px": median("found_real_uv", "ee_uv"),
        "moved_px": round(float(np.median(moved)), 3),
        "psnr_generated_db": psnr(lambda s: s["generated"][1:]),
        "psnr_reconstructed_db": psnr(lambda s: s["reconstructed"][1:]),
        "psnr_still_db": psnr(lambda s: s["real"][:1]),
    }


def write_sample(path: Path, arrays: dict[str, np.ndarray], offsets: Sequence[int]) -> None:
    """One look as an `.npz`, with the steps of its frames in `meta`."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays, meta=np.array(json.dumps({"offsets": list(offsets)})))
    write_atomic(path, content.getvalue())
