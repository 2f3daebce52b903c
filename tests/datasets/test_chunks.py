"""Chunks: which frames a sample's steps come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from para.datasets import ChunkDataset, DatasetWriter, Demonstrations, episodes_where, split_episodes
from tests.datasets.fake_world import IMAGE_SIZE, random_episode

PHASES = [[0, 0, 1, 1, 1, 2], [0, 1, 1, 0]]  # the second returns to an earlier phase: runs count, not numbers
T = 4


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory) -> Demonstrations:
    root: Path = tmp_path_factory.mktemp("chunks")
    with DatasetWriter(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        for i, phases in enumerate(PHASES):
            writer.add(replace(random_episode(i, len(phases)), phase=np.array(phases)))
    return Demonstrations.open(root)


def test_step_k_of_a_dense_chunk_is_the_action_k_frames_on(demonstrations):
    _, chunk = ChunkDataset(demonstrations, T).batch([1])
    np.testing.assert_array_equal(chunk.position[0], demonstrations.action_position[1 : 1 + T])
    np.testing.assert_array_equal(chunk.gripper[0], demonstrations.action_gripper[1 : 1 + T])
    assert not chunk.is_pad.any()


def test_a_dense_chunk_holds_the_last_action_beyond_the_end_and_never_enters_the_next_episode(demonstrations):
    for last, stop in ((4, 6), (9, 10)):
        _, chunk = ChunkDataset(demonstrations, T).batch([last])
        n_left = stop - last
        assert chunk.is_pad[0].tolist() == [False] * n_left + [True] * (T - n_left)
        np.testing.assert_array_equal(
            chunk.position[0, n_left:], np.tile(demonstrations.action_position[stop - 1], (T - n_left, 1))
        )


def test_key_poses_are_the_last_frames_of_the_phases_still_to_come(demonstrations):
    dataset = ChunkDataset(demonstrations, T, step="keypose")
    expected = {  # frame: (frames of the targets, number that are real)
        0: ([1, 4, 5, 5], 3),
        1: ([1, 4, 5, 5], 3),
        2: ([4, 5, 5, 5], 2),
        5: ([5, 5, 5, 5], 1),
        6: ([6, 8, 9, 9], 3),
        7: ([8, 9, 9, 9], 2),
        9: ([9, 9, 9, 9], 1),
    }
    for frame, (targets, n_real) in expected.items():
        _, chunk = dataset.batch([frame])
        np.testing.assert_array_equal(chunk.position[0], demonstrations.action_position[targets], err_msg=str(frame))
        assert chunk.is_pad[0].tolist() == [False] * n_real + [True] * (T - n_real)


def test_a_batch_is_its_rows_in_the_order_asked_for(demonstrations):
    dataset = ChunkDataset(demonstrations, T)
    indices = [7, 0, 7, 3]
    observation, chunk = dataset.batch(indices)
    assert len(dataset) == 10
    assert observation.image.shape == (4, 3, *IMAGE_SIZE) and observation.image.dtype == torch.uint8
    assert observation.camera.K.dtype == chunk.position.dtype == observation.ee_position.dtype == torch.float32
    for row, frame in enumerate(indices):
        np.testing.assert_array_equal(observation.image[row].permute(1, 2, 0), demonstrations.images[frame])
        np.testing.assert_array_equal(observation.ee_position[row], demonstrations.ee_position[frame])
        assert observation.gripper[row] == demonstrations.gripper[frame]
        np.testing.assert_allclose(observation.camera.T_world_cam[row], demonstrations.T_world_cam[frame], rtol=1e-6)
        _, alone = dataset.batch([frame])
        torch.testing.assert_close(alone.position[0], chunk.position[row], rtol=0, atol=0)


def test_all_actions_come_without_reading_an_image(demonstrations):
    unreadable = replace(demonstrations, images=None)
    actions = ChunkDataset(unreadable, T).actions()
    assert actions.position.shape == (10, T, 3)
    torch.testing.assert_close(actions[9].position, ChunkDataset(demonstrations, T).batch([9])[1].position)


def test_key_poses_need_phases(demonstrations):
    silent = replace(demonstrations, phase=np.full(10, -1))
    ChunkDataset(silent, T)
    with pytest.raises(ValueError, match="10 of 10 frames have no phase.*step='dense'"):
        ChunkDataset(silent, T, step="keypose")


@pytest.mark.parametrize("horizon, step", [(0, "dense"), (4, "sparse")])
def test_unknown_chunks_are_refused(demonstrations, horizon, step):
    with pytest.raises(ValueError, match="at least one step|'dense' or 'keypose'"):
        ChunkDataset(demonstrations, horizon, step)


def test_a_split_parts_the_episodes_and_depends_on_its_seed_alone():
    train, heldout = split_episodes(20, 0.25, seed=3)
    assert sorted([*train, *heldout]) == list(range(20)) and len(heldout) == 5
    for part, again in zip((train, heldout), split_episodes(20, 0.25, seed=3)):
        np.testing.assert_array_equal(part, again)
    assert any(split_episodes(20, 0.25, seed=s)[1].tolist() != heldout.tolist() for s in range(3))


def test_a_split_holds_out_at_least_one_episode_or_none_at_all():
    assert len(split_episodes(5, 0.01, seed=0)[1]) == 1
    assert len(split_episodes(5, 0.0, seed=0)[1]) == 0


@pytest.mark.parametrize("n, fraction", [(5, 1.0), (5, -0.1), (1, 0.5)])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(n, fraction):
    with pytest.raises(ValueError, match="below 1|none to train on"):
        split_episodes(n, fraction, seed=0)


def test_episodes_are_chosen_by_their_scene(demonstrations):
    assert episodes_where(demonstrations, lambda scene: scene.seed == 1).tolist() == [1]
    assert episodes_where(demonstrations, lambda scene: False).tolist() == []
