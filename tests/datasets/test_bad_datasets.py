"""Each folder that cannot be used gives one line: what was found, what was needed, what to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from para.datasets import (
    DatasetError,
    DatasetWriter,
    Demonstrations,
    check_dataset,
    record,
    repair_dataset,
    write_video,
)
from para.datasets.video import LOSSLESS_ENCODING
from para.geometry import Camera
from tests.datasets.fake_world import IMAGE_SIZE, fake_scenes, make_fake_world
from tests.datasets.spoiling import DATA, EPISODES, ROW, VIDEO, edit_info, edit_table, one_line


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


CAMERA_FAULTS = {
    "millimetres": ("T_world_cam", lambda T: T[:3, 3].__imul__(1000), "up to [0-9]+ m from the end effector.* metres"),
    "left-handed": ("T_world_cam", lambda T: T[:3, 0].__imul__(-1), "T_world_cam is left-handed; OpenCV's .* axes"),
    "scaled": ("T_world_cam", lambda T: T[:3, :3].__imul__(2), "R R.T is up to 3 off the identity; .* of length 1"),
    "transposed pose": ("T_world_cam", lambda T: T.__setitem__(..., T.T.copy()), "ends in the row .*; 0, 0, 0, 1 is"),
    "transposed K": ("K", lambda K: K.__setitem__(..., K.T.copy()), "K is .*; it must be fx, s, cx; .* transpose it"),
    "K in metres": ("K", lambda K: K[:2].__imul__(1e-3), "focal lengths down to 0.04.*; pixels of the 32 x 48 .H x W."),
    "mirrored K": ("K", lambda K: K[0, :1].__imul__(-1), "focal lengths down to -45.*; pixels"),
}
"""What may be wrong with a camera: the matrix, how it is spoilt, and what is said of it."""


@pytest.mark.parametrize("fault", CAMERA_FAULTS)
def test_a_camera_that_can_be_none_is_refused_by_writer_reader_and_check(root, fault):
    name, spoil, message = CAMERA_FAULTS[fault]

    def in_row(row):
        values = row[f"para.camera.main.{name}"][0]
        matrix = np.reshape(values, (3, 3) if name == "K" else (4, 4))
        spoil(matrix)
        row[f"para.camera.main.{name}"][0] = matrix.flatten().tolist()

    camera = EPISODES[0].camera
    matrices = {of: getattr(camera, of).clone() for of in ("K", "T_world_cam")}
    for matrix in matrices[name].numpy():
        spoil(matrix)
    episode = replace(EPISODES[0], camera=Camera(**matrices, image_size=IMAGE_SIZE))
    with DatasetWriter.open_or_create(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        with pytest.raises(ValueError, match=rf"in 5 of 5 frames \(first: frame 0\) .*{message}") as error:
            writer.add(episode)
    one_line(error)
    edit_table(root / ROW, in_row)
    with pytest.raises(DatasetError, match=rf"in 5 of 15 frames \(episodes 1\): .*{message}") as error:
        Demonstrations.open(root)
    assert check_dataset(root)[-1] == one_line(error)


def test_a_pose_written_with_three_decimals_is_a_pose(root):
    def rounded(row):
        T = np.reshape(row["para.camera.main.T_world_cam"][0], -1)
        row["para.camera.main.T_world_cam"][0] = T.round(3).tolist()

    edit_table(root / ROW, rounded)
    assert Demonstrations.open(root).n_episodes == 3


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


def test_a_gripper_in_other_units_is_refused_with_its_range(root):
    def in_counts(columns):
        columns["action"][:, 3] *= 255

    edit_table(root / DATA, in_counts)
    with pytest.raises(
        DatasetError, match=r"the action's gripper goes from .* to 181.*; needed are openings, 0 closed"
    ):
        Demonstrations.open(root)


def test_increments_in_the_place_of_positions_are_refused(root):
    def increments(columns):
        columns["observation.state"][:, :3] = (0.0, 0.0, 0.25)
        columns["observation.state"][:, 0] += 0.01 * np.arange(len(columns["observation.state"]))
        columns["action"][:, :3] = (0.01, 0.0, 0.0)

    for i in range(3):
        edit_table(root / DATA.replace("001", f"00{i}"), increments)
    with pytest.raises(DatasetError, match="look like increments; needed are positions in the world frame, metres"):
        Demonstrations.open(root)


def test_joint_space_columns_are_not_taken_for_positions(root):
    def rename(info):
        info["features"]["action"]["names"] = ["shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "gripper.pos"]

    edit_info(root, rename)
    with pytest.raises(DatasetError, match="shoulder_pan.pos.*forward kinematics"):
        Demonstrations.open(root)


def test_axes_are_found_by_name_and_not_by_place(root):
    def rename(info):
        info["features"]["action"]["names"] = {"axes": ["y", "z", "x", "gripper"]}

    edit_info(root, rename)
    stored = np.c_[EPISODES[0].action_position, EPISODES[0].action_gripper]
    episode = Demonstrations.open(root).episode(0)
    np.testing.assert_array_equal(episode.action_position, stored[:, [2, 0, 1]])
    np.testing.assert_array_equal(episode.action_gripper, stored[:, 3])


def test_the_image_size_is_found_by_name_and_not_by_place(root):
    def channels_first(info):
        info["features"]["observation.images.main"] |= {"shape": [3, 32, 48], "names": ["channels", "height", "width"]}

    edit_info(root, channels_first)
    d = Demonstrations.open(root)
    assert d.image_size == IMAGE_SIZE and check_dataset(root) == []
    np.testing.assert_array_equal(d.images[0], EPISODES[0].image[0])
    with DatasetWriter.open_or_create(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(EPISODES[0])


@pytest.mark.parametrize("step_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_between_frames_that_is_none_is_neither_written_nor_read(tmp_path, root, step_s):
    with pytest.raises(ValueError, match=f"step_s is {step_s}; .* above 0"):
        DatasetWriter(tmp_path / "new", image_size=IMAGE_SIZE, step_s=step_s)
    assert not (tmp_path / "new").exists()
    edit_info(root, lambda info: info["features"]["observation.images.main"]["info"].update({"para.step_s": step_s}))
    with pytest.raises(DatasetError, match=f"para.step_s is {step_s}; .* above 0, are needed: mend it"):
        Demonstrations.open(root)


def test_without_a_time_between_frames_they_follow_at_the_frame_rate(root):
    edit_info(root, lambda info: info["features"]["observation.images.main"]["info"].pop("para.step_s"))
    assert Demonstrations.open(root).step_s == 1 / 7


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


def test_a_dataset_without_episodes_binds_the_next_writer_to_nothing(tmp_path):
    DatasetWriter(tmp_path, image_size=(64, 64), step_s=0.05).close()
    with DatasetWriter.open_or_create(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(EPISODES[0])
    assert check_dataset(tmp_path) == [] and Demonstrations.open(tmp_path).image_size == IMAGE_SIZE


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
