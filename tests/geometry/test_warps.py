"""Laws of warps: the camera goes with the pixels, to a small part of a pixel, and every ray stays what it was."""

import math

import pytest
import torch
from hypothesis import given

from para.geometry import (
    Camera,
    crop,
    lift_to_height,
    look_at,
    pixel_rays,
    project,
    random_affine,
    resize,
    warp_affine,
)
from tests.conftest import oblique_camera
from tests.geometry.strategies import LAW, blob_image, cameras, centroid, numbers, pixels, uv_of

H, W = 48, 64


def seen(uv: torch.Tensor, camera: Camera, height: float = 0.03) -> torch.Tensor:
    """The points of the plane `height` that a camera sees at (B, 2) pixels."""
    return lift_to_height(uv, torch.full((len(uv),), height).double(), camera)


def batched(n: int) -> Camera:
    return oblique_camera(H, W, n, torch.float64)


def tilt(n: int, angle: float = 0.15) -> torch.Tensor:
    """(n, 3, 3) homographies of cameras turned about their own centre, each by another angle."""
    K = batched(n).K
    turn = torch.linspace(-angle, angle, n).double()
    cos, sin, zero, one = turn.cos(), turn.sin(), torch.zeros(n).double(), torch.ones(n).double()
    yaw = torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], dim=-1).view(n, 3, 3)
    pitch = torch.stack([one, zero, zero, zero, cos, sin, zero, -sin, cos], dim=-1).view(n, 3, 3)
    return K @ yaw @ pitch @ torch.linalg.inv(K)


MAPS = {
    "affine": lambda n: random_affine(
        n, (H, W), scale=(0.8, 1.3), max_rotation_deg=20, max_shift=0.1, generator=torch.Generator().manual_seed(1)
    ).double(),
    "homography": tilt,
}


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("out_size", [(H, W), (40, 90)])
def test_a_warped_spot_is_where_the_warped_camera_projects_its_point(kind, out_size):
    n = 12
    generator = torch.Generator().manual_seed(0)
    uv = torch.rand(n, 2, generator=generator).double() * torch.tensor([20, 16]) + torch.tensor([22, 16])
    image, camera = warp_affine(blob_image(uv, H, W), batched(n), MAPS[kind](n), out_size, padding="zeros")
    expected, depth = project(seen(uv, batched(n)), camera)
    assert (depth > 0).all() and camera.image_size == out_size == tuple(image.shape[-2:])
    inside = ((expected > 6) & (expected < torch.tensor([out_size[1] - 7, out_size[0] - 7]))).all(dim=-1)
    assert inside.sum() >= 8
    # a homography changes the shape of the spot, whose centroid is then a little off its middle
    tolerance = 0.02 if kind == "affine" else 0.1
    torch.testing.assert_close(centroid(image)[inside], expected[inside], rtol=0, atol=tolerance)


@pytest.mark.parametrize("out_size", [(24, 32), (96, 128), (30, 100), (17, 23)])
def test_a_resized_spot_is_where_the_resized_camera_projects_its_point(out_size):
    uv = torch.tensor([[20.3, 30.7], [41.0, 17.5]]).double()
    image, camera = resize(blob_image(uv, H, W, sigma=2.5), batched(2), out_size)
    expected, _ = project(seen(uv, batched(2)), camera)
    torch.testing.assert_close(centroid(image), expected, rtol=0, atol=0.03)


def test_a_cropped_spot_is_where_the_cropped_camera_projects_its_point():
    uv = torch.tensor([[30.0, 20.0]]).double()
    image, camera = crop(blob_image(uv, H, W), batched(1), left=11, top=5, H=30, W=41)
    assert camera.image_size == (30, 41) == tuple(image.shape[-2:])
    expected, _ = project(seen(uv, batched(1)), camera)
    assert expected[0].tolist() == pytest.approx([19, 15])
    torch.testing.assert_close(centroid(image), expected, rtol=0, atol=1e-3)


@LAW
@given(cameras(), pixels(), numbers(0.3, 3.0), numbers(0.3, 3.0))
def test_resizing_keeps_every_ray(camera, shares, scale_u, scale_v):
    h, w = camera.image_size
    size = (max(1, round(h * scale_v)), max(1, round(w * scale_u)))
    _, resized = resize(torch.zeros(1, 3, h, w), camera, size)
    assert_same_rays(camera, uv_of(shares, camera), resized, uv_of(shares, resized))


