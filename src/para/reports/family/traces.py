"""One episode as a small drawing from its record: the end effector's way from above, its height, and the gripper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from para.evaluation.places import task_area
from para.evaluation.records import EpisodeRecord
from para.reports.family.marks import filter_attributes
from para.reports.style import GREY, INK, OUTCOME_COLOURS, PALE, policy_colour
from para.reports.tables import sign
from para.reports.wording import policy_name, split_name, variant_of

WIDTH, TABLE_HEIGHT, STRIP_HEIGHT, GAP, BELOW = 230.0, 148.0, 34.0, 6.0, 8.0
"""Of the drawing in pixels: the table from above, below it the height over time, and room for marks at height 0."""

MARGIN_M = 0.10
"""Of the table so much is drawn around the places of object and goal, metres."""

TOP_M = 0.30
"""Height at the upper edge of the strip, metres."""

HEIGHT_OF_DRAWING = TABLE_HEIGHT + GAP + STRIP_HEIGHT + BELOW

LABELS = 30.0
"""Room for the heights at the left of the strip, pixels."""

MARK = 8.0
"""Half of the room that a mark takes, pixels; it stays that far inside the drawing."""

BOWL_M, PLATE_M = 0.035, 0.055
"""Radii of the circles that stand for object and goal, metres."""

PLACED = "#cfe9d8"
"""Fills the goal where the object was placed: the outcome's colour, pale, so that the way is seen above it."""


def how_to_read() -> str:
    """What is in a drawing, as sentences (HTML)."""
    return (
        "The table from above, as the camera sees it: grey disc, where the object lay; dashed circle, the goal, filled "
        "where the object was placed; cross, the arm’s start; line, the end effector’s way, up to the dot in the "
        "outcome’s colour. Filled triangles: the gripper closes, as it does to grasp; hollow ones: it opens, as it "
        "does to release. A record keeps only some points of the way, so a triangle may stand beside the line; a mark "
        "beyond the drawing stands at its edge. Below, the height of the end effector above the table, over time. "
        "Point at a drawing for its scene; the caption names the line of <code>results.jsonl</code>: its experiment, "
        "split, scene_index and train_seed."
    )


def trace(record: EpisodeRecord, axis: str) -> str:
    """The drawing with a caption that says which scene it is, as a `<figure>`; empty where the record has no path.

    Args:
        record: of the episode.
        axis: of its experiment, for the filters.
    """
    if not record.ee_path:
        return ""
    outcome, policy = record.outcome or "error", policy_name(record.policy)
    where = f"{record.experiment}, {split_name(record.split).lower()}, scene {record.scene_index}"
    said = escape(f"{where}, seed {record.train_seed}")
    whose = escape(f"{policy}; ") if variant_of(record.policy) else ""  # the policy's own name stands above
    return (
        f"<figure{filter_attributes(axis=axis, policy=record.policy, outcome=outcome)}>"
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT_OF_DRAWING:g}" role="img"><title>'
        f"{escape(f'{policy}: {scene_text(record)}')}</title>{_from_above(record)}{_height_strip(record)}</svg>"
        f"<figcaption>{sign(outcome)} {outcome}: {whose}{said}</figcaption></figure>"
    )


def scene_text(record: EpisodeRecord) -> str:
    """What is needed to set up the scene again, in words."""
    scene = record.scene
    x, y = scene["object_xy"]
    parts = [f"object at ({x:g}, {y:g}) m", f"view theta {scene['view_theta_deg']:g}°, phi {scene['view_phi_deg']:g}°"]
    parts += [f"{len(scene['distractors'])} distractors"] if scene["distractors"] else []
    parts += [f"appearance {scene['appearance']}"] if scene["appearance"] != "default" else []
    return f"{', '.join(parts)}, scene seed {scene['seed']}; {record.outcome or 'error'} after {record.steps} steps"


class _TableView(NamedTuple):
    """What is drawn of the table, as the camera sees it: y to the right, x (away from the robot) down."""

    middle: np.ndarray
    """(2,) the position in the middle of the drawing, metres."""

    scale: float
    """Pixels per metre."""

    def pixel(self, xy: Sequence[float]) -> tuple[float, float]:
        """Where a position of the table is drawn."""
        down, right = self.scale * (np.array(xy[:2]) - self.middle)
        return WIDTH / 2 + right, TABLE_HEIGHT / 2 + down


def _view_of(record: EpisodeRecord) -> _TableView:
    """The same for every record of a world, so that their drawings can be compared."""
    low, high = task_area(record)
    x_size, y_size = high - low + 2 * MARGIN_M
    return _TableView((low + high) / 2, min(TABLE_HEIGHT / x_size, WIDTH / y_size))


def _inside(u: float, v: float) -> tuple[float, float]:
    """Where a mark stands, so that all of it is in the drawing of the table."""
    return min(max(u, MARK), WIDTH - MARK), min(max(v, MARK), TABLE_HEIGHT - MARK)


