import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from para.geometry import Camera, project
from para.geometry.pixels import in_image
from para.interfaces import OUTCOMES, Scene, World
from para.worlds import WORLDS, arm, make_world, mujoco_camera, parse_options, scenes, tabletop_model, tabletop_scenes
from para.worlds.appearance import LOOKS
from para.worlds.arm import HABITS
from para.worlds.distractors import DISTRACTORS
from para.worlds.servo_world import MAX_CONTROL_STEPS, MIN_CONTROL_STEPS, POSITION_TOLERANCE
from para.worlds.tabletop_expert import GRASP_OFFSET
from tests.worlds.conftest import run_expert

MIDDLE = Scene(object_xy=(0.0, -0.08))
ALL_SMALL = tuple(name for name, d in DISTRACTORS.items() if not d.furniture)


def same(a, b) -> bool:
    return all(
        torch.equal(x, y)
        for x, y in zip(
            (a.image, a.camera.K, a.camera.T_world_cam, a.ee_position, a.gripper),
            (b.image, b.camera.K, b.camera.T_world_cam, b.ee_position, b.gripper),
        )
    )


def test_it_is_a_world_and_shows_batches_of_one(world):
    observation = world.reset(MIDDLE)
    assert isinstance(world, World)
    assert observation.image.shape == (1, 3, 72, 96) and observation.image.dtype == torch.uint8
    assert world.n_steps == 0 and world.outcome() == "missed"
    np.testing.assert_allclose(observation.ee_position[0], arm.HOME, atol=1e-6)
    assert observation.gripper.tolist() == [1.0]


def test_equal_scenes_give_equal_frames_whatever_came_before_and_in_every_instance(world):
    scene = Scene((0.05, -0.2), view_theta_deg=12, view_phi_deg=70, distractors=("mug", "stove"), seed=4)
    first = world.reset(scene)
    stepped = world.execute(np.array([0.05, -0.25, 0.05]), 0.0)
    world.reset(Scene((-0.1, 0.1), appearance="kitchen", distractors=ALL_SMALL, ee_start=(0.1, 0.1, 0.1), seed=1))
    run_expert(world, max_frames=12)
    assert same(first, world.reset(scene))
    assert same(stepped, world.execute(np.array([0.05, -0.25, 0.05]), 0.0))
    other = make_world("tabletop", (72, 96))
    assert same(first, other.reset(scene))
    assert same(stepped, other.execute(np.array([0.05, -0.25, 0.05]), 0.0))
    other.close()


@pytest.mark.parametrize("ee_start", [(-0.25, -0.4, 0.03), (0.25, 0.3, 0.2), (0.0, 0.0, 0.4)])
def test_the_end_effector_starts_where_the_scene_says_with_the_tool_down(world, ee_start):
    observation = world.reset(MIDDLE.with_(ee_start=ee_start))
    np.testing.assert_allclose(observation.ee_position[0], ee_start, atol=1e-6)
    R_world_ee = world._data.site("ee").xmat.reshape(3, 3)
    np.testing.assert_allclose(R_world_ee, np.diag([-1.0, 1.0, -1.0]), atol=1e-6)


ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES), 0 * ANGLES], axis=-1)


def parts_of_the_task(bowl_xy, plate_xy) -> tuple[np.ndarray, np.ndarray]:
    """Where the hand goes, and points of bowl, plate and hand. (4, 3) and (n, 3) metres."""
    bowl, plate = np.append(bowl_xy, 0.0), np.append(plate_xy, 0.0)
    hands = [p + [*GRASP_OFFSET[:2], z] for p in (bowl, plate) for z in (GRASP_OFFSET[2], HABITS.hover_height + 0.02)]
    return np.array(hands), np.vstack([bowl + 0.06 * RING, plate + 0.088 * RING, hands])


