"""LIBERO's own files, in their real layout, become datasets of ours: from their states, or from their own pictures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from para.commands.converting import LiberoOptions, convert_libero
from para.datasets import Demonstrations, check_dataset
from para.datasets.lerobot_v3_layout import CONVERSION_FILE
from para.files import read_json, write_json
from para.geometry import project
from para.worlds import libero_package, libero_scenes, make_world
from para.worlds.libero_hdf5 import read_demonstrations
from para.worlds.libero_recordings import agentview, kept_steps
from para.worlds.libero_replay import furniture_in
from tests.worlds.needs_libero import require_libero, skip_without

h5py = pytest.importorskip("h5py")

require_libero()

pytestmark = pytest.mark.libero

SIZE = (64, 64)
DRAWN = LiberoOptions(frames="render", image_size=SIZE, assets="generated", lossless=True)
STORED = LiberoOptions(frames="stored", lossless=True)


@pytest.fixture(scope="module")
def acted():
    """What LIBERO's own script would keep of the expert with robosuite's controller, at every control step."""
    try:
        world = make_world("libero", SIZE, servo="controller", assets="generated")
    except ImportError as error:
        skip_without(error)
    world.reset(libero_scenes.official_scenes()[3])
    env, steps = world._now.env, []
    step = env.step

    def noted_step(action):
        # only every third picture is ever used: the others need not be drawn
        draws = len(steps) % 3 == 0
        state, before = env.sim.get_state().flatten(), world._now.draw(SIZE) if draws else None
        obs = step(action)[0]
        after = world._now.draw(SIZE) if draws else None
        steps.append({"states": state, "actions": np.array(action), "before": before, "after": after} | obs)

    env.step = noted_step
    expert = world.expert()
    while (action := expert.act()) is not None:
        world.execute(action.position, action.gripper)
    assert world.outcome() == "placed"
    xml = env.sim.model.get_xml()
    world.close()
    for previous, current in zip(steps, steps[1:]):
        for when in ("before", "after"):
            current[when] = previous[when] if current[when] is None else current[when]
    columns = {key: np.stack([s[key] for s in steps]) for key in steps[0] if np.ndim(steps[0][key])}
    return columns | {"xml": xml}


def write_file(path, acted, *, when="after", turn=(-1, 1), n_demos=1, **changes):
    """As LIBERO's `create_dataset.py` leaves it; `turn` is what is done to upright pictures."""
    obs = {
        "agentview_rgb": acted[when][:, :: turn[0], :: turn[1]],
        "ee_pos": acted["robot0_eef_pos"],
        "gripper_states": acted["robot0_gripper_qpos"],
        "joint_states": acted["robot0_joint_pos"],
    }
    if when == "before":  # as files that were replayed have it
        joints = acted["states"][:, 1:8]
        obs |= {"joint_states": joints, "gripper_states": acted["states"][:, 8:10]}
        obs["ee_pos"] = np.concatenate([acted["robot0_eef_pos"][:1], acted["robot0_eef_pos"][:-1]])
    n = len(acted["states"])
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        name = libero_package.task_name(0)
        data.attrs["bddl_file_name"] = f"chiliocosm/bddl_files/libero_spatial/{name}.bddl"
        data.attrs["bddl_file_content"] = libero_package.task_text(0)
        data.attrs["problem_info"] = json.dumps({"language_instruction": name.replace("_", " ")})
        data.attrs["num_demos"] = n_demos
        for i in range(n_demos):
            demo = data.create_group(f"demo_{i}")
            demo.attrs["model_file"] = changes.get("xml", acted["xml"])
            demo.attrs["num_samples"] = n
            for key in ("states", "actions"):
                demo.create_dataset(key, data=changes.get(key, acted[key]))
            for key in ("dones", "rewards"):
                demo.create_dataset(key, data=changes.get(key, np.arange(n) == n - 1).astype(np.uint8))
            group = demo.create_group("obs")
            for key, values in obs.items():
                group.create_dataset(key, data=changes.get(key, values))
    return path


def converted(source, out, options) -> Demonstrations:
    convert_libero(source, out, options)
    return Demonstrations.open(out)


