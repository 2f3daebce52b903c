"""Laws of the start keypoint: the arm's own place in the image, told to the backbone."""

from dataclasses import replace

import pytest
import torch

from para.geometry import project
from para.geometry.pixels import cell_to_pixel
from para.pixel_actions.start_keypoint import StartKeypoint, cell_weights
from tests.conftest import random_batch

STRIDE, C = 4, 6


def keypoint(**options) -> StartKeypoint:
    torch.manual_seed(0)
    return StartKeypoint(C, **{"use_gripper": True, "snap": False} | options)


def weights_of(module: StartKeypoint, obs) -> torch.Tensor:
    """How much of its vector each cell gets, (B, h, w)."""
    vector = module.here + (2 * obs.gripper[0] - 1) * (module.opening if module.opening is not None else 0)
    return (module(obs, STRIDE) * vector.view(1, C, 1, 1)).sum(dim=1) / vector.square().sum()


def test_the_cells_weights_have_the_end_effectors_pixel_as_their_centroid():
    obs, _ = random_batch(B=1)
    weights = weights_of(keypoint(), obs)[0].detach()
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    assert ((weights > 1e-6).sum() <= 4) and (weights >= -1e-6).all()
    v, u = torch.meshgrid(torch.arange(weights.shape[0]), torch.arange(weights.shape[1]), indexing="ij")
    centroid = torch.stack([(weights * u).sum(), (weights * v).sum()])
    torch.testing.assert_close(
        cell_to_pixel(centroid, STRIDE), project(obs.ee_position, obs.camera)[0][0], atol=1e-3, rtol=0
    )


def test_snapped_to_one_cell_it_is_the_cell_that_holds_the_pixel():
    obs, _ = random_batch(B=1)
    weights = weights_of(keypoint(snap=True), obs)[0]
    uv = project(obs.ee_position, obs.camera)[0][0]
    u, v = ((uv + 0.5) // STRIDE).long().tolist()
    assert weights[v, u].item() == pytest.approx(1.0, abs=1e-5) and weights.sum().item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("where", [[0.0, 3.0, 0.1], [5.0, -3.0, 4.0]])
def test_an_arm_off_the_image_or_behind_the_camera_says_nothing(where):
    obs, _ = random_batch(B=1)
    assert not keypoint()(replace(obs, ee_position=torch.tensor([where])), STRIDE).any()


def test_the_opening_is_told_only_where_it_is_asked_for():
    obs, _ = random_batch(B=1)
    closed, opened = (replace(obs, gripper=torch.tensor([value])) for value in (0.0, 1.0))
    for use_gripper in (True, False):
        module = keypoint(use_gripper=use_gripper)
        assert torch.equal(module(closed, STRIDE), module(opened, STRIDE)) != use_gripper


def test_weights_sum_to_one_and_stay_on_the_grid_beyond_the_outermost_cells():
    uv = torch.tensor([[-0.5, -0.5], [63.4, 47.4], [0.0, 47.4], [31.7, 20.2]])
    weights = cell_weights(uv, STRIDE, (12, 16))
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(4))
    assert (
        weights.view(4, 12, 16)[0, 0, 0] == weights.view(4, 12, 16)[1, 11, 15] == weights.view(4, 12, 16)[2, 11, 0] == 1
    )
