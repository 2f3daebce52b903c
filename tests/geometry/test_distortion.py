"""Laws of lens distortion: OpenCV agrees, undoing inverts doing, and where no inverse exists that is said."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from para.geometry import distort_points, undistort_image, undistort_points
from tests.geometry.strategies import LAW, blob_image, cameras, centroid, numbers, pixels, uv_of

K = torch.tensor([[110.0, 0, 70], [0, 120, 44], [0, 0, 1]]).double()
MILD = torch.tensor([-0.25, 0.08, 0.002, -0.003, -0.01]).double()


@st.composite
def lenses(draw):
    """Coefficients of ordinary lenses in each of the three orders."""
    limits = [0.15, 0.05, 0.005, 0.005, 0.02, 0.05, 0.02, 0.01]
    n = draw(st.sampled_from([4, 5, 8]))
    return torch.tensor([draw(numbers(-limit, limit)) for limit in limits[:n]]).double()


@LAW
@given(cameras(), pixels(), lenses())
def test_distorting_agrees_with_opencv(camera, shares, lens):
    uv = uv_of(shares, camera)
    rays = torch.cat([uv, torch.ones_like(uv[:, :1])], dim=-1) @ torch.linalg.inv(camera.K).T
    expected, _ = cv2.projectPoints(rays.numpy(), np.zeros(3), np.zeros(3), camera.K.numpy(), lens.numpy())
    torch.testing.assert_close(distort_points(uv, camera.K, lens), torch.from_numpy(expected[:, 0]), rtol=0, atol=1e-6)


@LAW
@given(cameras(), pixels(), lenses())
def test_undistorting_inverts_distorting(camera, shares, lens):
    uv = uv_of(shares, camera)
    distorted = distort_points(uv, camera.K, lens)
    torch.testing.assert_close(undistort_points(distorted, camera.K, lens), uv, rtol=0, atol=1e-6)


def test_undistorting_agrees_with_opencv():
    uv = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)).double() * torch.tensor([140, 88])
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    expected = cv2.undistortPoints(uv.numpy()[:, None], K.numpy(), MILD.numpy(), P=K.numpy(), criteria=criteria)
    torch.testing.assert_close(undistort_points(uv, K, MILD), torch.from_numpy(expected[:, 0]), rtol=0, atol=1e-5)


def test_no_coefficients_no_change():
    uv = torch.tensor([[3.0, 80.0], [120.0, 7.0]]).double()
    assert torch.allclose(distort_points(uv, K, torch.zeros(5).double()), uv)
    assert torch.allclose(undistort_points(uv, K, torch.zeros(8).double()), uv)


def test_single_precision_and_a_lens_per_row_are_kept_apart():
    uv = torch.tensor([[[3.0, 80.0]], [[120.0, 7.0]]])
    lenses_ = torch.stack([MILD, torch.zeros(5).double()]).float().unsqueeze(1)
    found = undistort_points(uv, K.float(), lenses_)
    assert found.dtype == torch.float32 and torch.allclose(found[1], uv[1], atol=1e-4)
    torch.testing.assert_close(found[0], undistort_points(uv[0], K.float(), MILD.float()))
    assert (found[0] - uv[0]).norm() > 1


@pytest.mark.parametrize("x", [0.6, 0.75])
def test_beyond_the_fold_of_the_lens_is_an_error(x):
    # x (1 - 0.5 r2) has its greatest value, 0.544, at r = 0.816: no pixel beyond was seen through this lens. For 0.75
    # Newton's method finds the mirrored branch, x = -1.7, which maps there too.
    barrel = torch.tensor([-0.5, 0, 0, 0]).double()
    far = torch.tensor([[70 + 110 * x, 44.0], [75.0, 44.0]]).double()
    with pytest.raises(ValueError, match="1 of 2 pixels cannot be undistorted: the lens model folds back"):
        undistort_points(far, K, barrel)


def test_a_wrong_number_of_coefficients_is_an_error():
    for n in (0, 3, 6, 12):
        with pytest.raises(ValueError, match=f"4, 5 or 8 coefficients .* got {n}"):
            distort_points(torch.zeros(1, 2), K.float(), torch.zeros(n))


def test_a_spot_of_an_undistorted_image_is_where_the_new_pinhole_sees_it():
    pinhole = torch.tensor([[40.0, 30.0], [100.0, 60.0], [71.0, 22.0]]).double()
    lens_uv = distort_points(pinhole, K, MILD)
    image = (blob_image(lens_uv, 88, 140, sigma=2.0) * 255).round().to(torch.uint8).expand(3, 3, 88, 140)
    undistorted, K_new = undistort_image(image, K, MILD)
    rays = torch.cat([pinhole, torch.ones(3, 1).double()], dim=-1) @ torch.linalg.inv(K).T
    expected = rays @ K_new.T
    # the lens is not linear across a spot of 2 px, so its centroid is a little off
    torch.testing.assert_close(centroid(undistorted), expected[:, :2] / expected[:, 2:], rtol=0, atol=0.1)
    assert undistorted.shape == image.shape and undistorted.dtype == torch.uint8


def test_nothing_black_remains_unless_it_is_asked_for():
    image = torch.full((1, 3, 88, 140), 255, dtype=torch.uint8)
    assert (undistort_image(image, K, MILD)[0][..., 1:-1, 1:-1] > 250).all()
    assert (undistort_image(image, K, MILD, alpha=1.0)[0] == 0).any()


def test_a_skew_that_opencv_would_leave_out_is_refused():
    image, skewed = torch.zeros(1, 3, 88, 140, dtype=torch.uint8), K.clone()
    skewed[0, 1] = 6.0
    with pytest.raises(ValueError, match=r"without skew, .* K\[0, 1\] is 6: calibrate"):
        undistort_image(image, skewed, MILD)


def test_images_that_are_no_byte_batches_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        undistort_image(torch.zeros(3, 88, 140), K, MILD)