def test_states_are_drawn_upright_with_their_camera(acted, tmp_path):
    data = converted(write_file(tmp_path / "a_demo.hdf5", acted), tmp_path / "out", DRAWN)
    at = kept_steps(len(acted["states"]))
    assert len(data) == len(at) - 1 and data.outcomes == ["placed"] and data.step_s == pytest.approx(0.15)
    np.testing.assert_array_equal(data.images[:], acted["before"][at[:-1]])
    here = agentview(SIZE)
    np.testing.assert_allclose(data.T_world_cam[0], here.T_world_cam, atol=1e-4)
    np.testing.assert_allclose(data.K[0], here.K, atol=1e-4)
    after = acted["robot0_eef_pos"] - [0.0, 0.0, 0.90]  # robosuite reads it off a physics step early
    np.testing.assert_allclose(data.ee_position[1:], after[at[1:-1] - 1], atol=1e-3)
    np.testing.assert_allclose(data.action_position, after[at[1:] - 1], atol=1e-3)
    assert data.action_gripper[0] == 1 and 0 in data.action_gripper and data.action_gripper[-1] == 1
    xy = libero_scenes.official_scenes()[3]
    np.testing.assert_allclose(data.scenes[0].object_xy, xy.object_xy, atol=0.01)
    np.testing.assert_allclose(data.scenes[0].goal_xy, xy.goal_xy, atol=0.01)
    assert "generated" in data.episode_infos[0]["frames"] and check_dataset(tmp_path / "out") == []


def test_states_are_drawn_from_another_view_and_furniture_where_the_file_has_it(acted, tmp_path):
    path = write_file(tmp_path / "a.hdf5", acted)
    [demonstration] = read_demonstrations(path)
    (x, y, z), quat = furniture_in(demonstration.model_file)["cabinet"]
    moved = acted["xml"].replace(f'pos="{x:g} ', f'pos="{x + 0.1:g} ')
    data = converted(path, tmp_path / "plain", DRAWN).images[0].astype(int)
    for name, other in (
        ("moved", (write_file(tmp_path / "b.hdf5", acted, xml=moved), DRAWN)),
        ("tilted", (path, LiberoOptions("render", SIZE, (20.0, 90.0), "generated", lossless=True))),
    ):
        seen = converted(other[0], tmp_path / name, other[1]).images[0]
        assert (np.abs(seen - data).sum(axis=-1) > 40).sum() > 30, name


@pytest.mark.parametrize("turn", [(-1, 1), (-1, -1), (1, -1), (1, 1)])
def test_pictures_of_a_file_are_turned_upright_whichever_way_they_are_stored(turn, acted, tmp_path):
    data = converted(write_file(tmp_path / "a.hdf5", acted, turn=turn), tmp_path / "out", STORED)
    at = kept_steps(len(acted["states"]))
    np.testing.assert_array_equal(data.images[:], acted["after"][at[:-1]])
    np.testing.assert_allclose(data.ee_position, acted["robot0_eef_pos"][at[:-1]] - [0, 0, 0.90], atol=1e-6)


def test_each_file_of_a_folder_is_turned_as_it_needs_it(acted, tmp_path):
    """LIBERO's own files are upside down, replayed ones rotated; a folder may hold both."""
    source = tmp_path / "source"
    source.mkdir()
    for i, turn in enumerate([(-1, 1), (-1, -1)]):
        write_file(source / f"{libero_package.task_name(i)}_demo.hdf5", acted, turn=turn)
    data = converted(source, tmp_path / "out", STORED)
    upright = acted["after"][kept_steps(len(acted["states"]))[:-1]]
    np.testing.assert_array_equal(data.images[:], np.concatenate([upright, upright]))
    assert {info["frames"] for info in data.episode_infos} == {"stored ones, upside_down", "stored ones, rotated"}


