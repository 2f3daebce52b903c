"""Laws of decoding: sub-cell precision, u before v, confidence, joint peaks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from para.pixel_actions.decoding import best_voxel_cell, decode_peak, heights_near_cell, near_cell
from para.pixel_actions.start_keypoint import cell_weights

h, w, stride = 6, 11, 4


def perfect_logits(uv):
    return cell_weights(uv, stride, (h, w)).clamp(min=1e-12).log().unflatten(-1, (h, w))


def test_the_centroid_gives_back_any_pixel_between_the_outermost_centres():
    g = torch.Generator().manual_seed(0)
    low, high = 1.5, torch.tensor([w * stride - 2.5, h * stride - 2.5])
    uv = low + torch.rand(4, 8, 2, generator=g) * (high - low)
    torch.testing.assert_close(decode_peak(perfect_logits(uv), stride, "centroid").uv, uv, rtol=0, atol=1e-3)


def test_the_argmax_of_an_upsampled_map_is_a_cells_centre_so_the_centroid_is_finer():
    uv = torch.tensor([[[19.2, 9.4]]])
    coarse = decode_peak(perfect_logits(uv), stride, "argmax").uv
    assert (coarse - uv).abs().max() > 0.5
    cell = (coarse + 0.5) / stride - 0.5
    assert ((cell - cell.round()).abs() * stride <= 0.5 + 1e-6).all()


def test_u_comes_before_v():
    logits = torch.full((1, 1, h, w), -30.0)
    logits[0, 0, 1, 9] = 10.0  # row 1, column 9
    for decoder in ("centroid", "argmax"):
        u, v = decode_peak(logits, stride, decoder).uv[0, 0].tolist()
        assert abs(u - (9.5 * stride - 0.5)) <= 0.5 and abs(v - (1.5 * stride - 0.5)) <= 0.5


def test_a_flat_map_is_unsure_and_a_peaked_one_sure():
    flat = decode_peak(torch.zeros(1, 1, h, w), stride, "centroid")
    assert flat.entropy.item() == pytest.approx(math.log(h * w), rel=1e-5)
    assert flat.probability.item() <= 9 / (h * w) + 1e-6
    peaked = torch.zeros(1, 1, h, w)
    peaked[0, 0, 3, 4] = 40.0
    sure = decode_peak(peaked, stride, "centroid")
    assert sure.probability.item() > 0.999 and sure.entropy.item() < 1e-3


def test_two_hypotheses_are_not_averaged():
    logits = torch.full((1, 1, h, w), -30.0)
    logits[0, 0, 2, 1], logits[0, 0, 2, 9] = 5.0, 4.9
    u = decode_peak(logits, stride, "centroid").uv[0, 0, 0].item()
    assert abs(u - (1.5 * stride - 0.5)) < 0.1


@pytest.mark.parametrize(("decoder", "off"), [("centroid", 0.1), ("argmax", 0.75)])
def test_the_joint_peak_is_the_likeliest_voxel_not_the_likeliest_column(decoder, off):
    volume = torch.full((1, 1, 5, h, w), -30.0)
    volume[0, 0, :, 1, 2] = 1.0  # broad over heights: the larger marginal
    volume[0, 0, 3, 4, 8] = 2.0  # one sharp voxel
    cell = best_voxel_cell(volume)
    assert cell.tolist() == [[[8, 4]]]
    assert heights_near_cell(volume, cell).argmax(-1).item() == 3
    uv = decode_peak(volume.logsumexp(2), stride, decoder, best=cell).uv[0, 0]
    torch.testing.assert_close(uv, torch.tensor([8.5 * stride - 0.5, 4.5 * stride - 0.5]), atol=off, rtol=0)


@given(cell=st.tuples(st.integers(0, w - 1), st.integers(0, h - 1)), steps=st.sampled_from([1, 3, 4, 16]))
def test_the_argmax_is_its_cells_centre_within_half_a_pixel_of_the_upsampled_maps_brightest(cell, steps):
    u, v = cell
    logits = torch.randn(1, 1, h, w, generator=torch.Generator().manual_seed(u + w * v))
    logits[0, 0, v, u] = 9.0
    found = decode_peak(logits, steps, "argmax").uv[0, 0]
    up = F.interpolate(logits, scale_factor=steps, mode="bilinear", align_corners=False)[0, 0]
    assert found.tolist() == [(u + 0.5) * steps - 0.5, (v + 0.5) * steps - 0.5]
    rows, columns = (up > up.max() - 1e-5).nonzero().T  # several, of a cell at the border
    assert ((columns - found[0]).abs().min() <= 0.5) and ((rows - found[1]).abs().min() <= 0.5)


def test_heights_are_read_in_the_cells_around_that_lie_on_the_grid():
    volume = torch.randn(1, h * w, 5, h, w, generator=torch.Generator().manual_seed(0))
    v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cells = torch.stack([u.flatten(), v.flatten()], dim=-1).unsqueeze(0)  # a step for every cell
    masked = volume.masked_fill(~near_cell(cells, (h, w)).unsqueeze(2), float("-inf"))
    torch.testing.assert_close(heights_near_cell(volume, cells), masked.flatten(3).logsumexp(dim=-1))
