"""The `libero` world where hf-libero is installed: its picture and camera, its scenes, its arm and its assets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from para.geometry import pixel_rays, project
from para.interfaces import Scene
from para.worlds import WORLDS, libero_arm, libero_assets, libero_package, libero_scenes, make_world
from para.worlds.scenes import viewpoint_cap
from tests.worlds.needs_libero import require_libero, skip_without

require_libero()

pytestmark = pytest.mark.libero

MIDDLE = Scene((-0.21, 0.0))


@pytest.fixture(scope="module")
def world():
    """Non-square on purpose."""
    try:
        world = make_world("libero", (96, 128), assets="generated")
    except ImportError as error:
        skip_without(error)
    yield world
    world.close()


def seen_at(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(2,) the middle of what has changed between two images (3, H, W), as (u, v)."""
    change = (after.float() - before.float()).abs().sum(dim=0)
    v, u = torch.meshgrid(torch.arange(change.shape[0]), torch.arange(change.shape[1]), indexing="ij")
    return torch.stack([(u * change).sum(), (v * change).sum()]) / change.sum()


def test_a_marker_is_rendered_where_project_says_in_all_57_views(world):
    errors = []
    for theta, phi in viewpoint_cap():
        obs = world.reset(MIDDLE.with_(view_theta_deg=float(theta), view_phi_deg=float(phi)))
        H, W = obs.camera.image_size
        pixels = torch.tensor([[6.0, 5.0], [W - 7.0, 5.0], [6.0, H - 6.0], [W - 7.0, H - 6.0]])
        origin, direction = pixel_rays(pixels, obs.camera)
        for p_world in origin + 0.5 * direction:  # nearer to the camera than what could hide it
            marked = world.show_marker(p_world.numpy(), 0.01).image[0]
            errors.append((seen_at(obs.image[0], marked) - project(p_world, obs.camera[0])[0]).norm())
    assert torch.stack(errors).median() < 0.25 and max(errors) < 1.0  # pixels


def test_the_default_view_is_liberos_agentview(world):
    camera = world.reset(MIDDLE).camera[0]
    torch.testing.assert_close(camera.T_world_cam[:3, 3], torch.tensor([0.6586, 0.0, 0.7104]), atol=1e-4, rtol=0)
    f = 96 / 2 / np.tan(np.radians(45 / 2))
    torch.testing.assert_close(camera.K.diagonal()[:2], torch.tensor([f, f]).float())
    sight, middle = camera.T_world_cam[:3, 2], torch.tensor([-0.221, 0.0, 0.0])
    torch.testing.assert_close(camera.T_world_cam[:3, 3] + 1.1307 * sight, middle, atol=2e-3, rtol=0)


def test_the_image_is_upright_and_not_mirrored(world):
    """The bowl is dark on a bright table: it is seen where its place projects to, on the right for large y."""
    for xy in ((-0.30, 0.25), (-0.30, -0.25)):
        obs = world.reset(Scene(xy))
        (u, v), _ = project(torch.tensor([*xy, 0.03]), obs.camera[0])
        around = obs.image[0, :, round(float(v)) - 1 : round(float(v)) + 2, round(float(u)) - 1 : round(float(u)) + 2]
        assert around.float().mean() < 60 and (u > 64) == (xy[1] > 0)


def test_bowl_and_plate_lie_where_the_scene_says(world):
    for scene in (MIDDLE, Scene((-0.36, -0.30)), Scene((-0.06, 0.30)), Scene((-0.1, 0.2), goal_xy=(-0.2, -0.1))):
        world.reset(scene)
        np.testing.assert_allclose(world.bowl_state().position[:2], scene.object_xy, atol=2e-3)
        np.testing.assert_allclose(world.goal_xy, libero_scenes.LIBERO.goal_of(scene), atol=2e-3)
        assert abs(world.bowl_state().position[2]) < 0.005 and world.bowl_state().up[2] > 0.999


def test_the_arm_in_closed_form_is_the_simulated_one(world):
    generator = np.random.default_rng(0)
    for _ in range(20):
        wished = generator.uniform(libero_arm.BOX_LOW, libero_arm.BOX_HIGH)
        reached = libero_arm.clamp_to_reach(wished)
        world.reset(MIDDLE.with_(ee_start=tuple(wished)))
        np.testing.assert_allclose(
            world.ee_position, reached, atol=1.5e-3
        )  # robosuite's hand is turned by 0.03 degrees
        R = world._now.data.site_xmat[world._now.model.site("gripper0_grip_site").id].reshape(3, 3)
        assert R[2, 2] < -0.9999 and abs(R[1, 0]) > 0.999  # straight down, fingers along y


