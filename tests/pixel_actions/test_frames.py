"""Which frame each step reads, and that heads read it."""

import pytest
import torch

from para.pixel_actions.frames import frame_of_step, frame_offsets, sample_at_steps
from para.pixel_actions.heads import PixelHeads


def test_steps_read_the_first_frame_that_is_not_before_them():
    assert frame_of_step(6, 7) == [1, 2, 3, 4, 5, 6]
    assert frame_of_step(12, 4) == [1] * 4 + [2] * 4 + [3] * 4
    assert frame_of_step(12, 1) == [0] * 12


@pytest.mark.parametrize("horizon, n_frames", [(6, 7), (12, 4), (12, 6), (5, 3)])
def test_a_steps_frame_is_stored_no_earlier_than_the_step_and_the_last_at_the_last(horizon, n_frames):
    offsets = (0, *frame_offsets(horizon, n_frames))
    read = frame_of_step(horizon, n_frames)
    assert all(offsets[f - 1] < t <= offsets[f] for t, f in enumerate(read, start=1))
    assert offsets[read[-1]] == horizon


def test_more_future_frames_than_steps_are_refused():
    with pytest.raises(ValueError, match="horizon of at least 6"):
        frame_offsets(4, 7)


def test_each_step_gets_the_logits_of_its_own_frame():
    heads = PixelHeads(5, 6, 3, 2, formulation="joint", read_start=True)
    g = torch.Generator().manual_seed(0)
    frames = torch.randn(2, 4, 5, 6, 8, generator=g)
    uv, start_uv = torch.rand(2, 6, 2, generator=g) * 20, torch.rand(2, 2, generator=g) * 20
    volume, height = heads.volume_logits(frames), heads.height_logits(frames, uv, 4)
    gripper = heads.gripper_logits(frames, uv, start_uv, 4)
    assert volume.shape == (2, 6, 3, 6, 8)
    for step, frame in enumerate(frame_of_step(6, 4)):
        torch.testing.assert_close(volume[:, step], heads.volume_logits(frames[:, frame])[:, step])
        torch.testing.assert_close(height[:, step], heads.height_logits(frames[:, frame], uv, 4)[:, step])
    still = frames[:, :1].expand(-1, 4, -1, -1, -1)
    torch.testing.assert_close(
        heads.gripper_logits(still, uv, start_uv, 4), heads.gripper_logits(frames[:, 0], uv, start_uv, 4)
    )
    assert not torch.allclose(gripper, heads.gripper_logits(still, uv, start_uv, 4))


def test_reading_at_steps_without_frames_is_reading_at_pixels():
    grid, uv = torch.randn(2, 5, 6, 8), torch.rand(2, 3, 2) * 20
    torch.testing.assert_close(sample_at_steps(grid.unsqueeze(1), uv, 4), sample_at_steps(grid, uv, 4))
