"""Where on the table a task takes place, told from a record."""

from __future__ import annotations

import numpy as np

from para.evaluation.records import EpisodeRecord
from para.worlds import WORLDS


def task_area(record: EpisodeRecord) -> tuple[np.ndarray, np.ndarray]:
    """The box around all places that object and goal can have in a record's world.

    Of a world that is not registered here it holds what the record itself names: object, goal and path.

    Returns:
        Smallest and largest (x, y), (2,) each, world frame, metres.
    """
    if record.world in WORLDS:
        low, high = WORLDS[record.world].workspace.independent_region()
        return np.array(low), np.array(high)
    named = [record.scene["object_xy"], *([record.goal_xy] if record.goal_xy else [])]
    points = np.array([*named, *(point[:2] for point in record.ee_path or ())])  # (N, 2)
    return points.min(axis=0), points.max(axis=0)
