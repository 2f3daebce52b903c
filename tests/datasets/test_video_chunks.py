"""Chunks that carry later frames."""

import numpy as np
import pytest
import torch

from para.datasets import ChunkDataset, Demonstrations, record
from para.datasets.video_chunks import VideoChunkDataset
from tests.datasets.fake_world import fake_scenes, make_fake_world


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory) -> Demonstrations:
    root = tmp_path_factory.mktemp("video") / "data"
    record(make_fake_world, fake_scenes(2), root, workers=1, progress=False, lossless=True)
    return Demonstrations.open(root)


def test_later_frames_are_those_of_the_episode_and_its_last_one_beyond_the_end(demonstrations):
    data = VideoChunkDataset(demonstrations, 4, offsets=(2, 5))
    stop = int(demonstrations.episode_stop[0])
    obs, actions = data.batch([0, stop - 3, stop - 1])
    assert actions.frames.shape == (3, 2, 3, *demonstrations.image_size) and actions.frames.dtype == torch.uint8
    for row, wanted in enumerate([(2, 5), (stop - 1, stop - 1), (stop - 1, stop - 1)]):
        for k, frame in enumerate(wanted):
            np.testing.assert_array_equal(actions.frames[row, k].permute(1, 2, 0).numpy(), demonstrations.images[frame])
    assert torch.equal(obs.image[2], actions.frames[2, 0])  # not a frame of the next episode


def test_all_else_is_as_without_frames(demonstrations):
    plain, video = ChunkDataset(demonstrations, 4), VideoChunkDataset(demonstrations, 4, offsets=(1,))
    (a, b), (c, d) = plain.batch([3, 1]), video.batch([3, 1])
    assert torch.equal(a.image, c.image) and torch.equal(b.position, d.position) and b.frames is None
    assert torch.equal(d[1].frames, d.frames[1:2])  # rows of a chunk keep their frames


@pytest.mark.parametrize("offsets", [(), (0, 1), (3, 2)])
def test_frames_that_do_not_lie_later_are_refused(demonstrations, offsets):
    with pytest.raises(ValueError, match="rise from above 0"):
        VideoChunkDataset(demonstrations, 4, offsets=offsets)


def test_steps_that_are_not_a_fixed_time_apart_are_refused(demonstrations):
    with pytest.raises(ValueError, match="a fixed time apart, and 'keypose' steps are not"):
        VideoChunkDataset(demonstrations, 4, "keypose", offsets=(1,))
