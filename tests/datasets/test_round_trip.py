"""What is written comes back: frames, cameras, actions, scenes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from para.datasets import DatasetError, DatasetWriter, Demonstrations
from para.geometry import Camera
from para.interfaces import OUTCOMES, Episode, Scene
from tests.datasets.fake_world import IMAGE_SIZE, random_episode


def assert_equal_episodes(found: Episode, expected: Episode, *, pose_tolerance: float = 0.0) -> None:
    for name in ("image", "ee_position", "gripper", "action_position", "action_gripper", "phase"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype, name
    torch.testing.assert_close(found.camera.K, expected.camera.K, rtol=0, atol=0)
    torch.testing.assert_close(
        found.camera.T_world_cam, expected.camera.T_world_cam, rtol=pose_tolerance, atol=pose_tolerance
    )
    assert found.camera.image_size == expected.camera.image_size
    assert (found.scene, found.outcome, found.info) == (expected.scene, expected.outcome, expected.info)


finite = st.floats(-10, 10, width=32)


@st.composite
def scenes(draw) -> Scene:
    point = st.tuples(finite, finite)
    return Scene(
        object_xy=draw(point),
        goal_xy=draw(st.none() | point),
        view_theta_deg=draw(finite),
        ee_start=draw(st.none() | st.tuples(finite, finite, finite)),
        distractors=tuple(draw(st.lists(st.text(max_size=8), max_size=3))),
        appearance=draw(st.text(max_size=8)),
        seed=draw(st.integers(0, 2**31)),
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scene=scenes(),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    image_size=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    moving=st.booleans(),
    outcome=st.sampled_from(OUTCOMES),
    seed=st.integers(0, 1000),
)
def test_an_episode_stored_losslessly_comes_back_equal(
    tmp_path_factory, scene, lengths, image_size, moving, outcome, seed
):
    assume(not moving or lengths[0] > 1)  # one frame does not tell that the camera is going to move: refused
    root = tmp_path_factory.mktemp("dataset")
    episodes = [
        replace(random_episode(seed + i, n, image_size, moving=moving), scene=scene, outcome=outcome)
        for i, n in enumerate(lengths)
    ]
    with DatasetWriter(root, image_size=image_size, lossless=True) as writer:
        for episode in episodes:
            writer.add(episode)
    demonstrations = Demonstrations.open(root)
    assert demonstrations.n_episodes == len(lengths)
    for i, episode in enumerate(episodes):
        assert_equal_episodes(demonstrations.episode(i), episode)


def test_compressed_frames_differ_by_a_few_grey_levels_only(tmp_path):
    H, W = 64, 96
    v, u = np.mgrid[:H, :W]
    smooth = np.stack([u * 2, v * 3, (u + v)], axis=-1).astype(np.uint8)
    episode = random_episode(0, 6, (H, W))
    episode = replace(episode, image=np.stack([np.roll(smooth, 3 * i, axis=1) for i in range(6)]))
    with DatasetWriter(tmp_path, image_size=(H, W)) as writer:
        writer.add(episode)
    frames = Demonstrations.open(tmp_path).episode(0).image
    error = np.abs(frames.astype(int) - episode.image).mean(axis=(1, 2, 3))
    wrong_frame = np.abs(frames[1:].astype(int) - episode.image[:-1]).mean(axis=(1, 2, 3))
    assert error.max() < 2.5  # the seam of the rolled image costs most of it
    assert (wrong_frame > 2 * error[1:]).all()  # so a shift by one frame would be seen


def test_columns_are_those_of_the_episodes_in_their_order(tmp_path):
    episodes = [random_episode(i, 3 + i) for i in range(3)]
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        for i, episode in enumerate(episodes):
            writer.add(episode, task="push the mug" if i == 1 else None)
    d = Demonstrations.open(tmp_path)
    assert len(d) == 12 and d.episode_index.tolist() == [0] * 3 + [1] * 4 + [2] * 5
    assert d.episode_start.tolist() == [0, 3, 7] and d.episode_stop.tolist() == [3, 7, 12]
    assert d.tasks == ["put the black bowl on the plate", "push the mug", "put the black bowl on the plate"]
    assert d.step_s == 0.15
    np.testing.assert_array_equal(d.ee_position, np.concatenate([e.ee_position for e in episodes]))
    np.testing.assert_array_equal(np.asarray(d.images), np.concatenate([e.image for e in episodes]))


def test_a_subset_is_the_episodes_in_the_order_asked_for(tmp_path):
    episodes = [random_episode(i, 3 + i) for i in range(4)]
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        for episode in episodes:
            writer.add(episode)
    d = Demonstrations.open(tmp_path)
    subset = d.subset([3, 1])
    assert_equal_episodes(subset.episode(0), episodes[3])
    assert_equal_episodes(subset.episode(1), episodes[1])
    assert_equal_episodes(subset.subset([1]).episode(0), episodes[1])
    assert len({d.data_hash, subset.data_hash, d.subset([1, 3]).data_hash}) == 3
    for wrong in ([], [4], [-1]):
        with pytest.raises(ValueError, match="from 0 to 3"):
            d.subset(wrong)


def test_the_hash_depends_on_what_is_stored_and_not_on_where(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        with DatasetWriter(tmp_path / name, image_size=IMAGE_SIZE) as writer:
            writer.add(random_episode(seed))
    a, b, c = (Demonstrations.open(tmp_path / name).data_hash for name in "abc")
    assert a == b != c


def test_going_on_with_a_dataset_leaves_the_same_files_as_not_stopping(tmp_path):
    episodes = [random_episode(i) for i in range(4)]
    with DatasetWriter(tmp_path / "once", image_size=IMAGE_SIZE) as writer:
        for episode in episodes:
            writer.add(episode)
    for episode in episodes:
        with DatasetWriter.open_or_create(tmp_path / "often", image_size=IMAGE_SIZE) as writer:
            writer.add(episode)
    files = [p.relative_to(tmp_path / "once") for p in (tmp_path / "once").rglob("*") if p.is_file()]
    assert len(files) > 4 * 3
    for file in files:
        if file.name != "stats.json":  # pooled in the same order, but from values that went through a file
            assert (tmp_path / "once" / file).read_bytes() == (tmp_path / "often" / file).read_bytes(), file


def test_statistics_are_those_of_all_frames(tmp_path):
    episodes = [random_episode(i, 4 + 3 * i) for i in range(3)]
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        for episode in episodes:
            writer.add(episode)
    stats = json.loads((tmp_path / "meta/stats.json").read_text())
    action = np.concatenate([np.c_[e.action_position, e.action_gripper] for e in episodes]).astype(np.float64)
    np.testing.assert_allclose(stats["action"]["mean"], action.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(stats["action"]["std"], action.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(stats["action"]["min"], action.min(axis=0), rtol=1e-6)
    assert stats["action"]["count"] == [21]
    pixels = np.concatenate([e.image.reshape(-1, 3) for e in episodes]) / 255
    image = {name: np.array(value) for name, value in stats["observation.images.main"].items()}
    assert image["mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(image["mean"].ravel(), pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(image["std"].ravel(), pixels.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(image["q90"].ravel(), np.quantile(pixels, 0.9, axis=0), atol=2.1 / 255)


def test_a_fixed_camera_is_shown_in_the_info_and_a_changed_one_is_not(tmp_path):
    first, second = random_episode(0), random_episode(1)
    T = second.camera.T_world_cam.clone()
    T[:, 0, 3] += 0.1
    other_view = replace(second, camera=Camera(second.camera.K, T, second.camera.image_size))

    def shared() -> dict:
        info = json.loads((tmp_path / "meta/info.json").read_text())
        return info["features"]["observation.images.main"]["info"]["para.camera"]

    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE) as writer:
        writer.add(first)
        np.testing.assert_array_equal(np.float32(shared()["T_world_cam"]), first.camera.T_world_cam[0].flatten())
        writer.add(other_view)
        np.testing.assert_array_equal(np.float32(shared()["K"]), first.camera.K[0].flatten())
        assert shared()["T_world_cam"] is None
    listed = json.loads((tmp_path / "meta/para_cameras.json").read_text())["cameras"]
    assert [entry["episodes"] for entry in listed] == [[0], [1]]
    d = Demonstrations.open(tmp_path)
    torch.testing.assert_close(d.episode(1).camera.T_world_cam, T, rtol=0, atol=0)


def test_an_episode_that_could_not_be_read_back_is_refused_and_changes_nothing(tmp_path):
    good = random_episode(0)
    nan = good.ee_position.copy()
    nan[2, 1] = np.nan
    T_inf = good.camera.T_world_cam.clone()
    T_inf[1, 0, 3] = torch.inf
    K = good.camera.K.clone()
    K[1, 0, 0] += 1
    size = good.camera.image_size
    bad = {
        "ee_position is not finite in 1 of 5 frames .first: frame 2": replace(good, ee_position=nan),
        "T_world_cam is not finite": replace(good, camera=Camera(good.camera.K, T_inf, size)),
        "K changes within": replace(good, camera=Camera(K, good.camera.T_world_cam, size)),
        "image is .0, 32, 48, 3.": replace(good, image=good.image[:0]),
        "image is .5, 16, 48, 3.": replace(good, image=good.image[:, :16]),
        "outcome 'dropped' is unknown": replace(good, outcome="dropped"),
        r"info\['trial'\] cannot be stored as JSON .*int64.*int\(\)": replace(good, info={"trial": np.int64(3)}),
        "the camera moves": random_episode(0, moving=True),
    }
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(good)
        for message, episode in bad.items():
            with pytest.raises(ValueError, match=message):
                writer.add(episode)
    d = Demonstrations.open(tmp_path)
    assert d.n_episodes == 1
    assert_equal_episodes(d.episode(0), good)


def test_an_episode_of_no_frames_is_refused(tmp_path):
    with DatasetWriter(tmp_path, image_size=IMAGE_SIZE) as writer:
        with pytest.raises(ValueError, match="0 frames"):
            writer.add(random_episode(0, 0))
    with pytest.raises(DatasetError, match="without episodes"):
        Demonstrations.open(tmp_path)
