"""LeRobot datasets that others made of LIBERO become ours: upright, with LIBERO's camera. Needs no simulator."""

from __future__ import annotations

import json
import re
import shutil

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from para.commands.converting import LiberoOptions, convert_libero
from para.datasets import Demonstrations, check_dataset, repair_dataset, write_video
from para.datasets.lerobot_v3_layout import CONVERSION_FILE
from para.datasets.orientation import undo
from para.geometry import project
from para.worlds.libero_recordings import agentview, kept_steps
from tests.datasets.spoiling import truncate
from tests.test_cli import refusal

H, W, N = 64, 80, 60
TASK = "pick up the black bowl next to the ramekin and place it on the plate"
LOSSLESS = LiberoOptions(lossless=True)


def a_demonstration(seed: int):
    """An arm that hangs in from above goes to one side, closes, comes back and opens, in LIBERO's numbers."""
    rng = np.random.default_rng(seed)
    side = (-1) ** seed
    via = np.array([[-0.2, 0.0, 0.27], [-0.15, 0.2 * side, 0.02], [-0.15, 0.2 * side, 0.02], [0.0, 0.1 * side, 0.1]])
    ee = np.stack([np.interp(np.linspace(0, 3, N), range(4), via[:, k]) for k in range(3)], axis=1)
    ee += rng.uniform(-0.01, 0.01, 3)
    closed = (np.arange(N) > 25) & (np.arange(N) < 52)
    width = 0.04 * (1 - np.convolve(closed, [0, 0, 0, 0.3, 0.3, 0.4], mode="same"))
    uv = project(torch.from_numpy(ee).float(), agentview((H, W)))[0].numpy()
    background = cv2.resize(rng.integers(0, 90, (8, 10, 3), dtype=np.uint8), (W, H))
    frames = np.repeat(background[None], N, axis=0)
    v, u = np.mgrid[:H, :W]
    for frame, tip in zip(frames, uv):
        frame[(np.abs(u - tip[0]) < 4) & (v < tip[1] + 1)] = 220
    state = np.concatenate([ee + [0, 0, 0.90], np.zeros((N, 3)), width[:, None], -width[:, None]], axis=1)
    action = np.zeros((N, 7))
    action[:, 6] = np.where(closed, 1.0, -1.0)
    return frames, state, action, ee, closed


def write_lerobot(root, demonstrations, *, version="v3.0", dtype="image", tasks=None, keys=None):
    """As LeRobot's own converters lay it out, with a wrist camera beside; returns the root."""
    keys = keys or {"image": "observation.images.image", "state": "observation.state", "action": "action"}
    tasks = tasks or [TASK] * len(demonstrations)
    picture = {"dtype": dtype, "shape": [H, W, 3], "names": ["height", "width", "channel"]}
    features = {keys["image"]: picture, "observation.images.wrist_image": picture}
    features |= {keys["state"]: {"dtype": "float32", "shape": [8], "names": None}}
    features |= {keys["action"]: {"dtype": "float32", "shape": [7], "names": None}}
    v3 = version == "v3.0"
    info = {
        "codebase_version": version, "fps": 10, "total_episodes": len(demonstrations), "chunks_size": 1000,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet" if v3
        else "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4" if v3
        else "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": features,
    }  # fmt: skip
    (root / "meta").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))
    tables, rows = [], []
    for i, (frames, state, action, *_) in enumerate(demonstrations):
        columns = {
            keys["state"]: state.astype(np.float32).tolist(),
            keys["action"]: action.astype(np.float32).tolist(),
            "episode_index": [i] * N,
        }
        if dtype == "image":
            png = [cv2.imencode(".png", frame[..., ::-1])[1].tobytes() for frame in frames]
            columns[keys["image"]] = [{"bytes": content, "path": f"{k}.png"} for k, content in enumerate(png)]
        tables.append(pa.table(columns))
        video = f"videos/{keys['image']}"
        rows.append(
            {"episode_index": i, "tasks": [tasks[i]], "length": N, "data/chunk_index": 0, "data/file_index": 0,
             f"{video}/chunk_index": 0, f"{video}/file_index": 0, f"{video}/from_timestamp": i * N / 10}
        )  # fmt: skip
    at = {"video_key": keys["image"], "chunk_index": 0, "file_index": 0, "episode_chunk": 0}
    parts = [(0, range(len(tables)))] if v3 else [(i, [i]) for i in range(len(tables))]
    for episode, members in parts:
        path = root / info["data_path"].format(**at, episode_index=episode)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables([tables[i] for i in members]), path)
        if dtype == "video":
            path = root / info["video_path"].format(**at, episode_index=episode)
            write_video(path, np.concatenate([demonstrations[i][0] for i in members]), 10)
    if v3:
        (root / "meta/episodes/chunk-000").mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    else:
        lines = [json.dumps({key: row[key] for key in ("episode_index", "tasks", "length")}) for row in rows]
        (root / "meta/episodes.jsonl").write_text("\n".join(lines))
    return root


