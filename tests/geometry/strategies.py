"""Random oblique cameras, points and images for properties of the geometry; double precision throughout."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from para.geometry import Camera, look_at

LAW = settings(deadline=None, derandomize=True, max_examples=40)
"""The same examples every time, so that a failure is a change of the code."""


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, width=64)


@st.composite
def cameras(draw) -> Camera:
    """A camera 0.4 to 1.5 m from the table, 10 to 80 degrees above it, with an off-centre K and a non-square image."""
    H, W = draw(st.sampled_from([(48, 64), (90, 60), (37, 101), (480, 640)]))
    azimuth, elevation = draw(numbers(0, 6.28)), draw(numbers(0.17, 1.4))
    target = torch.tensor([draw(numbers(-0.2, 0.2)), draw(numbers(-0.2, 0.2)), draw(numbers(0.0, 0.2))]).double()
    away = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
    eye = target + draw(numbers(0.4, 1.5)) * torch.tensor(away).double()
    roll = draw(numbers(-1.0, 1.0))
    up = torch.tensor([np.sin(roll), 0.3 * roll, np.cos(roll)]).double()
    fu, fv = draw(numbers(0.7, 2.0)) * W, draw(numbers(0.7, 2.0)) * W
    cu, cv = draw(numbers(0.3, 0.7)) * W, draw(numbers(0.3, 0.7)) * H
    K = torch.tensor([[fu, 0, cu], [0, fv, cv], [0, 0, 1]]).double()
    return Camera(K, look_at(eye, target, up), (H, W))


@st.composite
def pixels(draw, n: int = 8) -> Tensor:
    """(n, 2) shares of the image, 0 to 1; multiply by (W, H)."""
    return torch.tensor(draw(st.lists(numbers(0, 1), min_size=2 * n, max_size=2 * n))).double().view(n, 2)


@st.composite
def points(draw, n: int = 8) -> Tensor:
    """(n, 3) world points within 30 cm of the table's middle, up to 30 cm high."""
    shares = torch.tensor(draw(st.lists(numbers(0, 1), min_size=3 * n, max_size=3 * n))).double().view(n, 3)
    return shares * torch.tensor([0.6, 0.6, 0.3]).double() - torch.tensor([0.3, 0.3, 0.0]).double()


def uv_of(shares: Tensor, camera: Camera) -> Tensor:
    H, W = camera.image_size
    return shares * torch.tensor([W, H]).double() - 0.5


def blob_image(uv: Tensor, H: int, W: int, sigma: float = 1.5) -> Tensor:
    """(B, 1, H, W) double, a Gaussian spot at each of (B, 2) pixels."""
    u, v = torch.arange(W).double(), torch.arange(H).double()
    spot_u = torch.exp(-((u - uv[:, :1]) ** 2) / (2 * sigma**2))  # (B, W)
    spot_v = torch.exp(-((v - uv[:, 1:]) ** 2) / (2 * sigma**2))  # (B, H)
    return (spot_v.unsqueeze(-1) * spot_u.unsqueeze(-2)).unsqueeze(1)


def centroid(image: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 2), as (u, v)."""
    weight = image[:, 0].double()
    u, v = torch.arange(weight.shape[-1]).double(), torch.arange(weight.shape[-2]).double()
    mass = weight.sum(dim=(-2, -1))
    return torch.stack([(weight.sum(dim=-2) * u).sum(-1) / mass, (weight.sum(dim=-1) * v).sum(-1) / mass], dim=-1)
