"""A point of which only the pixel is known stands for that pixel and for nothing else."""

from dataclasses import replace

import pytest
import torch

from para.datasets import ChunkDataset, DatasetError, DatasetWriter, Demonstrations
from para.datasets.partial_supervision import (
    INFO_KEY,
    NOMINAL_HEIGHT_M,
    PixelsOnly,
    nominal_points,
    pixels_only,
    to_nominal,
)
from para.geometry import Camera, look_at, project
from para.geometry.lifting import lift_to_depth_masked
from tests.conftest import oblique_camera, random_batch
from tests.datasets.fake_world import IMAGE_SIZE
from tests.datasets.spoiling import EPISODES


def test_nominal_points_project_to_their_pixels_and_lie_on_the_plane_or_ahead_where_it_is_not_seen():
    level = look_at(torch.tensor([0.0, 0.0, 0.3]).double(), torch.tensor([1.0, 0.2, 0.25]).double())
    camera = Camera(oblique_camera(dtype=torch.float64).K, level, (48, 64))
    uv = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * torch.tensor([63, 47])
    points = nominal_points(uv, camera)
    seen_uv, depth = project(points, camera)
    torch.testing.assert_close(seen_uv, uv, rtol=0, atol=1e-6)
    on_plane = (points[:, 2] - NOMINAL_HEIGHT_M).abs() < 1e-9
    assert (depth > 0).all() and on_plane.any() and not on_plane.all()


def test_points_that_are_off_the_image_behind_the_camera_or_not_known_are_not_seen_and_stay_finite():
    camera = oblique_camera(dtype=torch.float64)
    behind = 2 * camera.T_world_cam[:3, 3] - torch.tensor([0.02, 0.03, 0.05])
    points = torch.stack([torch.tensor([0.0, 0.0, 0.1]).double(), torch.tensor([0.0, 5.0, 0.0]).double(), behind,
                          torch.full((3,), float("nan")).double()])  # fmt: skip
    nominal, seen = to_nominal(points, camera)
    assert seen.tolist() == [True, False, False, False] and torch.isfinite(nominal).all()


@pytest.mark.parametrize("uv", [(-0.4, 20.25), (63.4, 20.25), (31.5, -0.49), (10.0, 47.49)])
def test_a_point_in_the_outer_half_of_a_pixel_at_the_border_keeps_its_place(uv):
    camera = oblique_camera(dtype=torch.float64)
    camera = Camera(camera.K, camera.T_world_cam, (48, 64))
    uv = torch.tensor(uv, dtype=torch.float64)
    point, _ = lift_to_depth_masked(uv, torch.tensor(0.7, dtype=torch.float64), camera)
    nominal, seen = to_nominal(point, camera)
    assert bool(seen)
    torch.testing.assert_close(project(nominal, camera)[0], uv, rtol=0, atol=1e-9)


def test_pixels_only_keeps_every_pixel_and_takes_heights_and_gripper_away():
    obs, actions = random_batch()
    blind, partial = pixels_only(obs, actions)
    for before, after in ((actions.position, partial.position), (obs.ee_position.unsqueeze(1),
                                                                 blind.ee_position.unsqueeze(1))):  # fmt: skip
        camera = obs.camera.unsqueeze(1)
        torch.testing.assert_close(project(after, camera)[0], project(before, camera)[0], rtol=0, atol=1e-3)
        torch.testing.assert_close(after[..., 2], torch.full_like(after[..., 2], NOMINAL_HEIGHT_M))
    assert partial.pixel_known.all() and not partial.height_known.any() and not partial.gripper_known.any()
    higher = replace(actions, position=actions.position, gripper=1 - actions.gripper)
    assert torch.equal(pixels_only(obs, higher)[1].gripper, partial.gripper)
    assert torch.equal(blind.gripper, torch.full((3,), 0.5))


@pytest.fixture
def half_known(tmp_path):
    """Two episodes: of the first only pixels are known, and not in its second frame; the other tells all."""
    first = replace(EPISODES[0], info={INFO_KEY: {"height": False, "gripper": False,
                                                  "pixel": "10" + "1" * (len(EPISODES[0]) - 2)}})  # fmt: skip
    with DatasetWriter(tmp_path / "dataset", image_size=IMAGE_SIZE) as writer:
        for episode in (first, EPISODES[1]):
            writer.add(episode)
    return Demonstrations.open(tmp_path / "dataset")


def test_a_dataset_says_for_each_step_what_is_known_and_subsets_keep_it(half_known):
    n = len(EPISODES[0])
    data = ChunkDataset(half_known, horizon=3)
    _, actions = data.batch([0, n - 1, n])
    assert actions.pixel_known.tolist() == [[True, False, True], [True] * 3, [True] * 3]
    assert actions.height_known.tolist() == [[False] * 3, [False] * 3, [True] * 3]
    assert actions.gripper_known.tolist() == actions.height_known.tolist()
    swapped = ChunkDataset(half_known.subset([1, 0]), horizon=1)
    assert swapped.actions().known[:, 0].tolist() == data.actions().known[:, 0].roll(len(EPISODES[1]), 0).tolist()
    assert ChunkDataset(half_known.subset([1]), horizon=3).actions().known is None


def test_what_an_episode_says_must_fit_its_frames(half_known):
    half_known.episode_infos[0][INFO_KEY]["pixel"] = "101"
    with pytest.raises(DatasetError, match="says of 3 frames whether their pixel is known"):
        ChunkDataset(half_known)


def test_a_view_of_a_dataset_as_pixels_has_its_samples(half_known):
    data = ChunkDataset(half_known.subset([1]), horizon=3)
    view = PixelsOnly(data)
    obs, actions = view.batch([0, 2])
    plain, _ = data.batch([0, 2])
    assert len(view) == len(data) and torch.equal(obs.image, plain.image) and not actions.height_known.any()
