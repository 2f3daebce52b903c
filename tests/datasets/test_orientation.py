"""Mirrored and upside-down frames are recognised from what moves in them, and turned back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from para.datasets import DatasetError, DatasetWriter, check_dataset
from para.datasets.orientation import ORIENTATIONS, find_orientation, undo
from para.geometry import Camera, project
from para.interfaces import Episode, Scene
from tests.conftest import oblique_camera

H, W = 48, 64


def an_episode(seed: int, n: int = 12):
    """An arm that hangs into noise from above and goes down: frames (n, H, W, 3) and its tip (n, 3)."""
    rng = np.random.default_rng(seed)
    ee = np.linspace((0.0, 0.0, 0.2), rng.uniform([-0.25, -0.25, 0.0], [0.25, 0.25, 0.05]), n)
    uv = project(torch.from_numpy(ee), oblique_camera(H, W, dtype=torch.float64))[0].numpy()
    frames = np.repeat(rng.integers(0, 90, (1, H, W, 3), dtype=np.uint8), n, axis=0)
    frames += rng.integers(0, 8, frames.shape, dtype=np.uint8)
    v, u = np.mgrid[:H, :W]
    for frame, tip in zip(frames, uv):
        frame[(np.abs(u - tip[0]) < 4) & (v < tip[1] + 2)] = 220
    return frames, ee


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_frames_are_recognised_in_each_orientation_and_turned_back(orientation):
    camera = oblique_camera(H, W)
    episodes = [an_episode(seed) for seed in range(6)]
    stored = [(undo(frames, orientation), ee, camera) for frames, ee in episodes]
    assert find_orientation(stored) == orientation
    np.testing.assert_array_equal(undo(stored[0][0], orientation), episodes[0][0])


def test_the_orientation_of_frames_in_which_nothing_moves_is_not_guessed():
    frames, ee = an_episode(0)
    with pytest.raises(DatasetError, match="cannot tell which way up .* 0 pairs .* --orientation upright"):
        find_orientation([(frames, np.repeat(ee[:1], len(ee), axis=0), oblique_camera(H, W))] * 6)


def test_the_orientation_is_not_guessed_with_the_camera_of_other_frames():
    """Positions that have nothing to do with the frames: no orientation fits much better than the others."""
    episodes = [(an_episode(seed)[0], an_episode(seed + 100)[1], oblique_camera(H, W)) for seed in range(20)]
    with pytest.raises(DatasetError, match="check the camera"):
        find_orientation(episodes)


def test_an_unknown_orientation_is_refused():
    with pytest.raises(ValueError, match="no orientation 'sideways'"):
        undo(np.zeros((1, H, W, 3), np.uint8), "sideways")


@pytest.mark.parametrize("orientation", ["upright", "mirrored"])
def test_checking_a_dataset_tells_frames_that_are_mirrored_with_respect_to_their_camera(orientation, tmp_path):
    camera = oblique_camera(H, W)
    with DatasetWriter(tmp_path / "data", image_size=(H, W)) as writer:
        for seed in range(6):
            frames, ee = an_episode(seed)
            n = len(ee)
            moved = np.concatenate([ee[1:], ee[-1:]]).astype(np.float32)
            one = np.ones(n, dtype=np.float32)
            T = camera.T_world_cam.repeat(n, 1, 1)
            writer.add(
                Episode(
                    Scene((0.0, 0.0)), undo(frames, orientation), Camera(camera.K.repeat(n, 1, 1), T, (H, W)),
                    ee.astype(np.float32), one, moved, one, np.zeros(n, dtype=np.int64), "placed",
                )
            )  # fmt: skip
    problems = check_dataset(tmp_path / "data")
    assert problems == [] if orientation == "upright" else "the frames are mirrored" in problems[0]