def turned(demonstrations, orientation):
    return [(undo(frames, orientation), *rest) for frames, *rest in demonstrations]


@pytest.fixture(scope="module")
def demonstrations():
    return [a_demonstration(seed) for seed in range(4)]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("dtype", ["image", "video"])
def test_a_rotated_dataset_of_others_is_recognised_and_turned_upright(version, dtype, demonstrations, tmp_path):
    source = write_lerobot(tmp_path / "theirs", turned(demonstrations, "rotated"), version=version, dtype=dtype)
    assert convert_libero(source, tmp_path / "ours", LOSSLESS).converted == 4
    data = Demonstrations.open(tmp_path / "ours")
    at = kept_steps(N)
    assert len(data) == 4 * (len(at) - 1) and data.tasks == [TASK] * 4 and check_dataset(tmp_path / "ours") == []
    for i, (frames, _, _, ee, closed) in enumerate(demonstrations):
        episode = data.episode(i)
        difference = np.abs(episode.image.astype(int) - frames[at[:-1]])
        assert difference.max() == 0 if dtype == "image" else difference.mean() < 4
        np.testing.assert_allclose(episode.ee_position, ee[at[:-1]], atol=1e-6)
        np.testing.assert_allclose(episode.action_position, ee[at[1:]], atol=1e-6)
        np.testing.assert_array_equal(episode.action_gripper, 1.0 - closed[at[1:] - 1])
    np.testing.assert_allclose(data.K[0], agentview((H, W)).K, atol=1e-6)


@pytest.mark.parametrize("orientation", ["upright", "upside_down", "mirrored"])
def test_other_orientations_are_recognised_too_and_their_name_is_kept(orientation, demonstrations, tmp_path):
    source = write_lerobot(tmp_path / "theirs", turned(demonstrations, orientation))
    convert_libero(source, tmp_path / "ours", LOSSLESS)
    data = Demonstrations.open(tmp_path / "ours")
    np.testing.assert_array_equal(data.images[0], demonstrations[0][0][0])
    assert data.episode_infos[0]["frames"] == f"stored ones, {orientation}"


def test_an_orientation_that_is_said_is_taken(demonstrations, tmp_path):
    source = write_lerobot(tmp_path / "theirs", demonstrations)
    convert_libero(source, tmp_path / "ours", LiberoOptions(orientation="mirrored", lossless=True))
    data = Demonstrations.open(tmp_path / "ours")
    np.testing.assert_array_equal(data.images[0], demonstrations[0][0][0][:, ::-1])


@pytest.mark.parametrize(("opens", "closes"), [(1.0, 0.0), (0.0, 1.0), (1.0, -1.0)])
def test_the_grippers_convention_is_told_from_what_the_fingers_do(opens, closes, demonstrations, tmp_path):
    changed = []
    for frames, state, action, ee, closed in demonstrations:
        action = action.copy()
        action[:, 6] = np.where(closed, closes, opens)
        changed.append((frames, state, action, ee, closed))
    convert_libero(write_lerobot(tmp_path / "theirs", changed), tmp_path / "ours", LOSSLESS)
    data = Demonstrations.open(tmp_path / "ours")
    np.testing.assert_array_equal(data.episode(0).action_gripper, 1.0 - demonstrations[0][4][kept_steps(N)[1:] - 1])


