"""Augmentation keeps the geometry true: what is drawn at a projected point is still found there."""

from dataclasses import replace

import pytest
import torch

from para.geometry import Camera, look_at, project
from para.interfaces import Observation
from para.policies.augment import AugmentConfig, augment


def marked_observation(height: float, B: int = 6) -> tuple[Observation, torch.Tensor]:
    """A dark picture of an oblique camera with a bright mark where a point at that height projects."""
    eye = torch.tensor([1.0, 0.3, 1.1])
    K = torch.tensor([[150.0, 0.0, 79.0], [0.0, 140.0, 47.0], [0.0, 0.0, 1.0]])
    camera = Camera(K.expand(B, 3, 3), look_at(eye, torch.zeros(3)).expand(B, 4, 4), (96, 160))
    point = torch.tensor([0.05, -0.1, height])
    u, v = project(point, camera[0])[0]
    image = torch.zeros(B, 3, 96, 160)
    rows, columns = torch.arange(96.0).view(-1, 1), torch.arange(160.0)
    image[:] = 255 * torch.exp(-((rows - v) ** 2 + (columns - u) ** 2) / 8)
    obs = Observation(image.to(torch.uint8), camera, point.expand(B, 3), torch.ones(B))
    return obs, point


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(scale=(0.8, 1.2), max_rotation_deg=10, max_shift=0.1),
        AugmentConfig(view_tilt_deg=30, view_plane_m=(0.08, 0.08)),
        AugmentConfig(scale=(0.8, 1.1), max_rotation_deg=8, view_tilt_deg=30, view_plane_m=(0.08, 0.08)),
        AugmentConfig(max_rotation_deg=8, view_tilt_deg=30, view_plane_m=(0.08, 0.08), moved_share=0.5),
    ],
)
def test_the_mark_is_where_the_moved_camera_projects_it(config):
    obs, point = marked_observation(height=0.08)
    moved = augment(obs, config, torch.Generator().manual_seed(3))
    assert not torch.equal(moved.image, obs.image)
    weight = moved.image[:, 0].float().clamp(min=40) - 40
    v, u = torch.meshgrid(torch.arange(96.0), torch.arange(160.0), indexing="ij")
    found = torch.stack([(weight * axis).sum((-2, -1)) for axis in (u, v)], dim=-1) / weight.sum((-2, -1)).unsqueeze(-1)
    expected, _ = project(point, moved.camera)
    assert float((found - expected).norm(dim=-1).max()) < 0.5


def test_of_a_share_the_other_pictures_and_cameras_stay_as_they_were_recorded():
    obs, _ = marked_observation(height=0.08, B=64)
    config = AugmentConfig(max_rotation_deg=8, view_tilt_deg=30, moved_share=0.25)
    moved = augment(obs, config, torch.Generator().manual_seed(3))
    stayed = torch.tensor([torch.equal(moved.camera[i].T_world_cam, obs.camera[i].T_world_cam) for i in range(64)])
    assert 0.6 < float(stayed.float().mean()) < 0.9
    assert torch.equal(moved.camera.K[stayed], obs.camera.K[stayed])
    difference = (moved.image.int() - obs.image.int()).abs().flatten(1).amax(dim=-1)
    assert int(difference[stayed].max()) <= 1 < int(difference[~stayed].min())


def test_off_the_drawn_plane_there_is_parallax():
    obs, point = marked_observation(height=0.3)
    moved = augment(obs, AugmentConfig(view_tilt_deg=30, view_plane_m=(0.0, 0.0)), torch.Generator().manual_seed(3))
    brightest = moved.image[:, 0].flatten(1).argmax(dim=-1)
    found = torch.stack([brightest % 160, brightest // 160], dim=-1).float()
    assert float((found - project(point, moved.camera)[0]).norm(dim=-1).max()) > 3


def test_virtual_views_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="below 90"):
        AugmentConfig(view_tilt_deg=95)
    with pytest.raises(ValueError, match="rise"):
        AugmentConfig(view_plane_m=(0.2, 0.1))
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="moved_share"):
            AugmentConfig(moved_share=share)
    assert AugmentConfig(view_tilt_deg=5).moves_pixels


@pytest.mark.parametrize("height", [0.05, 0.12, 0.15, 0.4])
def test_a_camera_that_is_hardly_above_the_plane_or_below_it_does_not_move(height):
    obs, _ = marked_observation(height=0.0)
    low = look_at(torch.tensor([1.0, 0.3, 0.12]), torch.tensor([0.0, 0.0, 0.05])).expand(6, 4, 4)
    obs = replace(obs, camera=Camera(obs.camera.K, low, (96, 160)))
    config = AugmentConfig(view_tilt_deg=5, view_plane_m=(height, height))
    moved = augment(obs, config, torch.Generator().manual_seed(3))
    if height > 0.06:
        assert torch.equal(moved.camera.T_world_cam, obs.camera.T_world_cam)
        assert int((moved.image.int() - obs.image.int()).abs().max()) <= 1
    else:
        assert not torch.equal(moved.camera.T_world_cam, obs.camera.T_world_cam)
