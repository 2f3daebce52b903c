"""Targets: an action chunk and a camera give pixels and heights, and masks of the steps that can be supervised.

There are three masks, since a demonstration may tell less than all: a point tracked in a video tells its pixel, and
neither a height nor a gripper (`ActionChunk.known`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from para.geometry import Camera, project
from para.geometry.pixels import in_image
from para.interfaces import ActionChunk


class Targets(NamedTuple):
    """What the heads should say, for each step of a chunk."""

    uv: Tensor
    """(B, T, 2) pixel of the demonstrated end effector in the *current* image; finite even where not valid."""

    height: Tensor
    """(B, T) metres above the table."""

    depth: Tensor
    """(B, T) metres along the optical axis of the camera: what heights are compared with."""

    gripper: Tensor
    """(B, T) commanded opening, 0 closed, 1 open."""

    valid: Tensor
    """(B, T) bool, of pixels; false where the step is padding, off the image, behind the camera, not finite or not
    known."""

    height_valid: Tensor
    """(B, T) bool, of heights and depths: `valid` where these are known."""

    gripper_valid: Tensor
    """(B, T) bool, of the gripper: `valid` where it is known."""


def make_targets(actions: ActionChunk, camera: Camera, *, supervise_padding: bool = True) -> Targets:
    """Project the demonstrated future positions into the current image (paper sec. 3.2).

    Args:
        actions: (B, T) steps.
        camera: the camera of the current image, batched (B).
        supervise_padding: whether steps beyond the end of the demonstration, which hold its last action, count as
            targets ("stay there"). The paper does not say; with False they change no loss and no gradient.
    """
    uv, depth = project(actions.position, camera.unsqueeze(1))  # (B, T, 2), (B, T)
    seen = in_image(uv, camera.image_size, depth) & finite_steps(actions) & actions.pixel_known
    valid = seen if supervise_padding else seen & ~actions.is_pad
    H, W = camera.image_size
    inside = torch.stack([uv[..., 0].clamp(-0.5, W - 0.5), uv[..., 1].clamp(-0.5, H - 0.5)], dim=-1)
    # Steps that are not valid still index tensors; any pixel of the image will do, since their loss is masked.
    uv = torch.where(valid.unsqueeze(-1), uv, torch.nan_to_num(inside))
    height = torch.nan_to_num(actions.position[..., 2])
    return Targets(
        uv, height, torch.nan_to_num(depth), torch.nan_to_num(actions.gripper), valid,
        valid & actions.height_known, valid & actions.gripper_known,
    )  # fmt: skip


def finite_steps(actions: ActionChunk) -> Tensor:
    """Steps whose position and gripper are both finite: a NaN would otherwise teach, or spread. -> (B, T) bool."""
    return torch.isfinite(actions.position).all(dim=-1) & torch.isfinite(actions.gripper)


def complete_steps(actions: ActionChunk) -> Tensor:
    """Finite steps of which all is known, for policies that can learn nothing from a part. -> (B, T) bool."""
    finite = finite_steps(actions)
    return finite if actions.known is None else finite & actions.known.all(dim=-1)
