"""Initial conditions of the LIBERO world: where bowl and plate may lie, what else may stand about, and LIBERO's own
fifty initial states.

The grid. Bowl and plate move together as LIBERO has them, 11.5 cm apart along x (LIBERO: 11, give or take 1.5; at 11
they touch and push one another 4 mm apart). With the hand vertical, the arm reaches grasps from x = -0.37 (above them,
the elbow's stop) to places at x = 0.055 (the stretched arm, for |y| up to 0.35), which leaves the bowl x from -0.36 to
-0.06: 30 cm of depth by 60 cm of width. The paper's second dataset shifts both by dx in [-0.40, -0.01] and, about the
middle of the table, dy in [-0.30, 0.30] (39 by 60 cm): the same far edge and width, with the nearest 9 cm left out,
which this arm cannot reach with the hand vertical. Its first dataset (dx in [-0.15, 0], dy in [-0.10, 0.10] about
LIBERO's place of the bowl) lies inside, but for its last centimetre in x.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from para.interfaces import Scene
from para.worlds import distractors, libero_package
from para.worlds.libero_model import BOWL, DISTRACTORS, PLATE
from para.worlds.scenes import Workspace, check_scene_numbers


def official_scenes(task_index: int = 0) -> list[Scene]:
    """LIBERO's own fifty initial states of a task, with everything of its task file, as scenes.

    Raises:
        ImportError: where hf-libero is not installed.
        ValueError: for a task that does not exist.
    """
    names = libero_package.object_names(libero_package.task_text(task_index))
    states = libero_package.initial_states(task_index)
    scenes = []
    for i, state in enumerate(states):
        xy = {name: xy_in_state(state, names.index(name)) for name in (BOWL, PLATE)}
        scenes.append(Scene(xy[BOWL], goal_xy=xy[PLATE], distractors=tuple(DISTRACTORS), task=f"initial_state_{i}"))
    return scenes


def own_scenes(options: Mapping[str, Any]) -> list[Scene]:
    """`official_scenes` of the task that the world's options name."""
    return official_scenes(options.get("task_index", 0))


def xy_in_state(state: np.ndarray, index: int) -> tuple[float, float]:
    """Of the free object with an index, in a state [time, 7 joints, 2 fingers, 7 numbers per object, ...]."""
    x, y = state[1 + 9 + 7 * index :][:2]
    return round(float(x), 4), round(float(y), 4)


LIBERO = Workspace(
    low=(-0.36, -0.30),
    high=(-0.06, 0.30),
    goal_offset=(0.115, 0.0),
    min_goal_distance=0.14,
    usual_xy=(-0.06, 0.20),
    distractors=tuple(DISTRACTORS),
    own_scenes=own_scenes,
)
"""See above. A plate that is drawn on its own keeps 14 cm from the bowl, so that the hand has room between them."""

REACH_LOW, REACH_HIGH = (-0.38, -0.36), (0.08, 0.36)
"""Bowl and plate may lie here, (x, y) metres: the workspace, the plate's offset and LIBERO's own places."""

LAYOUT = distractors.Layout(
    radius={"cookie_box": 0.052, "ramekin": 0.043, "second_bowl": 0.054, "cabinet": 0.16, "stove": 0.15},
    furniture=("cabinet", "stove"),
    low=(-0.38, -0.42),
    high=(0.22, 0.42),
    spots=((0.03, -0.29), (0.03, 0.29), (0.0, -0.45), (0.0, 0.45), (-0.34, -0.47), (-0.34, 0.47)),
    furniture_clearance=0.09,
)
"""Where a seed may put things: small ones anywhere clear of the task, furniture where LIBERO has it, opposite, or at
the corners of what the camera sees."""

TOUCHING = 0.10
"""Nearer than this, metres, the bowl would lie on the plate's rim; LIBERO's own states have 9.5 to 12.5 cm."""

STOVE_MIDDLE = 0.10
"""Of the stove, in front of its origin, which is at its knob, metres."""

INITIAL_STATE = re.compile(r"initial_state_(\d+)")


def check(scene: Scene) -> None:
    """Raises ValueError for a scene that the LIBERO world cannot show."""
    check_scene_numbers(scene)
    if scene.appearance != "default":
        raise ValueError(f"no appearance '{scene.appearance}' (known: default)")
    unknown = [name for name in scene.distractors if name not in DISTRACTORS]
    if unknown or len(set(scene.distractors)) != len(scene.distractors):
        raise ValueError(
            f"distractors must be distinct names among {', '.join(DISTRACTORS)}; got {', '.join(scene.distractors)}"
        )
    if scene.task and not INITIAL_STATE.fullmatch(scene.task):
        raise ValueError(f"a task of world 'libero' is '' or initial_state_<n>; got '{scene.task}'")
    if scene.task:
        return
    goal = LIBERO.goal_of(scene)
    for what, xy in (("bowl", scene.object_xy), ("plate", goal)):
        if (np.array(xy) < REACH_LOW).any() or (np.array(xy) > REACH_HIGH).any():
            raise ValueError(f"the {what} at {xy} leaves the arm's part of the table, {REACH_LOW} to {REACH_HIGH}")
    distance = float(np.hypot(goal[0] - scene.object_xy[0], goal[1] - scene.object_xy[1]))
    if distance < TOUCHING:
        raise ValueError(f"bowl and plate are {distance:.3f} m apart; put them {TOUCHING} m apart or more")


def place_distractors(scene: Scene) -> dict[str, tuple[float, float, float]]:
    """Where a scene's seed puts its distractors: LIBERO's name -> (x, y, yaw), metres and radians.

    Raises:
        ValueError: where there is no room.
    """
    poses = distractors.place(
        scene.distractors,
        np.array(scene.object_xy),
        np.array(LIBERO.goal_of(scene)),
        generator=np.random.default_rng(scene.seed),
        layout=LAYOUT,
    )
    if "stove" in poses:
        x, y, yaw = poses["stove"]
        poses["stove"] = (x - STOVE_MIDDLE, y, yaw)
    return {DISTRACTORS[name]: pose for name, pose in poses.items()}


def official_state(scene: Scene, task_index: int) -> np.ndarray | None:
    """The simulator's state that a scene of `official_scenes` names, or None for any other scene.

    Raises:
        ValueError: where there is no such state, or the scene says something else of bowl and plate.
    """
    if not scene.task:
        return None
    index, known = int(INITIAL_STATE.fullmatch(scene.task).group(1)), official_scenes(task_index)
    if index >= len(known):
        raise ValueError(f"LIBERO has initial states 0 to {len(known) - 1} of each task; got '{scene.task}'")
    own = known[index]
    if not np.allclose([*scene.object_xy, *(scene.goal_xy or ())], [*own.object_xy, *own.goal_xy], atol=1e-3):
        raise ValueError(
            f"in {scene.task}, bowl and plate are at {own.object_xy} and {own.goal_xy}; take its scene whole"
        )
    if scene.ee_start is not None:
        raise ValueError(f"{scene.task} sets the arm too; pass ee_start=None")
    return libero_package.initial_states(task_index)[index]
