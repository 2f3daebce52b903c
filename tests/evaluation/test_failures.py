"""Laws of the failure modes, on records, and on a scripted arm that makes each fault in the simulated world."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from para.evaluation.failures import GEOMETRY, MODES, classify, count_failures
from para.evaluation.protocol import gripper_events, thin_path
from para.evaluation.results import EpisodeRecord
from para.interfaces import ActionChunk, Scene
from para.rollout import RolloutConfig, rollout
from para.worlds import WORLDS, make_world
from para.worlds.arm import HABITS
from para.worlds.libero_expert import LiberoExpert
from para.worlds.tabletop_expert import GRASP_OFFSET, REACHED
from tests.worlds.needs_libero import skip_without


class Task(NamedTuple):
    """Where the scripted arm acts in a world, each (3,) metres."""

    bowl: np.ndarray
    """Where its foot is: LIBERO's lies 2 mm below the table's top."""

    goal: np.ndarray
    grasp_offset: np.ndarray

    @property
    def grasp(self) -> np.ndarray:
        return self.bowl + self.grasp_offset

    @property
    def above(self) -> np.ndarray:
        return np.array([*self.grasp[:2], HABITS.hover_height])

    @property
    def up(self) -> np.ndarray:
        return np.array([*self.grasp[:2], 0.16])

    @property
    def over(self) -> np.ndarray:
        return np.array([*(self.goal + self.grasp_offset)[:2], 0.16])

    @property
    def down(self) -> np.ndarray:
        return self.goal + self.grasp_offset + [0.0, 0.0, 0.012]


TASKS = {
    "tabletop": Task(np.array([0.02, -0.11, 0.0]), np.array([0.02, 0.05, 0.0]), GRASP_OFFSET),
    "libero": Task(np.array([-0.21, 0.0, -0.002]), np.array([-0.095, 0.0, 0.0]), LiberoExpert.grasp_offset),
}
TABLETOP = TASKS["tabletop"]
BOWL, GOAL, GRASP = TABLETOP.bowl, TABLETOP.goal, TABLETOP.grasp
ABOVE, UP, OVER = TABLETOP.above, TABLETOP.up, TABLETOP.over
BESIDE, OFF_GOAL = np.array([0.0, -0.09, 0.0]), np.array([0.0, 0.055, 0.0])
OPEN, CLOSED = 1.0, 0.0


def record(outcome: str | None, path=(), events=(), **changes) -> EpisodeRecord:
    values = {
        "experiment": "left_to_right", "world": "tabletop", "policy": "para", "train_seed": 0, "split": "test",
        "scene": Scene((BOWL[0], BOWL[1])).to_dict(), "scene_index": 0, "outcome": outcome, "steps": 90,
        "seconds": 1.0, "checkpoint": "0123456789ab", "ee_path": [list(map(float, p)) for p in path],
        "gripper_events": [[step, opening, *map(float, at)] for step, opening, at in events],
        "goal_xy": [GOAL[0], GOAL[1]], "error": None if outcome else "ValueError: boom",
    }  # fmt: skip
    return EpisodeRecord(**{**values, **changes})


class ScriptedArm(nn.Module):
    """A policy that goes through way points, each a position and an opening, and rests where the gripper acts."""

    def __init__(self, waypoints):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.waypoints, self.rested, self.opening = list(waypoints), 0, OPEN

    def act(self, obs):
        ee = obs.ee_position[0].numpy().astype(float)
        while len(self.waypoints) > 1 and self.reached(ee):
            self.waypoints.pop(0)
            self.rested = 0
        position, opening = np.array(self.waypoints[0][0], float), self.waypoints[0][1]
        if np.linalg.norm(position - ee) < REACHED and opening != self.opening:
            self.opening = opening
        self.rested += opening == self.opening
        way = position - ee
        step = ee + way * min(1.0, HABITS.max_step / max(np.linalg.norm(way), 1e-9))
        return ActionChunk(
            torch.tensor(step, dtype=torch.float32).reshape(1, 1, 3), torch.tensor([[self.opening]]),
            torch.zeros(1, 1, dtype=torch.bool),
        )  # fmt: skip

    def reached(self, ee) -> bool:
        position, opening = self.waypoints[0]
        return np.linalg.norm(np.array(position) - ee) < REACHED and opening == self.opening and self.rested >= 3


def waypoints_of(fault: str, task: Task) -> list:
    """What the scripted arm is to go through to make a fault."""
    grasp, above, up, over, down = task.grasp, task.above, task.up, task.over, task.down
    high = grasp + [0, 0, 0.05]
    to_goal = [(above, OPEN), (grasp, OPEN), (grasp, CLOSED), (up, CLOSED)]
    return {
        "placed": [*to_goal, (over, CLOSED), (down, CLOSED), (down, OPEN), (over, OPEN)],
        "wrong_place": [(above + BESIDE, OPEN), (grasp + BESIDE, OPEN), (grasp + BESIDE, CLOSED), (up + BESIDE, CLOSED),
                        (over, CLOSED)],
        "stayed_above": [(above, OPEN), (high, OPEN), (up, OPEN), (over, OPEN)],
        "never_closed": [(above, OPEN), (grasp, OPEN), (up, OPEN), (over, OPEN)],
        "closed_too_early": [(above, OPEN), (high, OPEN), (high, CLOSED), (up, CLOSED), (over, CLOSED)],
        "closed_too_late": [(above, OPEN), (grasp, OPEN), (high, OPEN), (high, CLOSED), (over, CLOSED)],
        "closed_but_missed": [(above, OPEN), (grasp, OPEN), (grasp, CLOSED), (grasp, OPEN), (up, OPEN), (over, OPEN)],
        "dropped_in_transport": [*to_goal, (up, OPEN), (over, OPEN)],
        "never_released": [*to_goal, (over, CLOSED), (down, CLOSED)],
        "released_off_goal": [*to_goal, (over + OFF_GOAL, CLOSED), (down + OFF_GOAL, CLOSED), (down + OFF_GOAL, OPEN),
                              (over, OPEN)],
    }[fault]  # fmt: skip


FAULTS = [mode for mode in MODES if mode not in ("error", "unknown")]


@pytest.fixture(scope="module", params=["tabletop", pytest.param("libero", marks=pytest.mark.libero)])
def world(request):
    options = {"assets": "generated"} if request.param == "libero" else {}
    try:
        made = make_world(request.param, (32, 48), **options)
    except ImportError as error:
        skip_without(error)
    yield made
    made.close()


def episode_of(waypoints, world):
    task = TASKS[world.name]
    scene = Scene(tuple(task.bowl[:2]), goal_xy=tuple(task.goal[:2]))
    config = RolloutConfig(execute_steps=1, max_control_steps=220, stall_steps=10)
    return rollout(ScriptedArm(waypoints), world, scene, config)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_scripted_fault_is_told_from_its_record(world, fault):
    task = TASKS[world.name]
    episode = episode_of(waypoints_of(fault, task), world)
    assert (episode.outcome == "placed") == (fault == "placed")
    made = record(
        episode.outcome, thin_path(episode.ee_position), scene=episode.scene.to_dict(), world=world.name,
        steps=episode.info["n_control_steps"], gripper_events=gripper_events(episode), goal_xy=list(task.goal[:2]),
    )  # fmt: skip
    assert classify(made) == fault, (made.outcome, made.gripper_events)


def test_a_grasp_displaced_by_a_worlds_tolerances_lifts_nothing_and_well_within_them_it_does(world):
    task, geometry = TASKS[world.name], GEOMETRY[world.name]
    for share, outcome in ((1.0, "missed"), (0.4, "grasped")):
        for off in ([share * geometry.near, 0.0, 0.0], [0.0, 0.0, share * geometry.too_high]):
            grasp, aside = task.grasp + off, np.array([off[0], 0.0, 0.0])
            waypoints = [(task.above + aside, OPEN), (grasp, OPEN), (grasp, CLOSED), (task.up + aside, CLOSED)]
            assert episode_of(waypoints, world).outcome == outcome, off


@pytest.mark.parametrize("name", WORLDS)
def test_failures_in_every_world_are_told_apart_at_its_own_places_and_tolerances(name):
    assert name in GEOMETRY, f"measure where and how exactly the arm of world '{name}' must act, and add it to GEOMETRY"
    geometry = GEOMETRY[name]
    assert f"more than {100 * geometry.near:g} cm" in MODES["wrong_place"]
    task, sideways, upwards = TASKS[name], np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])

    def mode(outcome, *events, goal=task.goal) -> str:
        path = [task.above, *(at for _, at in events)]
        events = [(3 * i, opening, at) for i, (opening, at) in enumerate(events)]
        scene = Scene(tuple(task.bowl[:2])).to_dict()
        return classify(record(outcome, path, events, world=name, scene=scene, goal_xy=list(goal[:2])))

    for beyond, modes in ((-0.002, ["closed_but_missed"] * 2), (0.002, ["wrong_place", "closed_too_early"])):
        beside = task.grasp + (geometry.near + beyond) * sideways
        high = task.grasp + (geometry.too_high + beyond) * upwards
        assert [mode("missed", (CLOSED, beside)), mode("missed", (CLOSED, high))] == modes
    for beyond, expected in ((-0.002, "released_off_goal"), (0.002, "dropped_in_transport")):
        release = task.down + (geometry.over_goal + beyond) * sideways
        assert mode("grasped", (CLOSED, task.grasp), (OPEN, release)) == expected
    assert WORLDS[name].workspace.goal_offset == geometry.goal_offset


def test_errors_and_records_without_gripper_are_not_guessed_at():
    path = [(-0.1, 0.0, 0.22), GRASP, UP]
    assert classify(record(None, path)) == "error"
    assert classify(record("missed", path, gripper_events=None)) == "unknown"
    assert classify(record("missed", path, world="another")) == "unknown"
    assert classify(record("missed", path, world="another"), GEOMETRY["tabletop"]) == "never_closed"
    assert classify(record("placed", path, gripper_events=None)) == "placed"


def test_a_path_that_passes_the_object_between_two_of_its_points_was_there():
    beyond, before = GRASP + [0.2, 0.0, 0.1], GRASP + [-0.2, 0.02, 0.1]
    assert classify(record("missed", [before, beyond])) == "stayed_above"
    assert classify(record("missed", [before, beyond - [0.0, 0.0, 0.2]])) == "never_closed"
    assert classify(record("missed", [before + BESIDE, beyond + BESIDE])) == "wrong_place"
    assert classify(record("missed", [before])) == "wrong_place"


def test_the_try_that_got_furthest_is_judged():
    high = GRASP + [0.0, 0.0, 0.06]
    events = [(3, 0, GRASP + BESIDE), (6, 1, GRASP + BESIDE), (9, 0, high), (12, 1, high), (15, 0, GRASP)]
    path = [ABOVE] * 14 + [GRASP] * 4  # a point per frame
    modes = [classify(record("missed", path, events[:n])) for n in (1, 3, 5)]
    assert modes == ["wrong_place", "closed_too_early", "closed_but_missed"]


def test_of_several_tries_too_high_the_first_decides_between_early_and_late():
    high = GRASP + [0.0, 0.0, 0.06]
    events = [(3, 0, high), (9, 1, high), (12, 0, high)]
    path = [ABOVE] * 5 + [GRASP] * 5 + [UP] * 5
    assert classify(record("missed", path, events)) == "closed_too_early"
    assert classify(record("missed", path, events[2:])) == "closed_too_late"


def test_a_gripper_that_flutters_before_the_lift_has_not_dropped_anything():
    events = [(3, 0, GRASP), (4, 1, GRASP), (5, 0, GRASP)]
    assert classify(record("grasped", [ABOVE, GRASP, OVER], events)) == "never_released"
    dropped = [*events, (9, 1, 0.7 * GRASP + 0.3 * np.array(OVER)), (12, 0, OVER)]
    assert classify(record("grasped", [ABOVE, GRASP, OVER], dropped)) == "dropped_in_transport"
    put_back = [*events, (9, 1, GRASP + [0, 0, 0.02])]
    assert classify(record("grasped", [ABOVE, GRASP, UP, GRASP], put_back)) == "dropped_in_transport"


def test_where_the_object_is_released_follows_from_how_it_was_held():
    held = GRASP + [0.0, 0.03, 0.0]  # the bowl's centre is 3 cm nearer to the gripper than in the usual grasp
    radius = GEOMETRY["tabletop"].over_goal
    for off, mode in ((radius - 0.002, "released_off_goal"), (radius + 0.002, "dropped_in_transport")):
        release = GOAL + (held - BOWL) + [off, 0.0, 0.02]
        made = record("grasped", [ABOVE, held, release], [(3, 0, held), (9, 1, release)])
        assert classify(made) == mode


def test_without_a_recorded_goal_it_is_the_scenes_or_at_the_worlds_offset():
    release = GOAL + GRASP_OFFSET
    events = [(3, 0, GRASP), (9, 1, release)]
    there = record("grasped", [ABOVE, GRASP, release], events, goal_xy=None)
    assert classify(there) == "released_off_goal"  # 16 cm to the right of the bowl, as in every tabletop scene
    moved = Scene((BOWL[0], BOWL[1]), goal_xy=(-0.15, -0.3)).to_dict()
    assert classify(record("grasped", [ABOVE, GRASP, release], events, goal_xy=None, scene=moved)) == (
        "dropped_in_transport"
    )


def test_in_a_thinned_path_what_came_after_is_not_taken_for_what_came_before():
    down_after = [GRASP + [0.0, 0.0, 0.12]] * 5 + [GRASP] * 35  # 40 points of some 200 frames
    events = [(20, 0, GRASP + [0.0, 0.0, 0.06])]
    assert classify(record("missed", down_after, events, steps=600)) == "closed_too_early"
    events = [(60, 0, GRASP + [0.0, 0.0, 0.06])]
    assert classify(record("missed", down_after, events, steps=600)) == "closed_too_late"


def test_failures_are_counted_by_policy_split_and_mode_in_the_order_of_the_task():
    records = [
        record("missed", [GRASP], [(3, 0, GRASP)], scene_index=0),
        record("placed", [GRASP], scene_index=1),
        record("missed", [GRASP], [(3, 0, GRASP)], scene_index=2),
        record("missed", [GRASP + BESIDE], scene_index=3),
        record("placed", [GRASP], split="train"),
        record(None, [GRASP], policy="act"),
    ]
    counts = count_failures(records)
    assert counts == {
        "para": {"test": {"placed": 1, "wrong_place": 1, "closed_but_missed": 2}, "train": {"placed": 1}},
        "act": {"test": {"error": 1}},
    }
    assert list(counts["para"]["test"]) == [mode for mode in MODES if mode in counts["para"]["test"]]
    assert sum(counts["para"]["test"].values()) == 4
