"""Pictures fitted to a wide model, and back."""

import pytest
import torch

from para.geometry import project
from para.geometry.fitting import Fit, square_stride
from para.geometry.pixels import cell_to_pixel, sample_at_pixels
from tests.conftest import oblique_camera

SIZES = [((48, 64), (40, 72)), ((64, 64), (40, 72)), ((60, 36), (40, 72))]
fits = pytest.mark.parametrize("fit", [Fit(a, b, kind) for a, b in SIZES for kind in ("stretch", "letterbox")])


@fits
def test_pixels_go_to_the_model_and_back(fit):
    uv = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 60 - 3
    torch.testing.assert_close(fit.from_model(fit.to_model(uv)), uv, rtol=0, atol=1e-9)


@fits
def test_the_models_camera_sees_a_point_where_the_pixel_went(fit):
    camera = oblique_camera(*fit.image_size, dtype=torch.float64)
    p_world = torch.rand(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.3
    here, there = project(p_world, camera)[0], project(p_world, fit.camera_to_model(camera))[0]
    torch.testing.assert_close(fit.to_model(here), there, rtol=0, atol=1e-9)


@fits
def test_a_picture_shows_at_the_mapped_pixel_what_it_showed_before(fit):
    H, W = fit.image_size
    v, u = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    image = torch.stack([u, v]).float().unsqueeze(0)  # each pixel shows where it is
    uv = torch.rand(1, 40, 2, generator=torch.Generator().manual_seed(2)) * torch.tensor([W - 9.0, H - 9.0]) + 4
    seen = sample_at_pixels(fit.image_to_model(image), fit.to_model(uv), 1)
    torch.testing.assert_close(seen, uv, rtol=0, atol=0.1)  # an average over pixels is not quite centred
    back = sample_at_pixels(fit.image_from_model(fit.image_to_model(image)), uv, 1)
    torch.testing.assert_close(back, uv, rtol=0, atol=0.2)


@fits
def test_features_are_read_where_the_cells_of_the_camera_are(fit):
    h, w = fit.model_size[0] // 2, fit.model_size[1] // 2
    v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    features = cell_to_pixel(torch.stack([u, v]).float(), 2).unsqueeze(0)  # each cell says which model pixel it is of
    read = fit.read_cells(features, 4)
    assert read.shape[-2:] == (fit.image_size[0] // 4, fit.image_size[1] // 4)
    said = fit.from_model(read[0].permute(1, 2, 0))  # (h, w, 2)
    cells = torch.stack(torch.meshgrid(*(torch.arange(s // 4) for s in fit.image_size), indexing="ij")).flip(0)
    inner = (slice(1, -1), slice(1, -1))  # beyond the outermost features the border continues
    torch.testing.assert_close(said[inner], cell_to_pixel(cells.permute(1, 2, 0).float(), 4)[inner], rtol=0, atol=1e-3)


def test_letterboxing_keeps_proportions_and_stretching_fills_the_picture():
    box, stretched = Fit((448, 448), (320, 576), "letterbox"), Fit((448, 448), (320, 576))
    assert box.inner_size == (320, 320) and box.corner == (0, 128) and box.scales[0] == box.scales[1]
    assert stretched.inner_size == (320, 576) and stretched.corner == (0, 0)


def test_the_stride_loses_no_cells_and_divides_both_sides():
    assert square_stride((448, 448), 40 * 72) == 8
    assert square_stride((48, 64), 6 * 8) == 8
    assert square_stride((448, 448), 10**9) == 1


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="resize"):
        Fit((48, 64), (40, 72)).image_to_model(torch.zeros(1, 3, 64, 48))
    with pytest.raises(ValueError, match="stretch or letterbox"):
        Fit((48, 64), (40, 72), "crop")
