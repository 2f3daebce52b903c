"""Laws of heads and losses: reading at a pixel equals the full volume; masks mask; the paper's equations hold."""

import math

import pytest
import torch
from torch.nn import functional as F

from para.geometry.pixels import sample_at_pixels
from para.pixel_actions.heads import PixelHeads, StepLinear, materialised_logits
from para.pixel_actions.losses import (
    class_loss,
    full_resolution_spatial_loss,
    joint_loss,
    masked_mean,
    soft_cross_entropy,
    spatial_loss,
)
from para.pixel_actions.start_keypoint import cell_weights

B, T, C, h, w, stride = 2, 3, 5, 6, 9, 4


@pytest.fixture
def grid():
    return torch.randn(B, C, h, w, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def uv():
    g = torch.Generator().manual_seed(1)
    return torch.stack([torch.randint(0, w * stride, (B, T), generator=g),
                        torch.randint(0, h * stride, (B, T), generator=g)], dim=-1).double()  # fmt: skip


def read(volume, uv):
    """A (B, T, N, H, W) volume indexed at integer pixels -> (B, T, N)."""
    b, t = torch.meshgrid(torch.arange(B), torch.arange(T), indexing="ij")
    return volume[b, t, :, uv[..., 1].long(), uv[..., 0].long()]


def test_logits_read_at_a_pixel_equal_the_materialised_volume_with_loss_and_gradients(grid, uv):
    heads = PixelHeads(C, T, 7, 4, formulation="factorised", read_start=False).double()
    target = torch.randint(0, 7, (B, T), generator=torch.Generator().manual_seed(2))
    valid = torch.ones(B, T, dtype=torch.bool)
    results = []
    for logits_of in (
        lambda g: heads.height_logits(g, uv, stride),
        lambda g: read(materialised_logits(heads.height, g, stride), uv),
    ):
        leaf = grid.clone().requires_grad_()
        heads.zero_grad()
        loss = class_loss(logits_of(leaf), target, valid)
        loss.backward()
        results.append((loss.detach(), leaf.grad, heads.height.weight.grad.clone(), heads.height.bias.grad.clone()))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_each_step_has_its_own_weights(grid):
    head = StepLinear(T, C, 2).double()
    everywhere = head.everywhere(grid)
    one = torch.einsum("bchw,nc->bnhw", grid, head.weight[1]) + head.bias[1].view(1, -1, 1, 1)
    torch.testing.assert_close(everywhere[:, 1], one)
    torch.testing.assert_close(head.at_steps(grid[:, :, 2, 3:6].transpose(1, 2))[:, 1], everywhere[:, 1, :, 2, 4])


def test_uniform_logits_cost_log_of_the_number_of_pixels():
    uv = torch.tensor([[[1.0, 2.0], [8.0, 3.0], [999.0, -5.0]]])
    valid = torch.tensor([[True, True, False]])
    loss = spatial_loss(torch.zeros(1, 3, 4, 9), uv, valid)
    torch.testing.assert_close(loss, torch.tensor(math.log(36.0)))


def test_spatial_loss_is_the_papers_equation_with_u_as_the_column():
    logits = torch.randn(1, 1, 4, 9, generator=torch.Generator().manual_seed(0))
    loss = spatial_loss(logits, torch.tensor([[[7.0, 1.0]]]), torch.ones(1, 1, dtype=torch.bool))
    torch.testing.assert_close(loss, F.cross_entropy(logits.flatten(1), torch.tensor([1 * 9 + 7])))


@pytest.mark.parametrize("bad", [[1e6, 1e6], [-1e6, 3.0]])
def test_masked_steps_change_no_loss_and_no_gradient(grid, uv, bad):
    heads = PixelHeads(C, T, 7, 4, formulation="factorised", read_start=False).double()
    valid = torch.tensor([[True, False, True], [False, True, True]])
    gradients = []
    for moved in (uv, torch.where(valid.unsqueeze(-1), uv, torch.tensor(bad, dtype=torch.float64))):
        heads.zero_grad()
        target = torch.where(valid, 1, 1 if moved is uv else 5)
        loss = spatial_loss(heads.heatmap_logits(grid), moved, valid, stride=stride, soft=True)
        loss = loss + class_loss(heads.height_logits(grid, moved, stride), target, valid)
        loss.backward()
        gradients.append((loss.detach(), heads.heatmap.weight.grad.clone(), heads.height.weight.grad.clone()))
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b)


def test_no_valid_step_costs_nothing():
    uv = torch.zeros(1, 2, 2)
    assert spatial_loss(torch.randn(1, 2, 4, 9), uv, torch.zeros(1, 2, dtype=torch.bool)) == 0


