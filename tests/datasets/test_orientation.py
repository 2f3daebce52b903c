"""Mirrored and upside-down frames are recognised from what moves in them, and turned back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from para.datasets import DatasetError
from para.datasets.orientation import ORIENTATIONS, find_orientation, undo
from para.geometry import project
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
    stored = [(undo(frames, orientation), ee) for frames, ee in episodes]
    assert find_orientation(stored, camera) == orientation
    np.testing.assert_array_equal(undo(stored[0][0], orientation), episodes[0][0])


def test_the_orientation_of_frames_in_which_nothing_moves_is_not_guessed():
    frames, ee = an_episode(0)
    with pytest.raises(DatasetError, match="cannot tell which way up .* 0 pairs .* --orientation upright"):
        find_orientation([(frames, np.repeat(ee[:1], len(ee), axis=0))] * 6, oblique_camera(H, W))


def test_the_orientation_is_not_guessed_with_the_camera_of_other_frames():
    """Positions that have nothing to do with the frames: no orientation fits much better than the others."""
    episodes = [(an_episode(seed)[0], an_episode(seed + 100)[1]) for seed in range(20)]
    with pytest.raises(DatasetError, match="check the camera"):
        find_orientation(episodes, oblique_camera(H, W))


def test_an_unknown_orientation_is_refused():
    with pytest.raises(ValueError, match="no orientation 'sideways'"):
        undo(np.zeros((1, H, W, 3), np.uint8), "sideways")