def test_every_grid_position_is_in_reach_and_in_view_with_the_path_of_the_task(world):
    camera = world.reset(MIDDLE).camera[0].to(dtype=torch.float64)
    for xy in scenes.TABLETOP.grid_positions().reshape(-1, 2):
        hands, seen = parts_of_the_task(xy, scenes.TABLETOP.goal_of(Scene(tuple(xy))))
        for p_world in hands:
            np.testing.assert_allclose(arm.clamp_to_reach(p_world), p_world, atol=1e-12)
        assert (np.abs(seen[:, 1]) < tabletop_model.TABLE_HIGH[1]).all()
        assert (seen[:, 0] < tabletop_model.TABLE_HIGH[0]).all() and (seen[:, 0] > tabletop_model.TABLE_LOW[0]).all()
        uv, depth = project(torch.from_numpy(seen), camera)
        assert in_image(uv, camera.image_size, depth).all()


def test_independent_bowls_and_plates_are_in_reach_and_in_view_with_the_path_of_the_task(world):
    camera = world.reset(MIDDLE).camera[0].to(dtype=torch.float64)
    pairs = scenes.sample_object_and_goal_xy(scenes.TABLETOP, None, 300, generator=np.random.default_rng(0))
    for bowl_xy, plate_xy in zip(*pairs):
        hands, seen = parts_of_the_task(bowl_xy, plate_xy)
        for p_world in hands:
            np.testing.assert_allclose(arm.clamp_to_reach(p_world), p_world, atol=1e-12)
        uv, depth = project(torch.from_numpy(seen), camera)
        assert in_image(uv, camera.image_size, depth).all()
        tabletop_scenes.check(Scene(tuple(bowl_xy), goal_xy=tuple(plate_xy)))


@pytest.mark.parametrize("theta", [0, 25, 32, 40])
@pytest.mark.parametrize("phi", range(0, 360, 45))
def test_views_to_40_degrees_hold_the_whole_workspace(theta, phi):
    T = mujoco_camera.tilted_pose(
        tabletop_model.default_eye(), np.array(tabletop_model.CAMERA_TARGET), theta, phi
    )  # the square picture of policies: narrower than this room's
    K = mujoco_camera.intrinsics_from_fovy(tabletop_model.CAMERA_FOVY_DEG, (128, 128))
    camera = Camera(torch.from_numpy(K), torch.from_numpy(T), (128, 128))
    for xy in scenes.TABLETOP.grid_positions()[::5, ::5].reshape(-1, 2):
        _, seen = parts_of_the_task(xy, scenes.TABLETOP.goal_of(Scene(tuple(xy))))
        uv, depth = project(torch.from_numpy(seen), camera)
        # at 32 degrees, 45 the rim of the plate of one corner reaches 0.8 px beyond the border
        assert ((uv > -1.5) & (uv < 128.5)).all() and (depth > 0).all()


@pytest.mark.parametrize("theta, phi", [(25, 0), (32, 180), (40, 0), (40, 90), (40, 180), (40, 225), (40, 270)])
def test_no_view_shows_a_hole_in_the_room(theta, phi):
    wide = make_world("tabletop", (48, 80))
    image = wide.reset(MIDDLE.with_(view_theta_deg=theta, view_phi_deg=phi)).image[0]
    wide.close()
    assert image[:, :16].amax(dim=0).min() > 20  # beyond walls and floor there would be black


@pytest.mark.parametrize("target", [(np.nan, 0, 0.1), (0, np.inf, 0.1), (0, 0), (0, 0, 0, 0), ()])
def test_a_target_that_is_no_point_is_an_error(world, target):
    world.reset(MIDDLE)
    with pytest.raises(ValueError, match="three finite metres"):
        world.execute(np.array(target, dtype=float), 1.0)
    with pytest.raises(ValueError, match="three finite metres"):
        world.displace(np.array(target, dtype=float))
    assert world.n_steps == 0


def test_a_gripper_that_is_no_number_and_a_rotation_are_errors(world):
    world.reset(MIDDLE)
    with pytest.raises(ValueError, match="finite opening"):
        world.execute(np.array(arm.HOME), float("nan"))
    with pytest.raises(ValueError, match="rotation"):
        world.execute(np.array(arm.HOME), 1.0, np.eye(3))


