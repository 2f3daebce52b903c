"""A dataset at another pace and size: the same moments, the same places in the pictures, the last command of a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from para import cli
from para.datasets import DatasetError, DatasetWriter, Demonstrations, check_dataset, repair_dataset, resample
from para.datasets.circle_datasets import overlay_dataset
from para.datasets.lerobot_v3_layout import RECORDING_FILE, read_info
from para.datasets.lerobot_v3_read import read_episode_rows
from para.datasets.partial_supervision import INFO_KEY
from para.datasets.recording import recorded_assets, recorded_in, recorded_with
from para.files import write_json
from para.geometry import project
from tests.datasets.fake_world import random_episode

SIZE, SMALL = (64, 96), (32, 72)
LENGTHS = (11, 7, 8)
FPS, EVERY = 30, 5


def dot_episode(seed: int, n: int, *, moving: bool = False):
    """Pictures that are dark but for a soft dot where the end effector is."""
    episode = random_episode(seed, N=n, image_size=SIZE, moving=moving)
    episode = replace(episode, ee_position=episode.ee_position * np.float32(0.4))
    uv, _ = project(torch.from_numpy(episode.ee_position), episode.camera)
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    squared = (u - uv[:, 0, None, None].numpy()) ** 2 + (v - uv[:, 1, None, None].numpy()) ** 2
    image = np.repeat((250 * np.exp(-squared / 18)).astype(np.uint8)[..., None], 3, axis=-1)
    return replace(episode, image=image)


def write(root, lengths=LENGTHS, *, first: int = 0, moving: bool = False, **options):
    told = {"image_size": SIZE, "fps": FPS, "step_s": 1 / FPS, "camera": "front", "lossless": True} | options
    with DatasetWriter(root, **told) as writer:
        for seed, n in enumerate(lengths, start=first):
            writer.add(dot_episode(seed, n, moving=moving), task=f"task {seed}")
    return root


def lengths_in(root) -> list[int]:
    return [row["length"] for row in read_episode_rows(root, read_info(root))]


def resampled(source, out):
    return resample(source, out, image_size=SMALL)


def circled(source, out):
    return overlay_dataset(source, out)


def centres(images: np.ndarray) -> np.ndarray:
    """(N, 2) the (u, v) of the light in each picture."""
    light = images[..., 0].astype(np.float64)
    v, u = np.mgrid[: light.shape[1], : light.shape[2]]
    return np.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (u, v)], axis=-1)


@pytest.mark.parametrize("moving", [False, True])
def test_kept_frames_are_the_sources_each_with_the_last_command_of_its_step_and_pictures_fit_their_camera(
    tmp_path, moving
):
    source = write(tmp_path / "source", moving=moving)
    done = resample(source, tmp_path / "out", step_s=0.15, image_size=SMALL)
    assert (done.made, done.reused, done.every, done.image_size) == (3, 0, EVERY, SMALL)  # 0.15 s are 4.5 frames
    ours, theirs = Demonstrations.open(tmp_path / "out"), Demonstrations.open(source)
    assert ours.image_size == SMALL and ours.step_s == pytest.approx(EVERY / FPS) and ours.tasks == theirs.tasks
    assert check_dataset(tmp_path / "out") == []
    for index, n in enumerate(LENGTHS):
        mine, whole = ours.episode(index), theirs.episode(index)
        kept = np.arange(0, n, EVERY)
        last = [min(k + EVERY, n) - 1 for k in kept]
        for name in ("ee_position", "gripper"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(whole, name)[kept])
        for name in ("action_position", "action_gripper", "phase"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(whole, name)[last])
        uv, _ = project(torch.from_numpy(mine.ee_position), mine.camera)
        np.testing.assert_allclose(centres(mine.image), uv.numpy(), atol=0.2)
        assert (mine.scene, mine.outcome, mine.info) == (whole.scene, whole.outcome, whole.info)


def test_only_the_pace_or_only_the_size_changes_where_only_that_is_asked_for(tmp_path):
    source = write(tmp_path / "source")
    resample(source, tmp_path / "slow", step_s=2 / FPS)
    resample(source, tmp_path / "small", image_size=SMALL)
    whole, slow, small = (Demonstrations.open(tmp_path / name) for name in ("source", "slow", "small"))
    np.testing.assert_array_equal(slow.images[:], np.concatenate([whole.episode(i).image[::2] for i in range(3)]))
    assert len(small) == len(whole) and small.step_s == whole.step_s and slow.image_size == SIZE
    np.testing.assert_array_equal(small.action_position, whole.action_position)


def test_it_goes_on_where_it_stopped_and_takes_what_was_added(tmp_path, monkeypatch):
    source, out = write(tmp_path / "source"), tmp_path / "out"
    real, left = DatasetWriter.add, [1]

    def stops(writer, episode, **options):
        if not left.pop():
            raise KeyboardInterrupt
        left.append(0)
        real(writer, episode, **options)

    monkeypatch.setattr(DatasetWriter, "add", stops)
    with pytest.raises(KeyboardInterrupt):
        resample(source, out, step_s=0.1)
    monkeypatch.undo()
    assert resample(source, out, step_s=0.1)[:2] == (2, 1)
    resample(source, tmp_path / "at once", step_s=0.1)
    a, b = (Demonstrations.open(folder) for folder in (out, tmp_path / "at once"))
    np.testing.assert_array_equal(a.images[:], b.images[:])
    assert a.data_hash == b.data_hash and resample(source, out, step_s=0.1)[:2] == (0, 3)


@pytest.mark.parametrize("make", [resampled, circled])
def test_after_a_repair_every_episode_of_the_source_is_there_once(tmp_path, make):
    source = write(tmp_path / "source", lengths=(6, 7, 8, 9), moving=False)
    make(source, tmp_path / "out")
    whole = lengths_in(tmp_path / "out")
    video = sorted((tmp_path / "out" / "videos").rglob("*.mp4"))[1]
    video.write_bytes(video.read_bytes()[:100])
    done = repair_dataset(tmp_path / "out")
    assert any("the 2 after it, too" in line for line in done)
    assert lengths_in(tmp_path / "out") == whole[:1]
    make(source, tmp_path / "out")
    assert lengths_in(tmp_path / "out") == whole
    assert check_dataset(tmp_path / "out") == []


def test_what_is_made_otherwise_or_of_something_else_does_not_go_into_one_dataset(tmp_path):
    source, other, out = write(tmp_path / "source"), write(tmp_path / "other", first=7), tmp_path / "out"
    resample(source, out, step_s=0.1)
    with pytest.raises(DatasetError, match="made from another data/"):
        resample(other, out, step_s=0.1)
    with pytest.raises(DatasetError, match="every = 3, not 6"):
        resample(source, out, step_s=0.2)
    with pytest.raises(DatasetError, match="image_size"):
        resample(source, out, step_s=0.1, image_size=SMALL)


@pytest.mark.parametrize(
    "options, said",
    [
        ({}, "nothing to change"),
        ({"step_s": 1 / FPS, "image_size": SIZE}, "nothing to change"),
        ({"step_s": 0.001}, "0.03333 s apart, further than the 0.001 s"),
        ({"step_s": float("nan")}, "step_s is nan"),
        ({"step_s": -1.0}, "step_s is -1"),
        ({"image_size": (0, 8)}, r"positive \(H, W\)"),
        ({"camera": "wrist", "step_s": 0.1}, "wrist"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line_and_leaves_nothing(tmp_path, options, said):
    source = write(tmp_path / "source", lengths=(4,))
    with pytest.raises(ValueError, match=said) as caught:
        resample(source, tmp_path / "out", **options)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_point_tracks_are_left_to_the_command_that_makes_them(tmp_path):
    with DatasetWriter(tmp_path / "source", image_size=SIZE) as writer:
        writer.add(replace(dot_episode(0, 6), info={INFO_KEY: {"height": False, "gripper": False, "pixel": "111111"}}))
    with pytest.raises(DatasetError, match="para tracks"):
        resample(tmp_path / "source", tmp_path / "out", image_size=SMALL)


def test_the_command_says_what_it_made_and_what_comes_next(tmp_path, capsys):
    source = write(tmp_path / "source")
    cli.main(["resample", str(source), str(tmp_path / "out"), "--step-s", "0.15", "--image-size", "32", "72"])
    out = capsys.readouterr().out
    assert "3 episodes written, 0 were there already: one in 5 frames" in out and "para dataset check" in out


def test_a_dataset_of_something_else_is_not_continued_and_stays_as_it_is(tmp_path):
    source = write(tmp_path / "source")
    with DatasetWriter(tmp_path / "other", image_size=SMALL, fps=FPS, step_s=1 / FPS, camera="front") as writer:
        writer.add(random_episode(7, N=5, image_size=SMALL), task="of somebody else")
    before = {path: path.read_bytes() for path in sorted((tmp_path / "other").rglob("*")) if path.is_file()}
    with pytest.raises(DatasetError, match="other holds demonstrations that were not made by resampling .*another"):
        resample(source, tmp_path / "other", image_size=SMALL)
    assert before == {path: path.read_bytes() for path in sorted((tmp_path / "other").rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "said", [{"world": "tabletop", "options": {"circles": True}, "assets": "made"}, {}], ids=["told", "not told"]
)
def test_a_resampled_dataset_is_of_the_world_of_its_source(tmp_path, said):
    source = write(tmp_path / "source")
    if said:
        write_json(source / RECORDING_FILE, said | {"dropped": []})
    for out in ("out", "again"):  # resampled once more, from the resampled
        resample(source, tmp_path / out, step_s=2 / FPS if out == "out" else 4 / FPS)
        source = tmp_path / out
        found = recorded_in(source), recorded_with(source), recorded_assets(source)
        assert found == (said.get("world", ""), said.get("options", {}), said.get("assets", ""))
