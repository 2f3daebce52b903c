"""Checking names what is wrong, repairing keeps every complete episode, describing says what is in it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from para.datasets import (
    DatasetError,
    DatasetWriter,
    Demonstrations,
    check_dataset,
    describe_dataset,
    repair_dataset,
    write_video,
)
from para.datasets.video import LOSSLESS_ENCODING
from tests.datasets.fake_world import IMAGE_SIZE, random_episode
from tests.datasets.spoiling import DATA, EPISODES, ROW, VIDEO, one_line, truncate
from tests.datasets.test_round_trip import assert_equal_episodes


@pytest.mark.parametrize(
    "file, message",
    [
        (VIDEO, "no complete video|of its 5 frames"),
        (DATA, "truncated or damaged"),
        (ROW, "truncated or damaged"),
        ("meta/info.json", "info.json is damaged"),
    ],
)
@pytest.mark.parametrize("how", ["truncated", "empty", "missing"])
def test_a_damaged_file_is_named_on_opening_and_repair_keeps_the_other_episodes(root, file, message, how):
    if how == "truncated":
        truncate(root / file)
    elif how == "empty":
        (root / file).write_bytes(b"")
    else:
        (root / file).unlink()
        message = "is missing from|no video at|usable rows|without meta/info.json"
    with pytest.raises((DatasetError, FileNotFoundError), match=message) as error:
        Demonstrations.open(root)
    one_line(error)
    assert check_dataset(root)
    assert repair_dataset(root)
    assert check_dataset(root) == []
    kept = [0, 1, 2] if file == "meta/info.json" else [0, 2]
    d = Demonstrations.open(root)
    assert d.n_episodes == len(kept)
    for i, source in enumerate(kept):
        assert_equal_episodes(d.episode(i), EPISODES[source])
    assert (root.with_name("dataset.damaged-1") / DATA).exists() or file == DATA  # nothing is thrown away


def test_a_repaired_dataset_can_be_recorded_into(root):
    (root / DATA).unlink()
    repair_dataset(root)
    with DatasetWriter.open_or_create(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(EPISODES[1])
    assert_equal_episodes(Demonstrations.open(root).episode(2), EPISODES[1])


def test_repairing_a_good_dataset_does_nothing(root):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert repair_dataset(root) == []
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_a_repair_killed_between_its_renames_is_finished_by_the_next(root):
    root.rename(root.with_name("dataset.repaired"))
    assert "interrupted" in repair_dataset(root)[0]
    assert Demonstrations.open(root).n_episodes == 3


def test_checking_names_a_changed_video_a_damaged_side_file_and_leftovers(root):
    write_video(root / VIDEO, EPISODES[0].image, 7, LOSSLESS_ENCODING)
    (root / "meta/stats.json").write_text("{")
    (root / DATA.replace("001", "003")).write_bytes(b"cut short")
    problems = "\n".join(check_dataset(root))
    assert "SHA-256 differs" in problems
    assert "stats.json" in problems
    assert "writing was cut short (first: data/chunk-000/file-003.parquet)" in problems
    repair_dataset(root)
    assert check_dataset(root) == []
    assert Demonstrations.open(root).n_episodes == 2


def test_checking_notices_cameras_edited_by_hand(root):
    path = root / "meta/para_cameras.json"
    path.write_text(path.read_text().replace("pinhole", "fisheye"))
    assert ["edited by hand" in problem for problem in check_dataset(root)] == [True]


def test_a_description_says_what_is_in_a_dataset(root):
    described = describe_dataset(root)
    json.dumps(described, allow_nan=False)
    assert (described["episodes"], described["frames"], described["image_size"]) == (3, 15, [32, 48])
    assert described["camera"]["distinct_poses"] == 1
    assert described["outcomes"] == {"placed": 3}
    assert described["data_hash"] == Demonstrations.open(root).data_hash


def test_dwell_counts_the_frames_at_rest_around_a_gripper_change(tmp_path):
    episode = random_episode(0, 8)
    x = np.array([0.0, 0.03, 0.06, 0.06, 0.06, 0.06, 0.09, 0.12])  # at rest while it commands frames 3, 4 and 5
    episode.ee_position[:] = np.c_[x, 0 * x, 0 * x]
    action = np.append(x[1:], 0.15)
    episode.action_position[:] = np.c_[action, 0 * x, 0 * x]  # rest: frames 2, 3, 4
    episode.action_gripper[:] = [1, 1, 1, 0, 0, 0, 0, 0]
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE) as writer:
        writer.add(episode)
    assert describe_dataset(tmp_path)["gripper_dwell_frames"] == 3


def test_a_dataset_that_is_being_written_is_not_repaired_and_its_newest_files_are_no_problem(tmp_path):
    writer = DatasetWriter(tmp_path / "data", image_size=IMAGE_SIZE)
    writer.add(random_episode(0))
    begun = [tmp_path / "data" / file for file in (VIDEO, DATA)]
    for path in begun:  # as they lie there until info.json counts them
        path.write_bytes(b"not committed yet")
    assert check_dataset(tmp_path / "data") == []
    with pytest.raises(DatasetError, match="is being written by another process"):
        repair_dataset(tmp_path / "data")
    assert all(path.exists() for path in begun)
    writer.close()
    assert "2 files of an episode whose writing was cut short" in check_dataset(tmp_path / "data")[0]
    assert len(repair_dataset(tmp_path / "data")) == 2 and not any(path.exists() for path in begun)