@pytest.mark.parametrize("target", [(5, 5, -3), (-5, 0, 5), (0.3, -0.5, 0.4), (0.0, -0.08, -1.0), (1e6, -1e6, 1e6)])
def test_targets_out_of_reach_are_clamped_and_survived(world, target):
    world.reset(MIDDLE)
    for _ in range(6):
        observation = world.execute(np.array(target, dtype=float), 0.0)
    ee = observation.ee_position[0].double().numpy()
    assert (ee >= np.array(arm.BOX_LOW) - 1e-3).all() and (ee <= np.array(arm.BOX_HIGH) + 1e-3).all()
    np.testing.assert_allclose(ee, arm.clamp_to_reach(np.array(target)), atol=POSITION_TOLERANCE)


def test_a_step_takes_three_control_steps_and_moves_at_most_the_servo_speed(world):
    world.reset(MIDDLE)
    world.execute(np.array(arm.HOME), 1.0)
    assert world.n_steps == MIN_CONTROL_STEPS
    world.reset(MIDDLE)
    world.execute(np.array(arm.HOME) + [0, 0.3, 0], 1.0)
    assert 18 <= world.n_steps <= 21  # 0.3 m at 0.3 m/s and 0.05 s per step, to within 5 mm
    world.reset(MIDDLE.with_(ee_start=(-0.3, -0.5, 0.1)))
    world.execute(np.array([0.0, 0.5, 0.1]), 1.0)
    assert world.n_steps == MAX_CONTROL_STEPS


@pytest.mark.parametrize("opening", [1.0, 0.6, 0.25, 0.0])
def test_the_gripper_goes_to_the_opening_that_was_asked_for(world, opening):
    world.reset(MIDDLE)
    for _ in range(3):
        observation = world.execute(np.array(arm.HOME), opening)
    assert float(observation.gripper) == pytest.approx(opening, abs=0.03)


def test_bowl_and_plate_are_drawn_where_the_scene_says(world):
    scene = Scene((0.1, -0.3), goal_xy=(0.05, 0.2))
    observation = world.reset(scene)
    camera = observation.camera[0]
    on_bowl, on_plate = torch.tensor([0.1, -0.3, 0.02]), torch.tensor([0.05, 0.2, 0.01])
    for p_world, dark in ((on_bowl, True), (on_plate, False)):
        u, v = project(p_world, camera)[0].round().long().tolist()
        brightness = float(observation.image[0, :, v, u].float().mean())
        assert brightness < 60 if dark else brightness > 190


@pytest.mark.parametrize("name", [name for name in LOOKS if name != "default"])
def test_every_appearance_looks_different_and_moves_nothing(world, name):
    default, dressed = world.reset(MIDDLE), world.reset(MIDDLE.with_(appearance=name))
    assert (default.image.float() - dressed.image.float()).abs().mean() > 5
    assert torch.equal(default.camera.T_world_cam, dressed.camera.T_world_cam)


def test_views_differ_and_the_camera_says_so(world):
    a, b = world.reset(MIDDLE), world.reset(MIDDLE.with_(view_theta_deg=20, view_phi_deg=45))
    assert not torch.equal(a.image, b.image)
    cosine = (a.camera.T_world_cam[0, :3, 2] @ b.camera.T_world_cam[0, :3, 2]).double()
    assert float(torch.rad2deg(torch.arccos(cosine))) == pytest.approx(20, abs=0.05)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"object_xy": (0.9, 0.0)}, "bowl"),
        ({"object_xy": (float("nan"), 0.0)}, "object_xy"),
        ({"goal_xy": (0.0, 0.9)}, "plate"),
        ({"goal_xy": (0.0, 0.0)}, "apart"),
        ({"ee_start": (0.0, 0.1)}, "ee_start"),
        ({"view_theta_deg": float("inf")}, "angles"),
        ({"appearance": "moon"}, "known: default"),
        ({"distractors": ("cat",)}, "cookie_box"),
        ({"task": "fold"}, "one task"),
    ],
)
def test_scenes_that_cannot_be_shown_are_errors(world, change, message):
    with pytest.raises(ValueError, match=message):
        world.reset(MIDDLE.with_(**change))


