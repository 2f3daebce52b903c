"""Showing pictures of one size to a model of another, wide one, and reading what it makes of them back in the camera's.

A camera's picture is square or nearly so, a video model's 576 x 320. `stretch` uses all of the model's picture and
changes the proportions; `letterbox` keeps them and continues the border at two sides, which the model then works on for
nothing. Either is a scale and an offset along each axis, so pixels, cameras and features go there and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from para.geometry.camera import Camera
from para.geometry.pixels import cell_to_pixel, crop_intrinsics, resize_intrinsics

FitKind = Literal["stretch", "letterbox"]


@dataclass(frozen=True)
class Fit:
    """Where the pixels of a picture lie in a model's picture of another size."""

    image_size: tuple[int, int]
    """(H, W) of the camera's pictures, pixels."""

    model_size: tuple[int, int]
    """(H, W) of the model's, pixels."""

    kind: FitKind = "stretch"

    def __post_init__(self):
        if self.kind not in ("stretch", "letterbox"):
            raise ValueError(f"a picture is fitted by stretch or letterbox; got '{self.kind}'")
        if min(*self.image_size, *self.model_size) < 1:
            raise ValueError(f"pictures need positive sizes (H, W); got {self.image_size} and {self.model_size}")

    @property
    def inner_size(self) -> tuple[int, int]:
        """(H, W) of the part of the model's picture that shows the camera's."""
        if self.kind == "stretch":
            return self.model_size
        scale = min(there / here for there, here in zip(self.model_size, self.image_size))
        H, W = (max(1, round(side * scale)) for side in self.image_size)
        return H, W

    @property
    def corner(self) -> tuple[int, int]:
        """(top, left) of that part, pixels of the model's picture."""
        top, left = ((there - inner) // 2 for there, inner in zip(self.model_size, self.inner_size))
        return top, left

    @property
    def scales(self) -> tuple[float, float]:
        """(rows, columns): the model's pixels per pixel of the camera."""
        rows, columns = (inner / here for inner, here in zip(self.inner_size, self.image_size))
        return rows, columns

    def to_model(self, uv: Tensor) -> Tensor:
        """Pixels of the camera as pixels of the model: u' = (u + 0.5) s - 0.5 + left. (..., 2) -> (..., 2)."""
        scale, corner = (uv.new_tensor(pair[::-1]) for pair in (self.scales, self.corner))
        return (uv + 0.5) * scale - 0.5 + corner

    def from_model(self, uv: Tensor) -> Tensor:
        """The inverse of `to_model`. (..., 2) -> (..., 2)."""
        scale, corner = (uv.new_tensor(pair[::-1]) for pair in (self.scales, self.corner))
        return (uv - corner + 0.5) / scale - 0.5

    def camera_to_model(self, camera: Camera) -> Camera:
        """The camera that would have taken the model's pictures. Raises ValueError for one of another size."""
        self._check(camera.image_size)
        rows, columns = self.scales
        top, left = self.corner
        K = crop_intrinsics(resize_intrinsics(camera.K, columns, rows), -left, -top)
        return Camera(K, camera.T_world_cam, self.model_size)

    def image_to_model(self, image: Tensor) -> Tensor:
        """Pictures as the model sees them; averaged where they shrink. (N, C, H, W) -> (N, C, H', W') float."""
        self._check(tuple(image.shape[-2:]))
        values = F.interpolate(image.float(), self.inner_size, mode="bilinear", align_corners=False, antialias=True)
        (top, left), (H, W) = self.corner, self.inner_size
        below, right = self.model_size[0] - H - top, self.model_size[1] - W - left
        return F.pad(values, (left, right, top, below), mode="replicate")

    def image_from_model(self, image: Tensor) -> Tensor:
        """The model's pictures as the camera would have taken them. (N, C, H', W') -> (N, C, H, W) float."""
        (top, left), (H, W) = self.corner, self.inner_size
        part = image[..., top : top + H, left : left + W].float()
        return F.interpolate(part, self.image_size, mode="bilinear", align_corners=False, antialias=True)

    def read_cells(self, features: Tensor, stride: int) -> Tensor:
        """The model's features at the centres of a square grid's cells in the camera's picture, bilinearly.

        Args:
            features: (N, C, h', w'), which span the model's picture.
            stride: pixels of the camera per cell; divides both sides of its picture.

        Returns:
            (N, C, H / stride, W / stride).
        """
        h, w = (side // stride for side in self.image_size)
        v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        centres = cell_to_pixel(torch.stack([u, v], dim=-1).to(features.device, torch.float32), stride)
        size = centres.new_tensor(self.model_size[::-1])
        normalised = 2 * (self.to_model(centres) + 0.5) / size - 1  # (h, w, 2), as grid_sample wants (x, y)
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        normalised = normalised.to(features.dtype).expand(len(features), -1, -1, -1)
        return F.grid_sample(features, normalised, mode="bilinear", padding_mode="border", align_corners=False)

    def _check(self, size: tuple[int, int]) -> None:
        if tuple(size) != tuple(self.image_size):
            raise ValueError(
                f"the picture is {tuple(size)} but pictures of {self.image_size} (H, W) are fitted here; resize it"
            )


def square_stride(image_size: tuple[int, int], n_cells: int) -> int:
    """The coarsest stride that divides both sides of a picture and gives at least so many cells (1 where none does).

    What a model sees in `n_cells` is then not thinned out when it is read on the camera's grid.
    """
    H, W = image_size
    strides = [p for p in range(1, min(H, W) + 1) if H % p == 0 and W % p == 0 and (H // p) * (W // p) >= n_cells]
    return max(strides, default=1)
