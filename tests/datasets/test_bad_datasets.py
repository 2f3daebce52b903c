"""Each folder that cannot be used gives one line: what was found, what was needed, what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from para.datasets import (
    DatasetError,
    DatasetWriter,
    Demonstrations,
    check_dataset,
    describe_dataset,
    record,
    repair_dataset,
    write_video,
)
from para.datasets.lerobot_v3_encode import parquet_bytes
from para.datasets.lerobot_v3_read import as_arrays, read_table
from para.datasets.video import LOSSLESS_ENCODING
from tests.datasets.fake_world import IMAGE_SIZE, fake_scenes, make_fake_world, random_episode
from tests.datasets.test_round_trip import assert_equal_episodes

VIDEO = "videos/observation.images.main/chunk-000/file-001.mp4"
DATA = "data/chunk-000/file-001.parquet"
ROW = "meta/episodes/chunk-000/file-001.parquet"
EPISODES = [random_episode(i) for i in range(3)]


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("intact") / "dataset"
    with DatasetWriter(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        for episode in EPISODES:
            writer.add(episode)
    return root


@pytest.fixture
def root(intact, tmp_path) -> Path:
    """A dataset of three episodes, to be spoilt."""
    return Path(shutil.copytree(intact, tmp_path / "dataset"))


def edit_info(root: Path, change: Callable[[dict], None]) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def edit_table(path: Path, change: Callable[[dict], None]) -> None:
    table = read_table(path)
    columns = (
        {k: v.copy() for k, v in as_arrays(table).items()}
        if "data" in path.parts
        else {k: [v] for k, v in table.to_pylist()[0].items()}
    )
    change(columns)
    path.write_bytes(parquet_bytes(columns))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_line(error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < 500
    return message


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda p: None, "no such folder"),
        (lambda p: p.mkdir(), "an empty folder"),
        (lambda p: (p.mkdir(), (p / "thesis.txt").write_text("x")), "without meta/info.json"),
    ],
)
def test_a_folder_without_a_dataset_is_named_for_what_it_is(tmp_path, make, message):
    make(tmp_path / "dataset")
    with pytest.raises(FileNotFoundError, match=message) as error:
        Demonstrations.open(tmp_path / "dataset")
    assert "para record" in one_line(error)
    assert check_dataset(tmp_path / "dataset") == [one_line(error)]


def test_version_2_1_says_how_to_convert_it(root):
    edit_info(root, lambda info: info.update(codebase_version="v2.1"))
    with pytest.raises(DatasetError, match="version v2.1; v3.0 is needed: .*convert_dataset_v21_to_v30") as error:
        Demonstrations.open(root)
    one_line(error)
    with pytest.raises(DatasetError, match="v2.1"):
        DatasetWriter.open_or_create(root, image_size=IMAGE_SIZE)
    with pytest.raises(DatasetError, match="v2.1"):
        repair_dataset(root)


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
    with pytest.raises((DatasetError, ValueError, FileNotFoundError), match=message) as error:
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


def test_nan_positions_are_named_and_their_episode_can_be_left_out(root):
    def spoil(columns):
        columns["observation.state"][2, 1] = np.nan

    edit_table(root / DATA, spoil)
    with pytest.raises(DatasetError, match=r"end effector's position is not finite in 1 of 15 frames \(episodes 1\)"):
        Demonstrations.open(root)
    repair_dataset(root)
    assert Demonstrations.open(root).n_episodes == 2


def test_nan_camera_poses_are_named(root):
    def spoil(row):
        row["para.camera.main.T_world_cam"][0][3] = float("nan")

    edit_table(root / ROW, spoil)
    with pytest.raises(DatasetError, match=r"camera's pose is not finite in 5 of 15 frames \(episodes 1\)"):
        Demonstrations.open(root)


def test_a_video_of_another_size_than_its_camera_is_refused(root):
    write_video(root / VIDEO, np.zeros((5, 16, 16, 3), np.uint8), 7, LOSSLESS_ENCODING)
    with pytest.raises(DatasetError, match=r"shows \(16, 16\) .*promises \(32, 48\)"):
        Demonstrations.open(root)
    assert any("(16, 16)" in problem for problem in check_dataset(root))


def test_a_camera_whose_geometry_is_for_another_size_is_refused(root):
    def change(info):
        info["features"]["observation.images.main"]["info"]["para.camera"]["image_size"] = [480, 640]

    edit_info(root, change)
    with pytest.raises(DatasetError, match=r"is for \(480, 640\) .*frames are \(32, 48\); scale K"):
        Demonstrations.open(root)


def test_a_camera_that_never_sees_the_end_effector_is_refused(root):
    def look_away(row):
        T = np.reshape(row["para.camera.main.T_world_cam"][0], (4, 4))
        row["para.camera.main.T_world_cam"][0] = np.linalg.inv(T).flatten().tolist()

    edit_table(root / ROW, look_away)
    assert any("episodes 1 the camera never sees" in problem for problem in check_dataset(root))
    assert Demonstrations.open(root).n_episodes == 3  # one of three is reported by the check and no reason to stop
    for i in (0, 2):
        edit_table(root / ROW.replace("001", f"00{i}"), look_away)
    with pytest.raises(DatasetError, match="never sees the end effector .*not inverted"):
        Demonstrations.open(root)
    with pytest.raises(DatasetError, match="cannot be repaired"):
        repair_dataset(root)
    assert not root.with_name("dataset.repaired").exists()


def test_a_dataset_without_geometry_says_where_to_put_it(root):
    def remove(info):
        info["features"]["observation.images.main"]["info"].pop("para.camera")

    edit_info(root, remove)
    for i in range(3):
        edit_table(
            root / ROW.replace("001", f"00{i}"),
            lambda row: [row.pop(f"para.camera.main.{name}") for name in ("K", "T_world_cam")],
        )
    with pytest.raises(DatasetError, match=r"no geometry for camera main; .*para.camera.*calibrate"):
        Demonstrations.open(root)


def test_joint_space_columns_are_not_taken_for_positions(root):
    def rename(info):
        info["features"]["action"]["names"] = ["shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "gripper.pos"]

    edit_info(root, rename)
    with pytest.raises(DatasetError, match="shoulder_pan.pos.*forward kinematics"):
        Demonstrations.open(root)


def test_axes_are_found_by_name_and_not_by_place(root):
    def rename(info):
        info["features"]["action"]["names"] = {"axes": ["gripper", "z", "y", "x"]}

    edit_info(root, rename)
    stored = np.c_[EPISODES[0].action_position, EPISODES[0].action_gripper]
    episode = Demonstrations.open(root).episode(0)
    np.testing.assert_array_equal(episode.action_position, stored[:, [3, 2, 1]])
    np.testing.assert_array_equal(episode.action_gripper, stored[:, 0])


def test_an_unknown_camera_names_those_that_there_are(root):
    with pytest.raises(DatasetError, match="no camera 'wrist'; it has main"):
        Demonstrations.open(root, camera="wrist")


@pytest.mark.parametrize("stranger", ["results.jsonl", "checkpoints"])
def test_the_writer_refuses_a_folder_that_holds_something_else(tmp_path, stranger):
    (tmp_path / stranger).mkdir()
    with pytest.raises(DatasetError, match=f"{stranger}.*folder of their own"):
        DatasetWriter.open_or_create(tmp_path, image_size=IMAGE_SIZE)
    with pytest.raises(DatasetError, match=stranger):
        record(make_fake_world, fake_scenes(1), tmp_path, workers=1, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == [stranger]


def test_the_writer_refuses_a_dataset_that_was_recorded_otherwise(root):
    with pytest.raises(DatasetError, match="holds a dataset already"):
        DatasetWriter(root, image_size=IMAGE_SIZE)
    for options, message in (
        ({"image_size": (64, 64)}, r"frames of \(32, 48\) \(H, W\), not \(64, 64\)"),
        ({"fps": 30}, "at 7 fps"),
        ({"lossless": False}, "video.pix_fmt = rgb24, not yuv420p"),
        ({"step_s": 0.05}, "para.step_s = 0.15, not 0.05"),
        ({"camera": "wrist"}, "observation.images.wrist"),
    ):
        with pytest.raises(DatasetError, match=message):
            DatasetWriter.open_or_create(root, **({"image_size": IMAGE_SIZE, "lossless": True} | options))


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


def test_parquet_files_have_one_row_per_frame(root):
    assert pq.read_metadata(root / DATA).num_rows == 5