@LAW
@given(cameras(), pixels())
def test_cropping_keeps_every_ray(camera, shares):
    h, w = camera.image_size
    _, part = crop(torch.zeros(1, 3, h, w), camera, left=7, top=3, H=h - 10, W=w - 9)
    uv = uv_of(shares, camera)
    assert_same_rays(camera, uv, part, uv - torch.tensor([7, 3]))


@LAW
@given(cameras(), pixels(), numbers(-0.6, 0.6), numbers(-1e-3, 1e-3), numbers(-1e-3, 1e-3))
def test_affine_maps_and_homographies_keep_every_ray(camera, shares, shear, tilt_u, tilt_v):
    h, w = camera.image_size
    A = torch.tensor([[1.1, shear, 5.0], [-0.2, 0.9, -3.0], [tilt_u, tilt_v, 1.0]]).double()
    uv = uv_of(shares, camera)
    moved = torch.cat([uv, torch.ones_like(uv[:, :1])], dim=-1) @ A.T
    front = moved[:, 2] > 0.1
    _, warped = warp_affine(torch.zeros(1, 3, h, w), camera, A.unsqueeze(0), (h, w))
    assert_same_rays(camera, uv[front], warped[0], (moved[:, :2] / moved[:, 2:])[front])


def assert_same_rays(camera, uv, warped, uv_warped):
    origin, direction = pixel_rays(uv, camera)
    origin_warped, direction_warped = pixel_rays(uv_warped, warped)
    torch.testing.assert_close(direction_warped, direction, rtol=0, atol=1e-8)
    torch.testing.assert_close(origin_warped, origin)


@pytest.mark.parametrize("scale", [-1.0, 1e7, -1e-7])
def test_sign_and_scale_of_a_homography_have_no_meaning(scale):
    image, uv = blob_image(torch.tensor([[30.0, 20.0]]).double(), H, W), torch.tensor([[30.0, 20.0]]).double()
    A = tilt(1)
    one, camera = warp_affine(image, batched(1), A, (H, W))
    other, scaled = warp_affine(image, batched(1), scale * A, (H, W))
    torch.testing.assert_close(other, one, rtol=0, atol=1e-5)  # the grid is float32
    assert (project(seen(uv, batched(1)), scaled)[1] > 0).all()
    torch.testing.assert_close(camera.K, scaled.K)


def test_what_a_turned_camera_has_behind_it_has_negative_depth_and_is_not_seen():
    K = batched(1).K
    turn = math.radians(80)
    R = torch.tensor([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]]).double()
    image = torch.full((1, 3, H, W), 255, dtype=torch.uint8)
    # The image's middle stays in front of the turned camera, its one side comes to lie behind; the result is so wide
    # that it shows both what the first camera saw and what it had behind it.
    wide = torch.tensor([[1.0, 0, 300], [0, 1, 0], [0, 0, 1]]).double()
    A = wide @ K @ R @ torch.linalg.inv(K)
    warped, camera = warp_affine(image, batched(1), A, (H, 660), padding="zeros")
    uv = torch.tensor([[63.0, 24.0], [32.0, 24.0], [0.0, 24.0]]).double()
    origin, direction = pixel_rays(uv, batched(1)[0])
    expected = (direction @ batched(1)[0].T_world_cam[:3, :3] @ R.T)[:, 2] > 0
    assert expected.any() and not expected.all()
    assert torch.equal(project(origin + direction, camera[0])[1] > 0, expected)
    v, u = torch.meshgrid(torch.arange(H).double(), torch.arange(660).double(), indexing="ij")
    _, looks = pixel_rays(torch.stack([u, v], dim=-1), camera.unsqueeze(1).unsqueeze(1))
    backward = (looks[0] @ batched(1)[0].T_world_cam[:3, 2]) <= 0  # (H, 660)
    assert backward.any() and (warped[0, :, backward] == 0).all() and (warped == 255).any()


@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_beyond_the_edge_is_the_border_or_black(padding):
    image = torch.full((1, 3, H, W), 200, dtype=torch.uint8)
    A = torch.tensor([[[1.0, 0, 20], [0, 1, 0]]])
    warped, _ = warp_affine(image, oblique_camera(H, W, 1), A, (H, W), padding=padding)
    assert warped.dtype == torch.uint8 and (warped[..., 20:] == 200).all()
    assert (warped[..., :19] == (200 if padding == "border" else 0)).all()