def test_clamped_points_have_joint_angles_within_the_pandas_limits():
    generator = np.random.default_rng(1)
    points = [libero_arm.clamp_to_reach(generator.uniform((-2, -2, -1), (2, 2, 2))) for _ in range(2000)]
    q = libero_arm.joint_angles(np.array(points))
    low = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
    high = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
    assert np.isfinite(q).all() and (q > low).all() and (q < high).all()


def test_a_hidden_robot_is_not_in_the_picture_and_moves_the_bowl_as_ever(world):
    hidden = make_world("libero", (96, 128), assets="generated", robot_visible=False)
    for scene in (MIDDLE, MIDDLE.with_(distractors=("cookie_box",), seed=3)):
        away = scene.with_(ee_start=(-0.3, -0.3, 0.4))
        with_robot, without = world.reset(scene), hidden.reset(scene)
        (u, v), _ = project(with_robot.ee_position[0], with_robot.camera[0])
        around = (
            slice(None),
            slice(round(float(v)) - 8, round(float(v)) + 3),
            slice(round(float(u)) - 3, round(float(u)) + 4),
        )
        assert (with_robot.image[0][around].float() - without.image[0][around].float()).abs().mean() > 20
        assert torch.equal(hidden.reset(away).image, without.image) and not torch.equal(
            world.reset(away).image, with_robot.image
        )
        world.reset(scene)
        hidden.reset(scene)
        for p_world, gripper in (((-0.21, -0.05, 0.03), 1.0), ((-0.21, -0.05, 0.03), 0.0), ((-0.21, -0.05, 0.15), 0.0)):
            a, b = world.execute(np.array(p_world), gripper), hidden.execute(np.array(p_world), gripper)
        assert torch.equal(a.ee_position, b.ee_position)
        np.testing.assert_array_equal(world.bowl_state().position, hidden.bowl_state().position)
    hidden.close()


@pytest.mark.parametrize("name", libero_scenes.DISTRACTORS)
def test_each_distractor_is_seen_and_gone_again(world, name):
    clean = world.reset(MIDDLE.with_(distractors=("cookie_box",), seed=3)).image.float()
    names = ("cookie_box", name) if name != "cookie_box" else ()
    shown = world.reset(MIDDLE.with_(distractors=names, seed=3)).image.float()
    assert ((clean - shown).abs().sum(dim=1) > 30).sum() > 12


def test_the_official_states_are_fifty_and_near_the_tasks_places():
    known = libero_scenes.official_scenes()
    assert len(known) == 50
    for scene in known:
        np.testing.assert_allclose(scene.object_xy, (-0.05, 0.20), atol=0.03)
        np.testing.assert_allclose(scene.goal_xy, (0.06, 0.20), atol=0.03)


def test_furniture_that_a_state_does_not_name_stands_alike_whatever_was_shown_before(world):
    state, cookies = libero_package.initial_states(0)[7], MIDDLE.with_(distractors=("cookie_box",), seed=3)
    moved = {"cabinet": (np.array([-0.2, 0.3, 0.9]), np.array([1.0, 0.0, 0.0, 0.0]))}
    elsewhere = world.show_state(state, MIDDLE, moved).image
    after_moved = world.show_state(state, MIDDLE).image
    world.reset(cookies)  # which parks the furniture out of sight
    assert torch.equal(world.show_state(state, MIDDLE).image, after_moved)
    assert ((elsewhere.float() - after_moved.float()).abs().sum(dim=1) > 40).sum() > 30


def test_an_official_state_is_set_up_as_it_is(world):
    scene = libero_scenes.official_scenes()[7]
    world.reset(scene)
    np.testing.assert_allclose(world.bowl_state().position[:2], scene.object_xy, atol=2e-3)
    np.testing.assert_allclose(world.goal_xy, scene.goal_xy, atol=4e-3)
    with pytest.raises(ValueError, match="take its scene whole"):
        world.reset(scene.with_(object_xy=(-0.2, 0.0)))
    with pytest.raises(ValueError, match="initial states 0 to 49"):
        world.reset(scene.with_(task="initial_state_50"))


