"""Rotations as classes: R_world_ee to Euler angles and back, one distribution over bins per axis.

The angles are extrinsic xyz (R = Rz Ry Rx), as in the original project's code; each lies in [-pi, pi]. Bins wrap:
an angle near pi and one near -pi are neighbours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def euler_from_matrix(rotation: Tensor) -> Tensor:
    """Extrinsic xyz angles of rotation matrices. (..., 3, 3) -> (..., 3) radians, the middle one in [-pi/2, pi/2].

    At a middle angle of +-90 degrees the other two are not unique; the first is then taken as 0.
    """
    sine = (-rotation[..., 2, 0]).clamp(-1, 1)
    locked = sine.abs() > 1 - 1e-6
    x = torch.atan2(rotation[..., 2, 1], rotation[..., 2, 2])
    z = torch.atan2(rotation[..., 1, 0], rotation[..., 0, 0])
    z_locked = torch.atan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    return torch.stack([torch.where(locked, 0.0, x), torch.asin(sine), torch.where(locked, z_locked, z)], dim=-1)


def matrix_from_euler(angles: Tensor) -> Tensor:
    """Rotation matrices Rz Ry Rx of extrinsic xyz angles. (..., 3) radians -> (..., 3, 3)."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    rows = [
        torch.stack([cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx], dim=-1),
        torch.stack([sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx], dim=-1),
        torch.stack([-sy, cy * sx, cy * cx], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


class RotationBins(nn.Module):
    """`n` equal bins around the circle for each of the three angles."""

    def __init__(self, n: int):
        super().__init__()
        if n < 2:
            raise ValueError(f"a circle needs at least two bins; got n = {n}")
        self.n = n

    @property
    def width(self) -> float:
        """Radians per bin; half of it is the error to expect from a class."""
        return 2 * math.pi / self.n

    def to_index(self, rotation: Tensor) -> Tensor:
        """The classes of rotations. (..., 3, 3) -> (..., 3) long, one per axis."""
        angles = euler_from_matrix(rotation)
        return ((angles + math.pi) / self.width).floor().long() % self.n

    def decode(self, logits: Tensor) -> Tensor:
        """The rotation within one bin of the likeliest class of each axis. (..., 3, n) -> (..., 3, 3)."""
        probs = logits.softmax(dim=-1)
        best = probs.argmax(dim=-1, keepdim=True)  # (..., 3, 1)
        offsets = torch.tensor([-1, 0, 1], device=logits.device)
        weight = probs.gather(-1, (best + offsets) % self.n)  # (..., 3, 3) previous, best, next bin
        shift = (weight * offsets).sum(dim=-1) / weight.sum(dim=-1)
        angle = (best.squeeze(-1) + shift + 0.5) * self.width - math.pi
        return matrix_from_euler(angle)
