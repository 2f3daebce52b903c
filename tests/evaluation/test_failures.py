"""Laws of the failure modes, on records, and on a scripted arm that makes each fault in the simulated world."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from para.evaluation.failures import GEOMETRY, MODES, classify, count_failures
from para.evaluation.protocol import gripper_events, thin_path
from para.evaluation.results import EpisodeRecord
from para.interfaces import ActionChunk, Scene
from para.rollout import RolloutConfig, rollout
from para.worlds import make_world
from para.worlds.arm import HABITS
from para.worlds.tabletop_expert import GRASP_OFFSET, REACHED

BOWL, GOAL = np.array([0.02, -0.11, 0.0]), np.array([0.02, 0.05, 0.0])
GRASP = BOWL + GRASP_OFFSET
ABOVE, UP = [*GRASP[:2], HABITS.hover_height], [*GRASP[:2], 0.16]
OVER = [*(GOAL + GRASP_OFFSET)[:2], 0.16]
DOWN = [*(GOAL + GRASP_OFFSET)[:2], 0.052]
BESIDE = np.array([0.0, -0.09, 0.0])
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


FAULTS = {
    "placed": [(ABOVE, OPEN), (GRASP, OPEN), (GRASP, CLOSED), (UP, CLOSED), (OVER, CLOSED), (DOWN, CLOSED),
               (DOWN, OPEN), (OVER, OPEN)],
    "wrong_place": [(ABOVE + BESIDE, OPEN), (GRASP + BESIDE, OPEN), (GRASP + BESIDE, CLOSED), (UP + BESIDE, CLOSED),
                    (OVER, CLOSED)],
    "never_closed": [(ABOVE, OPEN), (GRASP, OPEN), (UP, OPEN), (OVER, OPEN)],
    "closed_too_early": [(ABOVE, OPEN), (GRASP + [0, 0, 0.05], OPEN), (GRASP + [0, 0, 0.05], CLOSED), (GRASP, CLOSED),
                         (UP, CLOSED), (OVER, CLOSED)],
    "closed_too_late": [(ABOVE, OPEN), (GRASP, OPEN), (GRASP + [0, 0, 0.05], OPEN), (GRASP + [0, 0, 0.05], CLOSED),
                        (OVER, CLOSED)],
    "closed_but_missed": [(ABOVE, OPEN), (GRASP, OPEN), (GRASP, CLOSED), (GRASP, OPEN), (UP, OPEN), (OVER, OPEN)],
    "dropped_in_transport": [(ABOVE, OPEN), (GRASP, OPEN), (GRASP, CLOSED), (UP, CLOSED), (UP, OPEN), (OVER, OPEN)],
    "never_released": [(ABOVE, OPEN), (GRASP, OPEN), (GRASP, CLOSED), (UP, CLOSED), (OVER, CLOSED), (DOWN, CLOSED)],
    "released_off_goal": [(ABOVE, OPEN), (GRASP, OPEN), (GRASP, CLOSED), (UP, CLOSED), (OVER + np.array([0, 0.065, 0]),
                          CLOSED), (DOWN + np.array([0, 0.065, 0]), CLOSED), (DOWN + np.array([0, 0.065, 0]), OPEN),
                          (OVER, OPEN)],
}  # fmt: skip


@pytest.fixture(scope="module")
def world():
    made = make_world("tabletop", (32, 48))
    yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_scripted_fault_is_told_from_its_record(world, fault):
    scene = Scene((BOWL[0], BOWL[1]), goal_xy=(GOAL[0], GOAL[1]))
    config = RolloutConfig(execute_steps=1, max_control_steps=220, stall_steps=0)
    episode = rollout(ScriptedArm(FAULTS[fault]), world, scene, config)
    assert (episode.outcome == "placed") == (fault == "placed")
    made = record(
        episode.outcome, thin_path(episode.ee_position), scene=scene.to_dict(), steps=episode.info["n_control_steps"],
        gripper_events=gripper_events(episode),
    )  # fmt: skip
    assert classify(made) == fault, (made.outcome, made.gripper_events)


def test_errors_and_records_without_gripper_are_not_guessed_at():
    path = [(-0.1, 0.0, 0.22), GRASP, UP]
    assert classify(record(None, path)) == "error"
    assert classify(record("missed", path, gripper_events=None)) == "unknown"
    assert classify(record("missed", path, world="another")) == "unknown"
    assert classify(record("missed", path, world="another"), GEOMETRY["tabletop"]) == "never_closed"
    assert classify(record("placed", path, gripper_events=None)) == "placed"


def test_a_path_that_passes_the_object_between_two_of_its_points_was_there():
    beyond, before = GRASP + [0.2, 0.0, 0.1], GRASP + [-0.2, 0.02, 0.1]
    assert classify(record("missed", [before, beyond])) == "never_closed"
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
