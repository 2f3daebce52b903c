"""Laws of rotations as classes."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.nn import functional as F

from para.pixel_actions.rotations import RotationBins, euler_from_matrix, matrix_from_euler


def random_rotations(n: int = 200) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(n, random_state=0).as_matrix())


def angle_between(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    cosine = ((a.transpose(-1, -2) @ b).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return cosine.clamp(-1, 1).acos()


def test_angles_are_scipys_extrinsic_xyz():
    R = random_rotations()
    expected = torch.from_numpy(Rotation.from_matrix(R.numpy()).as_euler("xyz"))
    torch.testing.assert_close(euler_from_matrix(R), expected, rtol=0, atol=1e-9)


def test_angles_give_the_matrix_back_also_where_two_axes_coincide():
    locked = torch.from_numpy(
        Rotation.from_euler("xyz", [[0.3, math.pi / 2, -0.8], [1.0, -math.pi / 2, 2.0]]).as_matrix()
    )
    R = torch.cat([random_rotations(), locked])
    torch.testing.assert_close(matrix_from_euler(euler_from_matrix(R)), R, rtol=0, atol=1e-6)


def test_a_rotation_survives_bin_and_unbin_to_within_half_a_bin_per_axis():
    bins = RotationBins(32)
    R = random_rotations()
    logits = 50.0 * F.one_hot(bins.to_index(R), 32).double()
    assert angle_between(bins.decode(logits), R).max() <= 3 * bins.width / 2


def test_bins_wrap_around_so_that_plus_and_minus_pi_are_neighbours():
    bins = RotationBins(8)
    logits = torch.full((3, 8), -30.0)
    logits[:, 0], logits[:, 7] = 1.0, 1.0  # half the mass on each side of pi
    upside_down = matrix_from_euler(torch.tensor([math.pi, math.pi, math.pi]))
    assert angle_between(bins.decode(logits), upside_down) < 0.01


def test_one_bin_is_no_rotation():
    with pytest.raises(ValueError, match="at least two"):
        RotationBins(1)