def test_episodes_of_other_suites_are_left_out(demonstrations, tmp_path):
    tasks = [TASK, "pick up the milk and place it in the basket", TASK.replace("next to", "on"), "open the drawer"]
    keys = {"image": "image", "state": "state", "action": "actions"}
    source = write_lerobot(tmp_path / "theirs", turned(demonstrations, "rotated"), tasks=tasks, keys=keys)
    assert convert_libero(source, tmp_path / "ours").converted == 2
    data = Demonstrations.open(tmp_path / "ours")
    assert [info["source"] for info in data.episode_infos] == ["theirs/episode_0", "theirs/episode_2"]
    assert convert_libero(source, tmp_path / "ours").reused == 2


def test_another_source_of_the_same_name_is_refused_in_one_line(demonstrations, tmp_path):
    source = write_lerobot(tmp_path / "a/theirs", turned(demonstrations, "rotated"))
    other = write_lerobot(tmp_path / "b/theirs", turned(demonstrations, "mirrored"))
    ours = tmp_path / "ours"
    convert_libero(source, ours, LOSSLESS)
    assert "made from another theirs/data/" in refusal("dataset", "convert-libero", other, ours, "--lossless")
    renamed = source.rename(tmp_path / "a/renamed")
    assert "which is not at" in refusal("dataset", "convert-libero", renamed, ours, "--lossless")
    assert Demonstrations.open(ours).n_episodes == 4


def test_other_options_than_a_dataset_was_converted_with_are_refused_in_one_line(demonstrations, tmp_path):
    source, ours = write_lerobot(tmp_path / "theirs", turned(demonstrations, "rotated")), tmp_path / "ours"
    convert_libero(source, ours, LOSSLESS)
    convert = ("dataset", "convert-libero", source, ours, "--lossless")
    assert "orientation = auto, not mirrored" in refusal(*convert, "--orientation", "mirrored")
    assert "camera = observation.images.image, not" in refusal(*convert, "--camera", "wrist_image")
    again = convert_libero(source, ours, LOSSLESS)
    assert (again.converted, again.reused) == (0, 4) and check_dataset(ours) == []


@pytest.mark.parametrize("dtype", ["image", "video"])
def test_a_source_that_has_gained_files_goes_on(dtype, demonstrations, tmp_path):
    files = {"version": "v2.1", "dtype": dtype}  # one for each episode
    source = write_lerobot(tmp_path / "theirs", turned(demonstrations[:2], "rotated"), **files)
    convert_libero(source, tmp_path / "ours")
    shutil.rmtree(source)
    write_lerobot(source, turned(demonstrations, "rotated"), **files)
    again = convert_libero(source, tmp_path / "ours")
    assert (again.converted, again.reused) == (2, 2)


def test_a_file_that_was_damaged_and_is_copied_again_goes_on(demonstrations, tmp_path):
    bad = [(f, np.full_like(s, np.nan) if i == 2 else s, *rest) for i, (f, s, *rest) in enumerate(demonstrations)]
    source, upright = write_lerobot(tmp_path / "theirs", bad), LiberoOptions(orientation="upright")
    with pytest.raises(ValueError, match="not finite"):
        convert_libero(source, tmp_path / "ours", upright)
    shutil.rmtree(source)
    again = convert_libero(write_lerobot(source, demonstrations), tmp_path / "ours", upright)
    assert (again.converted, again.reused) == (2, 2)


def test_a_dataset_that_does_not_say_what_it_was_made_from_goes_on(demonstrations, tmp_path):
    source, ours = write_lerobot(tmp_path / "theirs", demonstrations), tmp_path / "ours"
    convert_libero(source, ours)
    (ours / CONVERSION_FILE).unlink()
    assert convert_libero(source, ours, LiberoOptions(orientation="upright")).reused == 4
    assert not (ours / CONVERSION_FILE).exists()  # what was converted before may be of others than these


def test_a_repaired_dataset_still_says_what_it_was_made_from(demonstrations, tmp_path):
    source, ours = write_lerobot(tmp_path / "theirs", demonstrations), tmp_path / "ours"
    convert_libero(source, ours)
    said = (ours / CONVERSION_FILE).read_bytes()
    truncate(next(ours.glob("videos/*/chunk-000/file-001.mp4")))
    repair_dataset(ours)
    assert (ours / CONVERSION_FILE).read_bytes() == said
    assert convert_libero(source, ours).converted == 1


