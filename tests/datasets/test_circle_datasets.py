"""Recordings with the robot painted over become circles: the same data with a disc, whatever interrupts the making."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from para import cli
from para.datasets import DatasetError, DatasetWriter, Demonstrations, check_dataset, overlay_dataset, overlay_episode
from para.datasets.circle_overlay import ORANGE
from para.datasets.lerobot_v3_layout import RECORDING_FILE, read_info
from para.datasets.partial_supervision import INFO_KEY
from para.datasets.recording import recorded_assets, recorded_in, recorded_with
from para.files import write_json
from para.geometry import project
from tests.datasets.fake_world import random_episode

SIZE, STEP_S, FPS = (64, 96), 0.1, 10
LENGTHS = (6, 5, 7)
GREY = 90


def masked_episode(seed: int, n: int, grey: int = GREY, *, moving: bool = False):
    """A random one without a robot, near the middle of the pictures."""
    episode = random_episode(seed, N=n, image_size=SIZE, moving=moving)
    at = episode.ee_position * np.float32(0.4)
    return replace(episode, image=np.full_like(episode.image, grey), ee_position=at)


def write(root, *, first: int = 0, lengths=LENGTHS, grey: int = GREY, moving: bool = False, **options):
    told = {"image_size": SIZE, "fps": FPS, "step_s": STEP_S, "camera": "front", "lossless": True} | options
    with DatasetWriter.open_or_create(root, **told) as writer:
        for seed, n in enumerate(lengths, start=first):
            writer.add(masked_episode(seed, n, grey, moving=moving), task=f"put cup {seed} on the saucer")
    return root


@pytest.mark.parametrize("moving", [False, True])
def test_pace_tasks_labels_and_cameras_are_the_sources_and_a_disc_stands_at_every_end_effector(tmp_path, moving):
    source = write(tmp_path / "masked", moving=moving)
    assert overlay_dataset(source, tmp_path / "out") == (3, 0)
    assert check_dataset(tmp_path / "out") == []
    masked, circles = Demonstrations.open(source), Demonstrations.open(tmp_path / "out")
    assert (circles.step_s, circles.image_size, circles.tasks) == (STEP_S, SIZE, masked.tasks)
    assert len(set(circles.tasks)) == 3 and read_info(tmp_path / "out")["fps"] == FPS
    names = ("ee_position", "gripper", "action_position", "action_gripper", "phase", "K", "T_world_cam")
    for name in names:
        np.testing.assert_array_equal(getattr(circles, name), getattr(masked, name))
    for index in range(3):
        mine, theirs = circles.episode(index), overlay_episode(masked.episode(index))
        assert (mine.scene, mine.outcome, mine.info) == (theirs.scene, theirs.outcome, theirs.info)
        np.testing.assert_array_equal(mine.image, theirs.image)  # lossless, as the source is
        uv, _ = project(torch.from_numpy(mine.ee_position), mine.camera)
        inside = ((uv > 2) & (uv < torch.tensor(SIZE[::-1]) - 3)).all(dim=-1).numpy()
        assert inside.any()
        for image, (u, v) in zip(mine.image[inside], uv[inside].round().long().tolist()):
            assert np.abs(image[v, u].astype(int) - ORANGE).max() < 90 and (image[0, 0] == GREY).all()


def test_it_goes_on_where_it_was_killed_does_nothing_twice_and_takes_what_was_recorded_since(tmp_path, monkeypatch):
    source, out = write(tmp_path / "masked"), tmp_path / "out"
    real, left = DatasetWriter.add, [1]

    def killed(writer, episode, **options):
        if not left.pop():
            raise KeyboardInterrupt
        left.append(0)
        real(writer, episode, **options)

    monkeypatch.setattr(DatasetWriter, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        overlay_dataset(source, out)
    monkeypatch.undo()
    assert overlay_dataset(source, out) == (2, 1)
    overlay_dataset(source, tmp_path / "at once")
    whole = Demonstrations.open(out).data_hash
    assert whole == Demonstrations.open(tmp_path / "at once").data_hash
    assert overlay_dataset(source, out) == (0, 3) and Demonstrations.open(out).data_hash == whole
    write(source, first=3, lengths=(4,))
    assert overlay_dataset(source, out) == (1, 3) and check_dataset(out) == []


def test_circles_of_frames_that_were_painted_over_anew_or_of_other_recordings_are_not_mixed(tmp_path):
    source, out = write(tmp_path / "masked"), tmp_path / "out"
    overlay_dataset(source, out)
    before = Demonstrations.open(out).data_hash
    for other, change in (("better masks", {"grey": 120}), ("other", {"first": 5})):
        with pytest.raises(DatasetError, match="was made from another (data|videos)/.*; choose another folder"):
            overlay_dataset(write(tmp_path / other, **change), out)
    with pytest.raises(DatasetError, match="that are no circles made of .*; choose another folder"):
        overlay_dataset(source, write(tmp_path / "robot"))
    assert Demonstrations.open(out).data_hash == before


@pytest.mark.parametrize("said", [{"world": "tabletop", "options": {"arm": "printed"}, "assets": "made"}, {}])
def test_it_says_that_these_are_circles_beside_what_the_source_says_of_its_world(tmp_path, said):
    source, out = write(tmp_path / "masked"), tmp_path / "out"
    if said:
        write_json(source / RECORDING_FILE, said | {"dropped": []})
    overlay_dataset(source, out)
    found = recorded_in(out), recorded_with(out), recorded_assets(out)
    assert found == (said.get("world", ""), said.get("options", {}) | {"circles": True}, said.get("assets", ""))
    with pytest.raises(DatasetError, match="shows circles already"):
        overlay_dataset(out, tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


def test_point_tracks_get_no_discs(tmp_path):
    with DatasetWriter(tmp_path / "tracks", image_size=SIZE) as writer:
        told = {INFO_KEY: {"height": False, "gripper": False, "pixel": "1" * 6}}
        writer.add(replace(masked_episode(0, 6), info=told))
    with pytest.raises(DatasetError, match="holds point tracks, which are trained on as they are"):
        overlay_dataset(tmp_path / "tracks", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_made_and_what_comes_next_or_what_it_lacks(tmp_path, capsys):
    source = write(tmp_path / "masked")
    cli.main(["dataset", "circles", str(source), str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "3 episodes written with a disc in each frame, 0 were there already" in said
    assert f"next: para dataset check {tmp_path / 'out'}; para train --data" in said
    for wrong in ([], [str(tmp_path / "other"), "--lossless"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(["dataset", "circles", str(source), *wrong])
        assert stop.value.code == 2 and "circles needs two paths and no more" in capsys.readouterr().err