def _from_above(record: EpisodeRecord) -> str:
    view = _view_of(record)
    colour = policy_colour(record.policy)
    path = [view.pixel(point) for point in record.ee_path]
    shapes = [f'<rect width="{WIDTH:g}" height="{TABLE_HEIGHT:g}" rx="3" fill="{PALE}"/>']
    if record.goal_xy is not None:
        u, v = view.pixel(record.goal_xy)
        filled = PLACED if record.outcome == "placed" else "white"
        shapes.append(_circle(u, v, PLATE_M * view.scale, f'fill="{filled}" stroke="{GREY}" stroke-dasharray="3 2"'))
    u, v = view.pixel(record.scene["object_xy"])
    shapes.append(_circle(u, v, BOWL_M * view.scale, f'fill="#cfd5dd" stroke="{INK}"'))
    shapes.append(f'<path d="{_line(path)}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>')
    u, v = _inside(*path[0])
    shapes.append(f'<path d="M{u - 4:.1f} {v:.1f}h8m-4 -4v8" stroke="{INK}" stroke-width="1.4"/>')
    events = record.gripper_events or ()
    shapes.append(_gripper((*_inside(*view.pixel(event[2:4])), event[1] < 0.5) for event in events))
    u, v = _inside(*path[-1])
    shapes.append(_circle(u, v, 3.2, f'fill="{OUTCOME_COLOURS[record.outcome or "error"]}" stroke="white"'))
    return "".join(shapes)


def _height_strip(record: EpisodeRecord) -> str:
    """Height against time; the gripper's marks stand at their own moments."""
    top, bottom = TABLE_HEIGHT + GAP, TABLE_HEIGHT + GAP + STRIP_HEIGHT
    heights = np.clip([point[2] for point in record.ee_path], 0, TOP_M) / TOP_M
    u = np.linspace(LABELS, WIDTH - MARK, len(heights))
    path = list(zip(u, bottom - heights * STRIP_HEIGHT))
    marks = []
    for index, event in zip(_moments(record), record.gripper_events or ()):
        v = bottom - min(max(event[4], 0.0), TOP_M) / TOP_M * STRIP_HEIGHT
        marks.append((u[index], v, event[1] < 0.5))
    line = f'<path d="{_line(path)}" fill="none" stroke="{policy_colour(record.policy)}" stroke-width="1.2"/>'
    levels = "".join(
        f'<path d="M0 {v:g}H{WIDTH:g}" stroke="{colour}" stroke-width="0.8"/>'
        for v, colour in ((bottom, GREY), (top, PALE))
    )
    said = ((2, top + 8, "", f"{100 * TOP_M:g} cm"), (2, bottom + 7.5, "", "0"))
    said += ((WIDTH - 2, top + 8, ' text-anchor="end"', "height over time"),)
    labels = "".join(f'<text x="{u:g}" y="{v:g}"{anchor}>{text}</text>' for u, v, anchor, text in said)
    return f'{levels}{line}{_gripper(marks)}<g font-size="8" fill="{GREY}">{labels}</g>'


def _moments(record: EpisodeRecord) -> list[int]:
    """Which point of the path each event of the gripper is nearest to, in order: the path is thinned, so that a step's
    number does not tell."""
    path, indices = np.array(record.ee_path), [0]
    for event in record.gripper_events or ():
        rest = np.linalg.norm(path[indices[-1] :] - np.array(event[2:5]), axis=-1)
        indices.append(indices[-1] + int(rest.argmin()))
    return indices[1:]


def _line(points: Sequence[tuple[float, float]]) -> str:
    """From point to point, as steps of tenths of a pixel: a page holds hundreds of lines, and steps are shorter."""
    tenths = np.rint(10 * np.array(points)).astype(int)
    (u, v), steps = tenths[0] / 10, np.diff(tenths, axis=0) / 10
    return f"M{u:g} {v:g}l" + " ".join(f"{du:g} {dv:g}" for du, dv in steps if du or dv).replace(" -", "-")


def _circle(u: float, v: float, radius: float, style: str) -> str:
    return f'<circle cx="{u:.1f}" cy="{v:.1f}" r="{radius:.1f}" {style}/>'


def _gripper(events: Iterable[tuple[float, float, bool]]) -> str:
    """At each (u, v, closes) a filled triangle pointing down if it closes, a hollow one pointing up if it opens."""
    ways = {False: "l-4.5 7.5h9z", True: "l-4.5 -7.5h9z"}
    triangles = {closes: "" for closes in ways}
    for u, v, closes in events:
        triangles[closes] += f"M{u:.1f} {v:.1f}{ways[closes]}"
    return "".join(
        f'<path d="{path}" fill="{INK if closes else "white"}" stroke="{INK}" stroke-width="1.1"/>'
        for closes, path in triangles.items()
        if path
    )
