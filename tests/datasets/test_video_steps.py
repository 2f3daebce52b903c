"""Frames stand for equal steps of time: the nearest ones, by index at constant rates, by time stamps at others."""

import math

import numpy as np
import pytest

from para.datasets.video_steps import frame_positions, nearest_frames, step_frames
from tests.datasets.track_videos import dot_frames, dot_track, write_timed_video


@pytest.mark.parametrize("clock", [None, 1000, 600, 90000])
@pytest.mark.parametrize("fps", [5, 20 / 3, 10, 24, 25, 30000 / 1001, 30, 60])
@pytest.mark.parametrize("step_s", [0.05, 0.15, 0.31])
def test_at_a_constant_rate_steps_are_those_of_the_index_however_coarse_the_files_clock(fps, step_s, clock):
    n, step = 101, max(1.0, fps * step_s)
    times = 0.7 + np.arange(n) / fps
    times = times if clock is None else np.round(times * clock) / clock
    index, near = nearest_frames(frame_positions("a.mp4", list(times), fps), step)
    by_index = [math.floor(k * step + 0.5) for k in range(n)]
    assert index.tolist() == [i for i in by_index if i < n] and near.all()


def test_at_varying_rates_no_frame_is_nearer_to_a_step_than_the_one_chosen():
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.3, 200))
    rate, step_s = 199 / (times[-1] - times[0]), 0.2
    index, near = nearest_frames(frame_positions("a.mp4", list(times), rate), rate * step_s)
    off = np.abs(times[None] - times[0] - step_s * np.arange(len(index))[:, None])
    np.testing.assert_allclose(off[np.arange(len(index)), index], off.min(axis=1), atol=1e-9)
    assert (np.diff(index) >= 0).all() and (off.min(axis=1)[~near] > step_s / 2 - 1e-9).all() and not near.all()


@pytest.mark.parametrize("times", [[0.0, 0.1, None, 0.2], [None] * 4, [0.0, 0.3, 0.1, 0.4]])
def test_without_time_stamps_or_where_they_run_backwards_frames_count_as_equally_far_apart_and_that_is_said(
    times, caplog
):
    assert frame_positions("hand.avi", times, 30.0).tolist() == [0, 1, 2, 3]
    assert "hand.avi has frames without time stamps, or out of order; they count as 30 a second" in caplog.text


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_constant_rate_is_one_in_every_container(tmp_path, suffix, caplog):
    path = tmp_path / f"a{suffix}"
    write_timed_video(path, dot_frames(dot_track(31)), [round(k * 1000 / 30) for k in range(31)])
    steps = step_frames(path, 0.15)
    assert steps.index.tolist() == [0, 5, 9, 14, 18, 23, 27] and steps.n_frames == 31 and not caplog.text


@pytest.mark.parametrize(("fps", "said"), [(2, True), (5, True), (6.5, False), (10, False)])
def test_a_video_that_is_slower_than_its_steps_is_told(tmp_path, fps, said, caplog):
    path = tmp_path / "slow.mp4"
    write_timed_video(path, dot_frames(dot_track(9)), [round(k * 1000 / fps) for k in range(9)])
    step_frames(path, 0.15)
    assert ("each frame is taken for a step" in caplog.text and "--step-s" in caplog.text) == said