def test_full_resolution_loss_equals_cross_entropy_of_the_upsampled_map():
    logits = torch.randn(1, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    uv = torch.tensor([[[13.0, 2.0], [0.0, 11.0]]])
    up = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
    expected = F.cross_entropy(up.flatten(0, 1).flatten(1), torch.tensor([2 * 20 + 13, 11 * 20 + 0]))
    loss = full_resolution_spatial_loss(logits, uv, torch.ones(1, 2, dtype=torch.bool), 4)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("form", ["cells", "image"])
def test_hard_targets_by_index_cost_what_a_dense_one_hot_costs_with_gradients(form):
    g = torch.Generator().manual_seed(5)
    uv = torch.stack([torch.rand(2, 30, generator=g) * 46 - 5, torch.rand(2, 30, generator=g) * 34 - 5], dim=-1)
    uv[0, 0], uv[0, 1] = torch.tensor([7.5, 3.5]), torch.tensor([-0.5, 23.5])  # on the borders of pixels and cells
    valid = torch.rand(2, 30, generator=g) > 0.2
    results = []
    for dense in (False, True):
        logits = torch.randn(2, 30, 6, 9, generator=torch.Generator().manual_seed(6)).requires_grad_()
        up = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False) if form == "image" else logits
        step = 1 if form == "image" else 4
        if dense:
            one_hot = cell_weights(uv, step, tuple(up.shape[-2:]), snap=True)
            loss = masked_mean(soft_cross_entropy(up.flatten(2), one_hot), valid)
        elif form == "image":
            loss = full_resolution_spatial_loss(logits, uv, valid, 4)
        else:
            loss = spatial_loss(logits, uv, valid, stride=4)
        loss.backward()
        results.append((loss.detach(), logits.grad))
    for by_index, by_one_hot in zip(*results):
        torch.testing.assert_close(by_index, by_one_hot, rtol=1e-6, atol=1e-7)


def test_a_joint_volume_that_factorises_costs_the_sum_of_both_terms():
    g = torch.Generator().manual_seed(0)
    heat, height = torch.randn(1, 2, 4, 9, generator=g), torch.randn(1, 2, 7, generator=g)
    uv, valid = torch.tensor([[[14.2, 7.7], [30.0, 3.1]]]), torch.ones(1, 2, dtype=torch.bool)
    target = F.one_hot(torch.tensor([[3, 6]]), 7).float()
    volume = heat.unsqueeze(2) + height.unsqueeze(-1).unsqueeze(-1)
    at_pixel = sample_at_pixels(volume.flatten(0, 1), uv.view(2, 1, 2), 4).view(1, 2, 7)
    joint = joint_loss(volume, at_pixel, target, valid)
    both = spatial_loss(heat, uv, valid, stride=4, soft=True) + class_loss(height, target, valid)
    torch.testing.assert_close(joint, both)


def test_the_joint_heatmap_is_the_volumes_marginal(grid):
    heads = PixelHeads(C, T, 7, 4, formulation="joint", read_start=False).double()
    probs = heads.volume_logits(grid).flatten(2).softmax(-1).unflatten(-1, (7, h * w)).sum(2)
    torch.testing.assert_close(heads.heatmap_logits(grid).flatten(2).softmax(-1), probs)


def test_a_joint_target_of_unknown_height_costs_what_its_pixel_costs_when_heights_are_summed_over():
    g = torch.Generator().manual_seed(3)
    volume = torch.randn(B, T, 5, h, w, generator=g, dtype=torch.float64)
    uv = torch.rand(B, T, 2, generator=g, dtype=torch.float64) * torch.tensor([w - 1, h - 1])  # between cells
    at_pixel, height = read(volume, uv), torch.full((B, T, 5), 0.2, dtype=torch.float64)
    everywhere = torch.ones(B, T, dtype=torch.bool)
    heatmap = volume.logsumexp(dim=2)
    at_heatmap = (heatmap.flatten(2) * cell_weights(uv, 1, (h, w))).sum(dim=-1)

    def loss(valid, known):
        return joint_loss(volume, at_pixel, height, valid, height_known=known, heatmap_at_pixel=at_heatmap)

    marginal = spatial_loss(heatmap, uv, everywhere, soft=True)
    torch.testing.assert_close(loss(everywhere, ~everywhere), marginal)
    known = torch.tensor([[True, False, True], [False, False, True]])
    parts = joint_loss(volume, at_pixel, height, known) * 3 + loss(~known, ~everywhere) * 3
    torch.testing.assert_close(loss(everywhere, known), parts / 6)


def test_a_joint_target_of_unknown_height_teaches_pixels_and_leaves_the_choice_between_heights_alone():
    volume = torch.zeros(1, 1, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    at_pixel = volume[:, :, :, 1, 2]
    unknown = torch.zeros(1, 1, dtype=torch.bool)
    height, heat = torch.zeros(1, 1, 4, dtype=torch.float64), at_pixel.logsumexp(dim=-1)
    joint_loss(volume, at_pixel, height, ~unknown, height_known=unknown, heatmap_at_pixel=heat).backward()
    gradient = volume.grad[0, 0]  # (heights, h, w)
    assert (gradient[:, 1, 2] < 0).all() and torch.equal(gradient[:1].expand(4, 2, 3), gradient)