def spoil(source, what):
    data = source / "data/chunk-000/file-000.parquet"
    info = json.loads((source / "meta/info.json").read_text())
    if what == "truncated":
        truncate(data)
    elif what == "missing":
        data.unlink()
    elif what == "no episodes":
        (source / "meta/episodes/chunk-000/file-000.parquet").unlink()
    else:
        features = info["features"]
        if what == "two cameras":
            features["observation.images.side"] = features["observation.images.image"]
        if what == "joints":
            info["features"] = {k: v for k, v in features.items() if "state" not in k}
        if what == "version":
            info["codebase_version"] = "v1.6"
        (source / "meta/info.json").write_text("{" if what == "damaged" else json.dumps(info))


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("truncated", "truncated or damaged"),
        ("missing", "file-000.parquet is missing"),
        ("no episodes", "0 usable rows"),
        ("two cameras", "name the one that sees the scene"),
        ("joints", "no observation.state or state"),
        ("version", "version v1.6"),
        ("damaged", "is damaged"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(what, found, demonstrations, tmp_path):
    source = write_lerobot(tmp_path / "theirs", demonstrations)
    spoil(source, what)
    assert found in refusal("dataset", "convert-libero", source, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda f, s, a: (f, s[:, :7], a), "LIBERO's are (N, 8)"),
        (lambda f, s, a: (f, s - 1.0, a), "of another scene, or normalised"),
        (lambda f, s, a: (f, s, np.zeros_like(a)), "never moves its gripper"),
        (lambda f, s, a: (f, np.where(np.arange(8) == 1, np.nan, s), a), "not finite"),
        (lambda f, s, a: (np.zeros_like(f), s, a), "cannot tell which way up the frames are"),
    ],
)
def test_numbers_that_are_not_liberos_are_refused_in_one_line(change, found, demonstrations, tmp_path):
    changed = [(*change(frames, state, action), *rest) for frames, state, action, *rest in demonstrations]
    source = write_lerobot(tmp_path / "theirs", changed)
    assert found in refusal("dataset", "convert-libero", source, tmp_path / "ours")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("--frames render --image-size 64 64 --view 20 90", "no use of --frames, --image-size, --view;"),
        ("--assets generated --lossless", "no use of --assets;"),
    ],
)
def test_options_that_decide_nothing_for_a_lerobot_dataset_are_named(given, named, demonstrations, tmp_path):
    source = write_lerobot(tmp_path / "theirs", demonstrations)
    assert named in refusal("dataset", "convert-libero", source, tmp_path / "ours", *given.split())
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("--view 20 90 --image-size 64 64", "no use of --image-size, --view;.* say --frames render$"),  # auto
        ("--frames stored --assets generated --orientation rotated", "no use of --assets; leave that out$"),
        ("--frames render --orientation rotated --view 20 90", "no use of --orientation; leave that out$"),
        ("--frames render --orientation rotated", "no use of --orientation;.* say --frames stored$"),
        ("--frames render --camera image", "no use of --camera;"),
        ("--frames stored --camera image", "no use of --camera; leave that out$"),
    ],
)
def test_options_that_decide_nothing_for_hdf5_files_are_named(given, named, monkeypatch, tmp_path):
    monkeypatch.setenv("PARA_LIBERO_ASSETS", "generated")  # LIBERO's own are not at hand
    path = tmp_path / f"{TASK.replace(' ', '_')}_demo.hdf5"
    path.write_bytes(b"")  # refused before it is opened
    said = refusal("dataset", "convert-libero", path, tmp_path / "ours", *given.split())
    assert re.search(named, said), said


def test_the_command_says_what_it_needs(tmp_path):
    assert "needs two paths" in refusal("dataset", "convert-libero", tmp_path)
    assert "no HDF5 file" in refusal("dataset", "convert-libero", tmp_path, tmp_path / "ours")
    assert "takes a dataset's folder and no more" in refusal("dataset", "check", tmp_path, tmp_path / "ours")