def test_diverged_physics_is_an_error_and_not_a_miss(world, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working folder
    world.reset(MIDDLE)
    world._data.qvel[world._bowl_dof] = np.nan
    with pytest.raises(RuntimeError, match="diverged"):
        world.execute(np.array(arm.HOME), 1.0)
    world.reset(MIDDLE)
    world.execute(np.array(arm.HOME), 1.0)


def test_a_closed_world_says_so_and_may_be_closed_twice():
    world = make_world("tabletop", (16, 24))
    with pytest.raises(RuntimeError, match="reset"):
        world.outcome()
    world.reset(MIDDLE)
    world.close()
    world.close()
    with pytest.raises(RuntimeError, match="closed"):
        world.look()


def test_nice_pictures_show_the_same_scene_with_shadows():
    fast, nice = (make_world("tabletop", (60, 80), render_quality=quality) for quality in ("fast", "nice"))
    a, b = fast.reset(MIDDLE).image.float(), nice.reset(MIDDLE).image.float()
    assert 0.5 < (a - b).abs().mean() < 30
    fast.close(), nice.close()


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_says_in_words_what_its_outcomes_mean(name):
    words = WORLDS[name].describe_stages().lower()
    assert all(outcome in words for outcome in OUTCOMES)


def test_unknown_worlds_and_options_are_errors_with_a_suggestion():
    assert "tabletop" in WORLDS
    with pytest.raises(ValueError, match="did you mean 'tabletop'"):
        make_world("tabeltop")
    with pytest.raises(ValueError, match="did you mean 'servo'"):
        make_world("tabletop", sevo="teleport")
    with pytest.raises(ValueError, match="teleport or controller"):
        make_world("tabletop", servo="teleprot")
    with pytest.raises(ValueError, match="image_size"):
        make_world("tabletop", (0, 5))


def in_fresh_python(code: str, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_importing_the_room_imports_no_simulator():
    done = in_fresh_python("import sys, para.worlds, para.worlds.scenes; print('mujoco' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_a_machine_that_cannot_draw_is_told_what_to_install():
    code = "from para.worlds import make_world\ntry: make_world('tabletop')\nexcept ImportError as e: print(e)"
    done = in_fresh_python(code, MUJOCO_GL="no-such-renderer")
    assert "apt-get install libegl1" in done.stdout and len(done.stdout.strip().splitlines()) == 1, done.stderr


def test_options_are_typed_as_name_and_value_and_reach_the_world():
    assert parse_options(("servo=controller", "dwell_frames=1")) == {"servo": "controller", "dwell_frames": 1}
    with pytest.raises(ValueError, match="name=value"):
        parse_options(("servo",))
    with pytest.raises(ValueError, match="did you mean 'servo'"):
        make_world("tabletop", (48, 64), **parse_options(("sevo=controller",)))


def test_a_hidden_robot_leaves_the_same_scene_and_physics_and_no_trace_in_the_picture(world):
    scene = MIDDLE.with_(view_theta_deg=10, view_phi_deg=30, ee_start=(0.1, 0.2, 0.3))
    hidden = make_world("tabletop", (72, 96), robot_visible=False)
    try:
        seen, unseen = world.reset(scene), hidden.reset(scene)
        elsewhere = hidden.reset(scene.with_(ee_start=(-0.1, -0.3, 0.2)))
        assert torch.equal(unseen.image, elsewhere.image) and not torch.equal(seen.image, unseen.image)
        world.reset(scene)
        hidden.reset(scene)
        for target, gripper in (((0.0, -0.14, 0.04), 1.0), ((0.0, -0.14, 0.04), 0.0), ((0.0, 0.0, 0.2), 0.0)):
            a, b = world.execute(np.array(target), gripper), hidden.execute(np.array(target), gripper)
            assert torch.equal(a.ee_position, b.ee_position) and torch.equal(a.gripper, b.gripper)
        np.testing.assert_array_equal(world.bowl_state().position, hidden.bowl_state().position)
    finally:
        hidden.close()


def test_options_are_typed_as_booleans_where_they_are_some():
    assert parse_options(("robot_visible=false", "servo=controller")) == {
        "robot_visible": False,
        "servo": "controller",
    }
    with pytest.raises(ValueError, match="robot_visible true or false; got 'no'"):
        make_world("tabletop", **parse_options(("robot_visible=no",)))