def test_the_identity_changes_nothing():
    image = torch.randint(0, 256, (2, 3, H, W), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    camera = oblique_camera(H, W, 2)
    warped, same = warp_affine(image, camera, torch.eye(3).expand(2, 3, 3), (H, W))
    assert torch.equal(warped, image) and torch.equal(same.K, camera.K)
    resized, same = resize(image, camera, (H, W))
    assert torch.equal(resized, image) and torch.equal(same.K, camera.K)


def test_moving_by_whole_pixels_moves_bytes():
    image = torch.randint(0, 256, (1, 3, H, W), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    A = torch.tensor([[[1.0, 0, 3], [0, 1, -2]]])
    warped, _ = warp_affine(image, oblique_camera(H, W, 1), A, (H, W))
    assert torch.equal(warped[..., :-2, 3:], image[..., 2:, :-3])


def test_a_row_of_a_batch_warps_as_it_does_alone():
    image = torch.rand(3, 3, H, W, generator=torch.Generator().manual_seed(0))
    A = MAPS["affine"](3)
    together, cameras_ = warp_affine(image, batched(3), A, (40, 50))
    for i in range(3):
        alone, camera = warp_affine(image[i : i + 1], batched(1), A[i : i + 1], (40, 50))
        torch.testing.assert_close(together[i : i + 1], alone)
        torch.testing.assert_close(cameras_.K[i : i + 1], camera.K)


def test_shrinking_averages_rather_than_skips():
    stripes = torch.zeros(1, 1, H, W)
    stripes[..., ::8] = 1
    small, _ = resize(stripes, oblique_camera(H, W, 1), (H // 8, W // 8))
    assert (small[..., 1:-1] - 1 / 8).abs().max() < 0.02


def test_random_maps_repeat_with_their_generator_and_stay_within_their_ranges():
    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return random_affine(200, (H, W), scale=(0.7, 0.9), max_rotation_deg=10, max_shift=0.1, generator=generator)

    A = draw(0)
    assert torch.equal(A, draw(0)) and not torch.equal(A, draw(1))
    scale = torch.linalg.det(A[:, :2, :2]).sqrt()
    angle = torch.rad2deg(torch.atan2(A[:, 1, 0], A[:, 0, 0]))
    middle = torch.tensor([(W - 1) / 2, (H - 1) / 2, 1])
    shift = ((A @ middle)[:, :2] - middle[:2]) / torch.tensor([W, H])
    for values, low, high in ((scale, 0.7, 0.9), (angle, -10, 10), (shift, -0.1, 0.1)):
        assert low - 1e-4 <= values.min() < low + 0.1 * (high - low)
        assert high + 1e-4 >= values.max() > high - 0.1 * (high - low)


def test_one_camera_serves_a_batch_of_images():
    _, camera = warp_affine(torch.zeros(4, 3, H, W), oblique_camera(H, W), torch.eye(3).expand(4, 3, 3), (H, W))
    assert camera.K.shape == (4, 3, 3) and camera.T_world_cam.shape == (4, 4, 4)


def test_what_does_not_fit_is_refused():
    image, camera = torch.zeros(2, 3, H, W), oblique_camera(H, W, 2)
    eye = torch.eye(3).expand(2, 3, 3)
    with pytest.raises(ValueError, match="of their camera"):
        resize(image[..., 1:], camera, (10, 10))
    with pytest.raises(ValueError, match="positive"):
        resize(image, camera, (0, 10))
    with pytest.raises(ValueError, match=r"a crop of 40 x 20 at \(u, v\) = \(10, 20\) does not fit into the 48 x 64"):
        crop(image, camera, left=10, top=20, H=40, W=20)
    with pytest.raises(ValueError, match="as many cameras"):
        warp_affine(image[:1], camera, eye[:1], (H, W))
    with pytest.raises(ValueError, match=r"must be \(2, 2, 3\) or \(2, 3, 3\)"):
        warp_affine(image, camera, eye[:1], (H, W))
    with pytest.raises(ValueError, match="finite, invertible"):
        warp_affine(image, camera, torch.zeros(2, 3, 3), (H, W))
    with pytest.raises(ValueError, match="finite, invertible"):
        warp_affine(image, camera, eye * float("nan"), (H, W))


def test_a_camera_may_look_from_anywhere(camera):
    other = Camera(camera.K, look_at(torch.tensor([-0.3, 0.4, 0.5]).double(), torch.zeros(3).double()), (H, W))
    batch = Camera.stack([camera, other])
    _, warped = warp_affine(torch.zeros(2, 3, H, W), batch, MAPS["affine"](2), (H, W))
    assert torch.equal(warped.T_world_cam, batch.T_world_cam)