def test_of_other_tasks_their_own_states_are_shown_and_nothing_else():
    other = make_world("libero", (32, 48), assets="generated", task_index=3)
    try:
        own = libero_scenes.own_scenes({"task_index": 3})
        assert len(own) == 50 and own[0].object_xy != libero_scenes.own_scenes({})[0].object_xy
        other.reset(own[0])
        with pytest.raises(ValueError, match="task 0's scene; of task 3 there are its own states"):
            other.reset(MIDDLE)
    finally:
        other.close()


def test_a_world_shows_its_own_assets_whatever_others_were_built_meanwhile(tmp_path):
    folder = Path(shutil.copytree(libero_assets.find_assets("generated").folder, tmp_path / "assets"))
    changed = [path for path in folder.rglob("*.xml") if "cookies" in path.parent.name]
    for path in changed:
        path.write_text(re.sub(r'rgba="[^"]*"', 'rgba="0 1 0 1"', path.read_text()))
    assert changed
    scene = MIDDLE.with_(distractors=("cookie_box",), seed=3)
    alone = make_world("libero", (64, 96), assets=str(folder))
    expected = alone.reset(scene).image
    alone.close()
    first, second = (
        make_world("libero", (64, 96), assets=str(folder)),
        make_world("libero", (64, 96), assets="generated"),
    )
    try:
        assert torch.equal(first.reset(scene).image, expected)
        assert not torch.equal(second.reset(scene).image, expected)
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("options", [{"task_index": "a"}, {"task_index": True}, {"dwell_frames": "x"}])
def test_an_option_of_another_type_is_refused_in_words(options):
    with pytest.raises(ValueError, match="task_index|dwell_frames"):
        make_world("libero", (32, 48), assets="generated", **options)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(1, 10))
def test_the_other_tasks_are_set_up_from_their_official_states_and_run(index):
    world = make_world("libero", (32, 48), assets="generated", task_index=index)
    scene = libero_scenes.official_scenes(index)[0]
    obs = world.reset(scene)
    np.testing.assert_allclose(world.bowl_state().position[:2], scene.object_xy, atol=5e-3)
    moved = world.execute(obs.ee_position[0].double().numpy() + [0.0, 0.03, -0.03], 0.0)
    assert world.outcome() == "missed" and not torch.equal(moved.image, obs.image)
    world.close()


def test_a_file_of_states_that_holds_anything_but_arrays_is_refused():
    import io
    import pickle

    with pytest.raises(ValueError, match="no array"):
        libero_package._ArrayUnpickler(io.BytesIO(pickle.dumps(print))).load()


def test_the_clean_task_keeps_bowl_plate_and_goal_alone():
    for index in range(10):
        text = libero_package.task_text(index)
        if libero_package.has_clean_scene(text):
            clean = libero_package.clean_task(text)
            assert libero_package.object_names(clean) == ["akita_black_bowl_1", "plate_1"]
            assert "cabinet_1" not in clean.split(":init")[1] and "( And ( On akita" in clean.replace("(", "( ")
    assert sum(libero_package.has_clean_scene(libero_package.task_text(i)) for i in range(10)) >= 4


def test_records_say_which_assets_were_used(monkeypatch, tmp_path):
    monkeypatch.setenv(libero_assets.VARIABLE, "generated")
    describe = WORLDS["libero"].describe_assets
    assert describe({}).startswith("generated stand-ins") and "in hf-libero" in describe({})
    users = shutil.copytree(libero_assets.generated_folder(), tmp_path / "assets")
    assert describe({"assets": str(users)}).startswith("LIBERO assets from the user's folder")
    monkeypatch.setenv(libero_assets.VARIABLE, str(users))
    assert describe({}).startswith("LIBERO assets from the user's folder")
    assert describe({"assets": "generated"}).startswith("generated stand-ins")
    monkeypatch.setenv(libero_assets.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="libero_tabletop_base_style.xml is missing"):
        describe({})


def test_the_users_own_configuration_is_neither_read_nor_written(world):
    import libero.libero

    assert Path(libero.libero.config_file).parent != Path.home() / ".libero"
    assert not Path(libero.libero.config_file).exists()  # it was there for the import only
