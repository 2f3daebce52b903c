"""Laws of calibration errors: exactly as large as asked, in directions that only the generator decides."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from para.geometry import Camera, draw_camera_error, perturb_camera, pixel_rays, project
from tests.geometry.strategies import LAW, cameras, numbers, points


def error_of(seed: int = 0, batch_shape: tuple[int, ...] = (), **sizes):
    sizes = {"rotation_deg": 0.0, "translation_m": 0.0, "focal_percent": 0.0} | sizes
    return draw_camera_error(**sizes, generator=np.random.default_rng(seed), batch_shape=batch_shape)


def angle_deg(a: Camera, b: Camera) -> torch.Tensor:
    """Between the orientations of two cameras, (...) degrees."""
    between = a.T_world_cam[..., :3, :3].mT @ b.T_world_cam[..., :3, :3]
    sine = torch.stack([between[..., 2, 1] - between[..., 1, 2], between[..., 0, 2] - between[..., 2, 0],
                        between[..., 1, 0] - between[..., 0, 1]], dim=-1).norm(dim=-1)  # fmt: skip
    return torch.rad2deg(torch.atan2(sine, between.diagonal(dim1=-2, dim2=-1).sum(dim=-1) - 1))


@LAW
@given(cameras(), numbers(0.01, 179.9), st.integers(0, 10**6))
def test_the_orientation_is_off_by_exactly_the_angle_and_the_centre_stays(camera, degrees, seed):
    wrong = perturb_camera(camera, error_of(seed, rotation_deg=degrees))
    assert float(angle_deg(camera, wrong)) == pytest.approx(degrees, abs=1e-6)
    R = wrong.T_world_cam[:3, :3]
    torch.testing.assert_close(R @ R.mT, torch.eye(3).double(), rtol=0, atol=1e-12)
    assert float(torch.linalg.det(R)) == pytest.approx(1)
    assert torch.equal(wrong.T_world_cam[:3, 3], camera.T_world_cam[:3, 3]) and torch.equal(wrong.K, camera.K)


@LAW
@given(cameras(), numbers(1e-4, 0.5), st.integers(0, 10**6))
def test_the_centre_is_off_by_exactly_the_distance_and_the_orientation_stays(camera, metres, seed):
    wrong = perturb_camera(camera, error_of(seed, translation_m=metres))
    away = wrong.T_world_cam[:3, 3] - camera.T_world_cam[:3, 3]
    assert float(away.norm()) == pytest.approx(metres, abs=1e-12)
    assert torch.equal(wrong.T_world_cam[:3, :3], camera.T_world_cam[:3, :3]) and torch.equal(wrong.K, camera.K)


@LAW
@given(cameras(), points(), numbers(0.1, 60.0), st.integers(0, 10**6))
def test_a_wrong_focal_length_moves_pixels_away_from_the_principal_point_or_towards_it(camera, p_world, percent, seed):
    wrong = perturb_camera(camera, error_of(seed, focal_percent=percent))
    centre = camera.K[:2, 2]
    (uv, _), (wrong_uv, _) = project(p_world, camera), project(p_world, wrong)
    factor = wrong.K[0, 0] / camera.K[0, 0]
    assert float(abs(factor - 1)) == pytest.approx(percent / 100)
    torch.testing.assert_close(wrong_uv - centre, factor * (uv - centre), rtol=1e-9, atol=1e-8)
    assert torch.equal(wrong.T_world_cam, camera.T_world_cam)


def test_a_wrong_focal_length_acts_before_a_homography_in_k(camera):
    # K = H K0, as after a warp of the image: the wrong camera of the warped image is the warped wrong camera's
    H = torch.tensor([[0.9, 0.2, 3.0], [-0.1, 1.1, -2.0], [1e-3, -2e-3, 1.0]]).double()
    error = error_of(4, focal_percent=7.0)
    warped_after = Camera(H @ perturb_camera(camera, error).K, camera.T_world_cam, camera.image_size)
    warped_before = perturb_camera(Camera(H @ camera.K, camera.T_world_cam, camera.image_size), error)
    torch.testing.assert_close(warped_before.K, warped_after.K)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_error_changes_no_bit(camera, dtype):
    camera = camera.to(dtype=dtype)
    same = perturb_camera(camera, error_of(seed=3))
    assert torch.equal(same.K, camera.K) and torch.equal(same.T_world_cam, camera.T_world_cam)
    assert same.K.dtype == same.T_world_cam.dtype == dtype and same.image_size == camera.image_size


def test_errors_of_other_sizes_or_of_one_kind_point_the_same_way(camera):
    both, small = error_of(5, rotation_deg=2.0, translation_m=0.02, focal_percent=3.0), error_of(5, rotation_deg=0.5)
    lone = error_of(5, translation_m=0.01)
    skew = [e.R_cam_wrong - e.R_cam_wrong.mT for e in (both, small)]  # 2 sin(angle) [axis]x
    torch.testing.assert_close(skew[0] / math.sin(math.radians(2)), skew[1] / math.sin(math.radians(0.5)))
    torch.testing.assert_close(both.offset_cam, 2 * lone.offset_cam)
    assert not torch.equal(error_of(6, translation_m=0.01).offset_cam, lone.offset_cam)


def test_directions_favour_no_side():
    error = error_of(0, (4000,), rotation_deg=1.0, translation_m=1.0, focal_percent=10.0)
    skew = (error.R_cam_wrong - error.R_cam_wrong.mT) / (2 * math.sin(math.radians(1)))
    axis = torch.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], dim=-1)
    for vectors in (axis, error.offset_cam):
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(4000).double())
        # of uniform directions the mean is 0 and the covariance I / 3; three standard errors of 4000 draws
        assert vectors.mean(dim=0).abs().max() < 0.03
        assert (vectors.mT @ vectors / 4000 - torch.eye(3) / 3).abs().max() < 0.02
    assert abs(float((error.focal_factor > 1).double().mean()) - 0.5) < 0.03


def test_a_batch_has_an_error_for_each_camera_and_one_error_serves_a_batch(camera):
    batch = Camera.stack([camera] * 4)
    sizes = {"rotation_deg": 3.0, "translation_m": 0.05, "focal_percent": 2.0}
    each = perturb_camera(batch, error_of(1, (4,), **sizes))
    torch.testing.assert_close(angle_deg(batch, each), torch.full((4,), 3.0).double())
    assert len(torch.unique(each.T_world_cam[:, 0, 3])) == 4
    shared = perturb_camera(batch, error_of(1, **sizes))
    alone = perturb_camera(camera, error_of(1, **sizes))
    for k in range(4):
        assert torch.equal(shared.T_world_cam[k], alone.T_world_cam) and torch.equal(shared.K[k], alone.K)


def test_a_camera_that_moves_is_wrong_in_its_own_axes_all_along(camera):
    # a bad hand-eye calibration: the same wrong transform between hand and camera, wherever the hand is
    error = error_of(2, rotation_deg=4.0, translation_m=0.03)
    elsewhere = Camera(camera.K, torch.eye(4).double(), camera.image_size)
    relative = [torch.linalg.inv(c.T_world_cam) @ perturb_camera(c, error).T_world_cam for c in (camera, elsewhere)]
    torch.testing.assert_close(relative[0], relative[1])


def test_a_turned_camera_looks_elsewhere_by_at_most_the_angle(camera):
    wrong = perturb_camera(camera, error_of(8, rotation_deg=1.5))
    uv = torch.tensor([[0.0, 0.0], [63.0, 47.0], [20.0, 40.0]]).double()
    (_, true), (_, believed) = pixel_rays(uv, camera), pixel_rays(uv, wrong)
    degrees = torch.rad2deg(torch.acos((true * believed).sum(dim=-1)))
    assert (degrees <= 1.5 + 1e-6).all() and degrees.max() > 0.1


@pytest.mark.parametrize(
    "sizes",
    [{"rotation_deg": -1.0}, {"rotation_deg": 181.0}, {"translation_m": -0.01}, {"translation_m": math.inf},
     {"focal_percent": -2.0}, {"focal_percent": 100.0}, {"rotation_deg": math.nan}],
)  # fmt: skip
def test_sizes_that_no_error_can_have_are_refused(sizes):
    with pytest.raises(ValueError, match="0 or more"):
        error_of(**sizes)