def test_a_file_that_does_not_show_its_orientation_is_named_before_any_is_converted(acted, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for i, frames in enumerate([acted["after"][:, ::-1], np.zeros_like(acted["after"])]):
        write_file(source / f"{i}_{libero_package.task_name(0)}.hdf5", acted, agentview_rgb=frames)
    with pytest.raises(ValueError, match="1_pick.*cannot tell which way up"):
        convert_libero(source, tmp_path / "out", STORED)
    assert not (tmp_path / "out").exists()


def test_pictures_and_positions_belong_together_before_and_after_the_action(acted, tmp_path):
    """LIBERO's pictures are a step ahead of their states, replayed ones are not: the fingers close when told."""
    closes = {}
    for when in ("before", "after"):
        [demonstration] = read_demonstrations(write_file(tmp_path / f"{when}.hdf5", acted, when=when))
        closes[when] = int(np.argmin(demonstration.stored.command))
    assert closes["after"] == closes["before"] - 1


def test_the_end_effector_is_in_the_picture_where_it_projects_to(acted, tmp_path):
    """The gripper's fingers, grey, hide the table there: the picture changes most where the end effector passes."""
    data = converted(write_file(tmp_path / "a.hdf5", acted), tmp_path / "out", STORED)
    uv, _ = project(torch.from_numpy(data.ee_position), data.camera(slice(0, len(data))))
    background = np.median(data.images[:], axis=0)
    change = np.abs(data.images[:] - background).sum(axis=-1)
    there = [
        change[i, round(v) - 2 : round(v) + 3, round(u) - 2 : round(u) + 3].mean()
        for i, (u, v) in enumerate(uv.tolist())
    ]
    assert np.mean(there) > 3 * change.mean()


def test_a_conversion_goes_on_and_leaves_out_what_failed(acted, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    name = libero_package.task_name(0)
    path = write_file(source / f"{name}_demo.hdf5", acted, n_demos=3)
    with h5py.File(path, "a") as file:
        for key in ("dones", "rewards"):
            file["data/demo_1"][key][:] = 0
    options = LiberoOptions(frames="stored")
    first = convert_libero(source, tmp_path / "out", options)
    assert (first.converted, first.left_out) == (2, (f"{path.name}/demo_1",))
    again = convert_libero(source, tmp_path / "out", options)
    assert (again.converted, again.reused) == (0, 2)
    assert Demonstrations.open(tmp_path / "out").n_episodes == 2


def test_a_conversion_does_not_go_on_with_something_else(acted, tmp_path):
    source, other, out = tmp_path / "source", tmp_path / "other/source", tmp_path / "out"
    for folder, turn in ((source, (-1, 1)), (other, (-1, -1))):
        folder.mkdir(parents=True)
        write_file(folder / f"{libero_package.task_name(0)}.hdf5", acted, turn=turn)
    convert_libero(source, out, DRAWN)
    for options, found in (
        (replace(DRAWN, view=(20.0, 90.0)), "view = .0.0, 0.0., not .20.0, 90.0."),
        (replace(DRAWN, image_size=(48, 48)), "image_size = .64, 64., not .48, 48."),
        (STORED, "frames = render, not stored"),
    ):
        with pytest.raises(ValueError, match=f"converted with {found}"):
            convert_libero(source, out, options)
    with pytest.raises(ValueError, match="made from another pick_up.*hdf5 than that at"):
        convert_libero(other, out, DRAWN)
    write_file(source / f"{libero_package.task_name(1)}.hdf5", acted)
    again = convert_libero(source, out, DRAWN)
    assert (again.converted, again.reused) == (1, 1)
    note = read_json(out / CONVERSION_FILE)
    assert len(note["files"]) == 2 and note["options"]["assets"].startswith("generated")
    write_json(out / CONVERSION_FILE, note | {"options": note["options"] | {"assets": "LIBERO assets of the user"}})
    with pytest.raises(ValueError, match="was made with LIBERO assets of the user; it would go on with generated"):
        convert_libero(source, out, DRAWN)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"states": np.zeros((5, 92))}, "states .5, 92. and actions"),
        ({"actions": np.full((9, 7), np.nan)}, "actions that are not finite"),
        ({"agentview_rgb": np.zeros((3, 8, 8, 3), np.uint8)}, "agentview_rgb .3, 8, 8, 3."),
        ({"ee_pos": np.zeros((9, 2))}, "ee_pos, gripper_states and joint_states of"),
        ({"states": np.array(["a"] * 4, dtype="S1")}, "2 axes of numbers"),
    ],
)
def test_wrong_shapes_are_refused_in_one_line(changes, found, acted, tmp_path):
    path = write_file(tmp_path / "a.hdf5", acted, **changes)
    with pytest.raises(ValueError, match=found) as caught:
        convert_libero(path, tmp_path / "out", STORED)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_files_that_are_cut_short_or_something_else_are_refused_in_one_line(acted, tmp_path):
    path = write_file(tmp_path / "a.hdf5", acted)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="no complete HDF5 file|is damaged"):
        convert_libero(path, tmp_path / "out", STORED)
    with pytest.raises(FileNotFoundError, match="no HDF5 file"):
        convert_libero(tmp_path / "nowhere", tmp_path / "out", STORED)
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file.create_group("episodes")
    with pytest.raises(ValueError, match="no group 'data'"):
        convert_libero(tmp_path / "b.hdf5", tmp_path / "out", STORED)
    with h5py.File(write_file(tmp_path / "c.hdf5", acted), "a") as file:
        file["data"].attrs["bddl_file_name"] = "bddl_files/libero_object/pick_up_the_milk.bddl"
    with pytest.raises(ValueError, match="not of libero_spatial"):
        convert_libero(tmp_path / "c.hdf5", tmp_path / "out", STORED)
    with pytest.raises(ValueError, match="its size|of another one"):
        states = acted["states"][:, :60]
        convert_libero(write_file(tmp_path / "d.hdf5", acted, states=states), tmp_path / "out", DRAWN)
