"""Every arm of the tabletop world goes where it is told with its tool down, and does the task everywhere."""

import numpy as np
import pytest
import torch

from para.interfaces import Scene
from para.worlds import arm, make_world, scenes
from para.worlds.arms import ARMS
from para.worlds.servo import SERVOS
from tests.worlds.conftest import run_expert

OTHERS = [name for name in ARMS if name != "seven_joint"]


@pytest.fixture(scope="module", params=OTHERS)
def other(request):
    world = make_world("tabletop", (48, 64), arm=request.param)
    yield world
    world.close()


@pytest.mark.parametrize("name", ARMS)
def test_the_whole_box_above_the_workspace_is_in_reach_and_what_is_beyond_is_brought_there(name):
    for x, y, z in np.array(np.meshgrid((-0.2, 0.0, 0.19), (-0.44, 0.0, 0.39), (0.02, 0.2))).reshape(3, -1).T:
        np.testing.assert_allclose(ARMS[name].clamp_to_reach(np.array([x, y, z])), [x, y, z], atol=1e-12)
    for far in ((9.0, 9.0, 9.0), (-9.0, -9.0, -9.0), (0.32, 0.52, 0.42)):
        near = ARMS[name].clamp_to_reach(np.array(far))
        np.testing.assert_allclose(ARMS[name].clamp_to_reach(near), near, atol=1e-9)
        assert (near >= np.array(arm.BOX_LOW) - 1e-9).all() and (near <= np.array(arm.BOX_HIGH) + 1e-9).all()
        assert np.isfinite(ARMS[name].joint_angles(near[None])).all()


def test_its_end_effector_is_where_it_is_told_with_the_tool_down_and_the_fingers_along_y(other):
    generator = np.random.default_rng(0)
    for _ in range(20):
        target = other._arm.clamp_to_reach(generator.uniform(arm.BOX_LOW, arm.BOX_HIGH))
        seen = other.reset(Scene((0.0, -0.08), ee_start=tuple(target)))
        np.testing.assert_allclose(seen.ee_position[0], target, atol=1e-5)
        R_world_ee = other._data.site("ee").xmat.reshape(3, 3)
        np.testing.assert_allclose(R_world_ee, np.diag([-1.0, 1.0, -1.0]), atol=1e-6)


def test_it_looks_otherwise_where_the_end_effector_is_the_same(other):
    small = make_world("tabletop", (48, 64))
    try:
        scene = Scene((0.0, -0.08), ee_start=(-0.1, 0.05, 0.2))
        ours, theirs = small.reset(scene), other.reset(scene)
        assert torch.allclose(ours.ee_position, theirs.ee_position, atol=1e-6)
        assert (ours.image.float() - theirs.image.float()).abs().amax(dim=1).gt(40).float().mean() > 0.03
        assert len(other._arm.joints) != len(small._arm.joints)
    finally:
        small.close()


def test_it_begins_elsewhere_and_its_end_effector_takes_another_path_at_another_speed(other):
    small = make_world("tabletop", (48, 64))
    paths = []
    try:
        for each in (small, other):
            seen, expert = [each.reset(Scene((0.0, -0.08))).ee_position[0]], each.expert()
            while (action := expert.act()) is not None:
                seen.append(each.execute(action.position, action.gripper).ee_position[0])
            assert each.outcome() == "placed"
            paths.append(torch.stack(seen))
        ours, theirs = paths
        assert (ours[0] - theirs[0]).norm() > 0.1
        nearest = torch.cdist(theirs, ours).amin(dim=-1)  # of each of its points to our path, whatever the time
        assert float(nearest.mean()) > 0.03  # at bowl and plate the two meet
        assert len(theirs) > 1.2 * len(ours)
    finally:
        small.close()


@pytest.mark.parametrize("servo", SERVOS)
@pytest.mark.parametrize("name", OTHERS)
def test_its_expert_places_at_the_corners_and_in_the_middle_with_either_servo(name, servo):
    world = make_world("tabletop", (24, 32), arm=name, servo=servo)
    grid = scenes.TABLETOP.grid_positions()
    try:
        for i, j in ((0, 0), (0, 15), (15, 0), (15, 15), (7, 7)):
            world.reset(Scene(tuple(map(float, grid[i, j])), seed=i))
            run_expert(world)
            assert world.outcome() == "placed", f"missed at {grid[i, j]}"
    finally:
        world.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_its_expert_places_at_98_percent_of_a_grid(name):
    world = make_world("tabletop", (24, 32), arm=name)
    try:
        outcomes = []
        for index, xy in enumerate(scenes.TABLETOP.grid_positions()[::2, ::2].reshape(-1, 2)):
            world.reset(Scene(tuple(map(float, xy)), seed=index))
            run_expert(world)
            outcomes.append(world.outcome())
        assert outcomes.count("placed") >= 0.98 * len(outcomes)
    finally:
        world.close()


def test_an_arm_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="knows arm seven_joint or printed; got 'panda'"):
        make_world("tabletop", arm="panda")
