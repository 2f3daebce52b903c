"""Real LeRobot and `para` read each other's datasets. Needs PARA_LEROBOT_PYTHON (`make lerobot` makes it)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from para.datasets import ChunkDataset, DatasetError, DatasetWriter, Demonstrations, check_dataset
from para.datasets import lerobot_v3_write as write_module
from para.files import write_atomic
from tests.conftest import oblique_camera
from tests.datasets.fake_world import IMAGE_SIZE, random_episode

LEROBOT_PYTHON = os.environ.get("PARA_LEROBOT_PYTHON", "")
pytestmark = [
    pytest.mark.lerobot,
    pytest.mark.slow,
    pytest.mark.skipif(
        not LEROBOT_PYTHON, reason="set PARA_LEROBOT_PYTHON to the python of a LeRobot environment (make lerobot)"
    ),
]
HORIZON = 4
WRITES_PER_EPISODE = 6


def run_lerobot(*arguments, home: Path) -> None:
    """Run the other side, offline, with its caches in a folder that goes away."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("lerobot_side.py")
    done = subprocess.run(
        [LEROBOT_PYTHON, str(script), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]


class Killed(BaseException):
    pass


def interrupted_after(root: Path, n_writes: int, monkeypatch) -> None:
    """Three finished episodes, and a fourth that was killed after so many of its files were written."""
    with DatasetWriter(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        for seed in range(3):
            writer.add(random_episode(seed))
        written = 0

        def dying(path, content):
            nonlocal written
            if written == n_writes:
                raise Killed
            write_atomic(path, content)
            written += 1

        monkeypatch.setattr(write_module, "write_atomic", dying)
        with pytest.raises(Killed):
            writer.add(random_episode(3), task="another task")
        monkeypatch.undo()


@pytest.fixture(scope="module")
def read_by_lerobot(tmp_path_factory) -> dict[str, tuple[Demonstrations, dict]]:
    """name -> (the dataset as we read it, as LeRobot reads it)."""
    folder = tmp_path_factory.mktemp("ours")
    for name, options, moving in (("compressed", {}, False), ("lossless", {"lossless": True}, True)):
        with DatasetWriter(folder / name, image_size=IMAGE_SIZE, **options) as writer:
            for seed in range(3):
                task = "push the mug" if seed == 2 else None
                writer.add(random_episode(seed, 4 + seed, moving=moving), task=task)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for n_writes in range(WRITES_PER_EPISODE):
            interrupted_after(folder / f"killed_{n_writes}", n_writes, monkeypatch)
    datasets = sorted(folder.iterdir())
    out = tmp_path_factory.mktemp("theirs")
    run_lerobot("read", *datasets, out, home=tmp_path_factory.mktemp("hf"))
    return {path.name: (Demonstrations.open(path), dict(np.load(out / f"{path.name}.npz"))) for path in datasets}


@pytest.mark.parametrize("name", ["compressed", "lossless", *(f"killed_{i}" for i in range(WRITES_PER_EPISODE))])
def test_lerobot_reads_the_frames_states_actions_and_chunks_that_we_wrote(read_by_lerobot, name):
    ours, theirs = read_by_lerobot[name]
    said = json.loads(str(theirs["said"]))
    assert (said["episodes"], said["frames"]) == (ours.n_episodes, len(ours)) == (3, len(ours))
    images = np.asarray(ours.images).transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(theirs["image"], images, atol=1e-6)
    np.testing.assert_array_equal(theirs["state"], np.c_[ours.ee_position, ours.gripper])
    np.testing.assert_array_equal(theirs["episode_index"], ours.episode_index)
    np.testing.assert_array_equal(theirs["phase"], ours.phase)
    chunk = ChunkDataset(ours, HORIZON).actions()
    np.testing.assert_array_equal(theirs["action"][..., :3], chunk.position)
    np.testing.assert_array_equal(theirs["action"][..., 3], chunk.gripper)
    np.testing.assert_array_equal(theirs["is_pad"], chunk.is_pad)


@pytest.mark.parametrize("name", ["compressed", "lossless"])
def test_lerobots_act_learns_from_our_dataset(read_by_lerobot, name):
    said = json.loads(str(read_by_lerobot[name][1]["said"]))
    assert np.isfinite(said["loss"]) and said["loss"] > 0
    assert np.isfinite(said["gradient_norm"]) and said["gradient_norm"] > 0


def test_lerobot_finds_tasks_statistics_outcomes_and_the_camera(read_by_lerobot):
    ours, theirs = read_by_lerobot["compressed"]
    said = json.loads(str(theirs["said"]))
    assert said["tasks"] == ["push the mug", "put the black bowl on the plate"]
    assert said["placed"] == [0, 1, 2]
    np.testing.assert_allclose(said["camera"]["K"], ours.K[0].ravel())
    actions = np.c_[ours.action_position, ours.action_gripper].astype(np.float64)
    np.testing.assert_allclose(theirs["action_std"], actions.std(axis=0), rtol=1e-5)
    assert theirs["image_mean"].shape == (3, 1, 1)


def test_a_moving_cameras_pose_reaches_lerobots_policies(read_by_lerobot):
    ours, theirs = read_by_lerobot["lossless"]
    np.testing.assert_array_equal(theirs["pose"].reshape(-1, 4, 4), ours.T_world_cam.astype(np.float32))


@pytest.fixture(scope="module")
def written_by_lerobot(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    camera = oblique_camera(*IMAGE_SIZE)
    block = {
        "model": "pinhole",
        "image_size": list(IMAGE_SIZE),
        "K": camera.K.flatten().tolist(),
        "T_world_cam": camera.T_world_cam.flatten().tolist(),
    }
    (folder / "camera.json").write_text(json.dumps({"para.camera": block}))
    run_lerobot("write", folder / "dataset", home=tmp_path_factory.mktemp("hf"))
    return folder / "dataset"


def test_we_read_what_lerobot_wrote_with_a_camera_block(written_by_lerobot):
    d = Demonstrations.open(written_by_lerobot)
    assert (d.n_episodes, len(d), d.step_s) == (2, 12, 0.1)
    assert set(d.tasks) == {"wave"} and (d.phase == -1).all() and np.isnan(d.scenes[0].object_xy).all()
    for length, start in ((5, 0), (7, 5)):
        for frame in range(length):  # both episodes lie in one video
            assert abs(float(d.images[start + frame].mean()) - (20 * frame + length)) < 3
            np.testing.assert_allclose(d.ee_position[start + frame], [0.01 * frame, 0.001 * length, 0.05], atol=1e-6)
            np.testing.assert_allclose(d.action_position[start + frame] - d.ee_position[start + frame], 0.01, atol=1e-6)
    np.testing.assert_allclose(d.K[0], oblique_camera(*IMAGE_SIZE).K, rtol=1e-6)
    assert check_dataset(written_by_lerobot) == []


def test_what_lerobot_wrote_without_a_camera_block_asks_for_one(written_by_lerobot, tmp_path):
    path = written_by_lerobot / "meta/info.json"
    before = path.read_text()
    info = json.loads(before)
    del info["features"]["observation.images.main"]["info"]["para.camera"]
    try:
        path.write_text(json.dumps(info))
        with pytest.raises(DatasetError, match="no geometry for camera main"):
            Demonstrations.open(written_by_lerobot)
    finally:
        path.write_text(before)


def test_the_writer_leaves_a_dataset_of_lerobot_alone(written_by_lerobot):
    with pytest.raises(DatasetError, match="choose another"):
        DatasetWriter.open_or_create(written_by_lerobot, image_size=IMAGE_SIZE)
