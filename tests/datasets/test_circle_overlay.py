"""The disc stands where the end effector is, to a fraction of a pixel, and nothing else of the picture changes."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from para.datasets import Demonstrations, record
from para.datasets.circle_overlay import ORANGE, circle_world, draw_disc, overlay, overlay_episode
from para.geometry import Camera, look_at, project
from para.interfaces import Observation, Scene, World
from para.worlds import make_world
from tests.datasets.spoiling import EPISODES

H, W = 40, 64
GREY = 90


def grey(n: int = 1) -> torch.Tensor:
    return torch.full((n, 3, H, W), GREY, dtype=torch.uint8)


def coverage(drawn: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """How much of each pixel the disc covers, from its red channel. (H, W)."""
    return (drawn[0, 0].double() - image[0, 0].double()) / (ORANGE[0] - image[0, 0].double())


def oblique_camera() -> Camera:
    K = torch.tensor([[70.0, 0, 30.0], [0, 66.0, 21.0], [0, 0, 1]])
    T = look_at(torch.tensor([0.9, -0.4, 0.8]), torch.tensor([0.05, 0.02, 0.0]))
    return Camera(K.unsqueeze(0), T.unsqueeze(0), (H, W))


@pytest.mark.parametrize("uv", [(20.0, 15.0), (20.25, 15.6), (33.5, 9.5), (40.9, 30.1)])
def test_the_disc_is_centred_on_its_pixel_to_a_fraction_of_one_and_has_its_area(uv):
    cover = coverage(draw_disc(grey(), torch.tensor([uv]), 4.0), grey())
    u = (cover.sum(0) * torch.arange(W)).sum() / cover.sum()
    v = (cover.sum(1) * torch.arange(H)).sum() / cover.sum()
    assert (float(u), float(v)) == pytest.approx(uv, abs=0.02)
    assert float(cover.sum()) == pytest.approx(math.pi * 16, rel=0.02)


def test_the_disc_has_a_full_middle_and_smooth_edges():
    cover = coverage(draw_disc(grey(), torch.tensor([[20.0, 15.0]]), 4.0), grey())
    assert cover[15, 20] == 1 and cover[15, 23] == 1 and cover[15, 25] == 0
    assert float(cover[15, 24]) == pytest.approx(0.5, abs=0.01)


def test_at_the_border_the_disc_is_cut_and_never_wraps():
    whole = coverage(draw_disc(grey(), torch.tensor([[20.0, 15.0]]), 3.0), grey())
    cut = coverage(draw_disc(grey(), torch.tensor([[0.0, 15.0]]), 3.0), grey())
    torch.testing.assert_close(cut[:, :4], whole[:, 20:24])
    assert cut[:, 10:].abs().sum() == 0
    for off in [(-10.0, 15.0), (W + 9.0, 15.0), (20.0, -30.0), (1e9, -1e9)]:
        assert torch.equal(draw_disc(grey(), torch.tensor([off]), 3.0), grey())


def test_what_is_not_visible_is_not_drawn_even_where_its_pixel_is_not_known():
    uv = torch.tensor([[20.0, 15.0], [float("nan"), 15.0]])
    drawn = draw_disc(grey(2), uv, 3.0, visible=torch.tensor([True, False]))
    assert not torch.equal(drawn[:1], grey()) and torch.equal(drawn[1:], grey())
    with pytest.raises(ValueError, match="not finite"):
        draw_disc(grey(2), uv, 3.0)
    with pytest.raises(ValueError, match="radius above 0"):
        draw_disc(grey(2), uv, 0.0)


def test_an_end_effector_behind_the_camera_gets_no_disc_though_its_mirror_image_would_be_in_the_picture():
    camera = oblique_camera()
    centre = camera.T_world_cam[0, :3, 3]
    ahead = torch.tensor([0.05, 0.02, 0.0])
    points = torch.stack([ahead, 2 * centre - ahead])
    uv, depth = project(points, camera)
    assert depth[0] > 0 > depth[1] and (0 < uv).all() and (uv < torch.tensor([W, H])).all()
    cameras = Camera(camera.K.repeat(2, 1, 1), camera.T_world_cam.repeat(2, 1, 1), (H, W))
    drawn = overlay(Observation(grey(2), cameras, points, torch.ones(2)))
    assert not torch.equal(drawn.image[:1], grey()) and torch.equal(drawn.image[1:], grey())


def test_recorded_frames_get_their_disc_where_their_end_effector_projects():
    episode = replace(EPISODES[0], image=np.full_like(EPISODES[0].image, GREY))
    drawn = overlay_episode(episode, radius=0.05)
    uv, _ = project(torch.from_numpy(episode.ee_position).double(), episode.camera.to(dtype=torch.float64))
    changed = (drawn.image != GREY).any(axis=-1)
    for k in range(len(episode)):
        v, u = np.nonzero(changed[k])
        assert np.hypot(u - uv[k, 0].item(), v - uv[k, 1].item()).max() < 0.05 * changed.shape[1] + 0.5
    assert np.array_equal(drawn.ee_position, episode.ee_position) and (episode.image == GREY).all()
    with pytest.raises(ValueError, match="0 of"):
        overlay_episode(replace(episode, image=episode.image[:0]))


@pytest.fixture(scope="module")
def circles(tmp_path_factory):
    """A dataset of one circle demonstration, and the root that it is in."""
    root = tmp_path_factory.mktemp("circles") / "dataset"
    build = partial(circle_world, partial(make_world, "tabletop", (72, 96), robot_visible=False))
    record(build, [Scene((0.0, -0.1), view_theta_deg=15, view_phi_deg=40)], root, workers=0, progress=False,
           lossless=True)  # fmt: skip
    return Demonstrations.open(root)


def test_a_circle_world_is_recorded_like_any_other_and_its_demonstrations_end_in_placed(circles):
    assert isinstance(circle_world(partial(make_world, "tabletop", (24, 32))), World)
    assert circles.n_episodes == 1 and circles.outcomes == ["placed"] and len(circles) > 20


def test_in_a_recorded_circle_demonstration_something_orange_is_where_every_frame_says_the_end_effector_is(circles):
    uv, _ = project(torch.from_numpy(circles.ee_position), circles.camera(slice(None)))
    for image, (u, v) in zip(np.asarray(circles.images), uv.round().long().tolist()):
        assert np.abs(image[v, u].astype(int) - ORANGE).max() < 12
