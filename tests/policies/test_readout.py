"""Laws of the spatial softmax: a vector that says where features are."""

import pytest
import torch

from para.policies.readout import SpatialSoftmax
from tests.conftest import random_batch
from tests.tiny import IMAGE_SIZE, build, policy_config


def peaked(row: int, column: int, h: int = 6, w: int = 10) -> torch.Tensor:
    """Features of 3 channels that are large in one cell."""
    grid = torch.zeros(1, 3, h, w)
    grid[..., row, column] = 1
    return grid


def pointer(sharpness: float) -> SpatialSoftmax:
    layer = SpatialSoftmax(3, 2)
    torch.nn.init.constant_(layer.score.weight, sharpness)
    return layer


@pytest.mark.parametrize("row, column", [(0, 0), (2, 7), (5, 9)])
def test_a_point_on_one_cell_says_where_the_centre_of_that_cell_is_u_before_v(row, column):
    u, v = (2 * column + 1) / 10 - 1, (2 * row + 1) / 6 - 1
    torch.testing.assert_close(pointer(100.0)(peaked(row, column)), torch.tensor([[u, u, v, v]]))


def test_features_that_are_alike_everywhere_point_at_the_middle():
    torch.testing.assert_close(pointer(1.0)(torch.ones(2, 3, 5, 8)), torch.zeros(2, 4))


def test_what_moves_by_a_cell_moves_its_points_by_a_cell_in_shares_of_the_grid():
    layer = pointer(100.0)
    moved = layer(peaked(3, 5)) - layer(peaked(2, 3))
    torch.testing.assert_close(moved, torch.tensor([[0.4, 0.4, 1 / 3, 1 / 3]]))


def test_what_is_told_of_places_is_float32_whatever_the_features_are():
    layer, grid = pointer(3.0), torch.randn(1, 3, 6, 10).bfloat16()
    coarse = layer.bfloat16()(grid)
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse, layer.float()(grid.float()), rtol=0, atol=2e-2)


def test_what_moves_by_a_tenth_of_a_cell_moves_its_points_by_about_as_much():
    column = torch.linspace(2.0, 3.0, 11)  # between two cells' centres
    blob = (-((torch.arange(10) - column.unsqueeze(-1)) ** 2)).unsqueeze(1).expand(-1, 6, -1)  # (11, 6, 10)
    u = pointer(1.0)(blob.unsqueeze(1).expand(-1, 3, -1, -1) / 3)[:, 0]
    assert u.diff().min() > 0.01 and u.diff().max() < 0.03  # a tenth of a cell is 0.02


@pytest.mark.parametrize("name", ["act", "motion_tracks", "diffusion"])
def test_every_pooled_baseline_teaches_its_points_where_to_be(name):
    if name == "diffusion":
        pytest.importorskip("diffusers")
    policy = build(policy_config(name, readout="spatial_softmax"))
    obs, actions = random_batch()
    assert obs.image.shape[-2:] == IMAGE_SIZE
    policy.fit_ranges(actions, obs.camera)
    policy.loss(obs, actions)["total"].backward()
    assert policy.readout.points.score.weight.grad.abs().max() > 0
    assert policy.backbone.embed[0].weight.grad.abs().max() > 0


ENTRANCES = {
    "act": ["mlp.0"],
    "motion_tracks": ["mlp.0", "lift.mlp.0"],
    "diffusion": ["denoiser.seen.0", "denoiser.enter"],
}
"""Where places in the image, the arm's state, rays and noisy chunks enter a network."""


@pytest.mark.parametrize("name", ENTRANCES)
def test_in_bfloat16_coordinates_enter_every_pooled_baseline_unrounded(name):
    if name == "diffusion":
        pytest.importorskip("diffusers")
    lift = {"lift": "mlp"} if name == "motion_tracks" else {}
    policy = build(policy_config(name, readout="spatial_softmax", **lift)).eval()
    obs, actions = random_batch()
    policy.fit_ranges(actions, obs.camera)
    came = {}
    for layer in ENTRANCES[name]:
        policy.get_submodule(layer).register_forward_hook(lambda _, told, out, layer=layer: came.update({layer: out}))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        policy.act(obs)
    assert {layer: out.dtype for layer, out in came.items()} == dict.fromkeys(ENTRANCES[name], torch.float32)
