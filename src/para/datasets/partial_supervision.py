"""Demonstrations that tell less than all: of a point tracked in a video, where it is in the image, and no more.

Chunks are in world metres, whatever they come from. A point of which only the pixel is known stands for it on a nominal
plane: it projects to the pixel, exactly, and `ActionChunk.known` says that this is all that is known of it. An opening
that is not known is 0.5, which says nothing to `StartKeypoint` and to the standardised state of regressors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from para.datasets.demonstrations import Demonstrations
from para.datasets.lerobot_v3_layout import DatasetError
from para.geometry import Camera, lift_to_depth_masked, lift_to_height_masked, project
from para.geometry.pixels import in_image
from para.interfaces import ActionChunk, Observation

NOMINAL_HEIGHT_M = 0.02
"""Of the nominal plane above the table. Virtual camera moves of the recipes warp pictures as what lies on this plane
would be (`AugmentConfig.view_plane_m`), so that labels on it follow the picture to the pixel."""

NOT_PIXELS = ("heights", "the gripper")
"""What an action tells beside its pixel, in words."""

NOMINAL_DEPTH_M = 1.0
"""Where the ray through a pixel does not meet that plane, along the horizon: the point at this depth."""

UNKNOWN_GRIPPER = 0.5

INFO_KEY = "para.known"
"""In an episode's info: {"height": bool, "gripper": bool, "pixel": a text of 0 and 1, one for each frame's action}.
Absent where everything is known."""


def nominal_points(uv: Tensor, camera: Camera) -> Tensor:
    """Points that project to pixels, on the nominal plane where it is seen there. (..., 2) -> (..., 3) metres.

    `camera` is batched like `uv`.
    """
    on_plane, meets = lift_to_height_masked(uv, torch.full_like(uv[..., 0], NOMINAL_HEIGHT_M), camera)
    ahead, _ = lift_to_depth_masked(uv, torch.full_like(uv[..., 0], NOMINAL_DEPTH_M), camera)
    return torch.where(meets.unsqueeze(-1), on_plane, ahead)


def to_nominal(p_world: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Points on the nominal plane with the pixels of others, and which of them the camera sees.

    Args:
        p_world: (..., 3) metres.
        camera: batched like the points, or broadcasting.

    Returns:
        (..., 3) metres, finite; where a point is not seen, one on the ray through the image's nearest pixel.
        (...) bool.
    """
    uv, depth = project(torch.nan_to_num(p_world), camera)
    seen = in_image(uv, camera.image_size, depth) & torch.isfinite(p_world).all(dim=-1)
    H, W = camera.image_size
    nearest = torch.stack([uv[..., 0].clamp(0, W - 1), uv[..., 1].clamp(0, H - 1)], dim=-1)
    return nominal_points(torch.where(seen.unsqueeze(-1), uv, nearest), camera), seen


def pixels_only(obs: Observation, actions: ActionChunk) -> tuple[Observation, ActionChunk]:
    """What a video with a tracked point would tell of some samples: no height, no gripper, only where in the image."""
    here, _ = to_nominal(obs.ee_position, obs.camera)
    blind = replace(obs, ee_position=here, gripper=torch.full_like(obs.gripper, UNKNOWN_GRIPPER))
    return blind, pixels_only_actions(actions, obs.camera)


def pixels_only_actions(actions: ActionChunk, camera: Camera) -> ActionChunk:
    """The chunks (B, T) of `pixels_only`; `camera` is batched (B)."""
    position, seen = to_nominal(actions.position, camera.unsqueeze(1))
    known = torch.zeros(*seen.shape, 3, dtype=torch.bool, device=seen.device)
    known[..., 0] = seen & actions.pixel_known
    return ActionChunk(position, torch.full_like(actions.gripper, UNKNOWN_GRIPPER), actions.is_pad, known=known)


class PixelsOnly:
    """Samples of another dataset with `pixels_only` applied: the demonstrations as a video of a tracked point."""

    def __init__(self, samples):
        """`samples` has `__len__` and `batch`, as `ChunkDataset` has."""
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def batch(self, indices: list[int]) -> tuple[Observation, ActionChunk]:
        """The samples of those numbers, as their videos tell them."""
        return pixels_only(*self._samples.batch(indices))


def never_told(datasets: Sequence[Demonstrations]) -> tuple[str, ...]:
    """What no action of some datasets tells: of `NOT_PIXELS`."""
    known = [known_actions(demonstrations) for demonstrations in datasets]
    if any(of_actions is None for of_actions in known):
        return ()
    told = torch.cat(known).any(dim=0)  # (3,) pixel, height, gripper
    return tuple(what for what, is_told in zip(NOT_PIXELS, told[1:].tolist()) if not is_told)


def heights_missing(datasets: Sequence[Demonstrations]) -> bool:
    """Whether some action of some datasets does not tell its height, so that it stands on the nominal plane."""
    known = [known_actions(demonstrations) for demonstrations in datasets]
    return any(of_actions is not None and not bool(of_actions[:, 1].all()) for of_actions in known)


def known_actions(demonstrations: Demonstrations) -> Tensor | None:
    """Of each frame's action, whether its pixel, height and gripper are known. (N, 3) bool; None: all of all.

    Raises:
        DatasetError: where what an episode says of that does not fit its frames.
    """
    infos = demonstrations.episode_infos
    if not any(INFO_KEY in info for info in infos):
        return None
    known = np.ones((len(demonstrations), 3), dtype=bool)
    bounds = zip(demonstrations.episode_start, demonstrations.episode_stop)
    for index, (info, (start, stop)) in enumerate(zip(infos, bounds)):
        if INFO_KEY not in info:
            continue
        told = info[INFO_KEY]
        pixel = told.get("pixel", "")
        if len(pixel) != stop - start or set(pixel) - {"0", "1"}:
            raise DatasetError(
                f"episode {index} says of {len(pixel)} frames whether their pixel is known, but has {stop - start}; "
                "import its video and tracks again"
            )
        known[start:stop, 0] = [digit == "1" for digit in pixel]
        known[start:stop, 1], known[start:stop, 2] = told["height"], told["gripper"]
    return torch.from_numpy(known)
