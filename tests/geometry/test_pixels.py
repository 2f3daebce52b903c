"""Laws of the pixel convention: integers are centres, u comes before v, and cells sit where interpolation puts them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from para.geometry.pixels import argmax_pixel, cell_to_pixel, in_image, pixel_to_cell, sample_at_pixels
from tests.geometry.strategies import LAW, numbers


def test_argmax_gives_u_before_v():
    heatmap = torch.zeros(2, 1, 4, 9)
    heatmap[0, 0, 1, 7] = 1.0  # row 1, column 7
    heatmap[1, 0, 3, 0] = 1.0
    assert argmax_pixel(heatmap).tolist() == [[[7, 1]], [[0, 3]]]


@pytest.mark.parametrize("stride", [2, 4, 7, 16])
def test_reading_at_pixels_equals_upsampling_then_indexing(stride):
    generator = torch.Generator().manual_seed(stride)
    grid = torch.randn(2, 3, 5, 8, generator=generator, dtype=torch.float64)
    H, W = 5 * stride, 8 * stride
    full = F.interpolate(grid, size=(H, W), mode="bilinear", align_corners=False)
    v, u = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    uv = torch.stack([u, v], dim=-1).view(1, -1, 2).expand(2, -1, 2).double()
    read = sample_at_pixels(grid, uv, stride)  # (B, H W, C)
    torch.testing.assert_close(read, full.flatten(2).mT, rtol=0, atol=1e-12)


def test_reading_beyond_the_border_continues_the_border():
    grid = torch.arange(6.0).view(1, 1, 2, 3)
    read = sample_at_pixels(grid, torch.tensor([[[-50.0, -50.0], [500.0, 500.0]]]), 4)
    assert read.flatten().tolist() == [0.0, 5.0]


@LAW
@given(st.integers(1, 32), numbers(-5, 200), numbers(-5, 200))
def test_pixels_and_cells_invert_one_another(stride, u, v):
    uv = torch.tensor([u, v]).double()
    torch.testing.assert_close(cell_to_pixel(pixel_to_cell(uv, stride), stride), uv)


def test_the_first_cell_is_centred_between_its_pixels():
    assert cell_to_pixel(torch.tensor([0.0, 1.0]), 4).tolist() == [1.5, 5.5]


def test_the_image_ends_half_a_pixel_beyond_its_outermost_centres():
    uv = torch.tensor([[-0.5, 0], [-0.51, 0], [63.49, 47.49], [63.5, 0], [0, 47.5], [0, -0.6]])
    assert in_image(uv, (48, 64)).tolist() == [True, False, True, False, False, False]
    assert in_image(uv[:1], (48, 64), torch.tensor([-1.0])).tolist() == [False]
