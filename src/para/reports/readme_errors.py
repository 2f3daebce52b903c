"""Errors beside the rates of one run in a document, as Markdown: of its trainings, and of what video models imagine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from para.files import read_json
from para.reports.markdown import NONE, table
from para.reports.readme_few_shot import errors_table
from para.reports.video import COLUMNS
from para.reports.wording import in_reading_order, policy_name

SHARED_COLUMNS = {"finder_on_real_px", "moved_px", "psnr_still_db"}
"""Of `para.reports.video.COLUMNS`: what is of the recorded frames alone, and so the same in every row."""

TAILS = {"median_px": "median", "mean_px": "mean"}
"""Of `pixel_errors.json`: a mean well above the median tells of pixels that are far off."""


def trainings_text(folder: Path) -> str:
    """A row per policy, or per start of few demonstrations: its errors on held-out demonstrations when it was trained,
    of each training by itself."""
    executed = {row["policy"] for row in read_json(folder / "summary.json")["rows"]}  # not what others only start from
    rows = by_policy([row for row in read_json(folder / "trainings.json")["rows"] if row["policy"] in executed])
    said = "Mean errors over the steps of a chunk, of each training by itself, in the order of their seeds."
    told = read_json(folder / "config.json").get("few_shot")
    if told:
        errors = {
            policy: f"{each(mine, 'error_mm')} mm; {each(mine, 'pixel_error_px')} px" for policy, mine in rows.items()
        }
        return f"{errors_table(errors, told['kinds'])}\n\n{said}"
    lines = [
        [
            policy_name(policy),
            " or ".join(str(steps) for steps in sorted({row["steps"] for row in mine})),
            each(mine, "error_mm"),
            each(mine, "pixel_error_px"),
        ]
        for policy, mine in rows.items()
    ]
    heads = ["on held-out demonstrations", "steps", "end effector off, mm", "pixel off, px"]
    return f"{table(heads, lines)}\n\n{said}"


def alignment_text(folder: Path) -> str:
    """A row per policy with a video model: how far heads, imagined frames and truth are apart."""
    told = read_json(folder / "video_alignment.json")
    rows = by_policy(told["rows"])
    own = [(key, words) for key, words in COLUMNS if key not in SHARED_COLUMNS]
    lines = [[policy_name(policy), *(each(mine, key) for key, _ in own)] for policy, mine in rows.items()]
    first = told["rows"][0]
    shared = "; ".join(f"{words} {first[key]:.1f}" for key, words in COLUMNS if key in SHARED_COLUMNS)
    H, W = told["image_size"]
    said = (
        f"Medians over {first['looks']} moments and the frames to come, in pixels of the {H} x {W} picture, of each "
        f"training by itself, in the order of their seeds. Of the recorded frames: {shared}."
    )
    return f"{table(['what it imagines', *(words for _, words in own)], lines)}\n\n{said}"


def pixel_errors_text(folder: Path) -> str:
    """A row per pretrained policy: how far its pixels are off in each world (`pixel_errors.json`)."""
    told = read_json(folder / "pixel_errors.json")
    rows = by_policy(told["rows"])
    worlds = list(dict.fromkeys(row["world"] for row in told["rows"]))
    lines = [
        [
            policy_name(policy),
            *(each([row for row in mine if row["world"] == world], key) for world in worlds for key in TAILS),
        ]
        for policy, mine in rows.items()
    ]
    heads = [f"{world}, {kind}, px" for world in worlds for kind in TAILS.values()]
    H, W = told["image_size"]
    said = (
        f"Over {told['rows'][0]['looks']} moments and the steps of a chunk, in pixels of the {H} x {W} "
        "picture, of each training by itself, in the order of their seeds."
    )
    return f"{table(['pixel off', *heads], lines)}\n\n{said}"


def by_policy(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Policy -> its rows in the order of seeds; policies in the order in which a reader expects them."""
    ordered = sorted(rows, key=lambda row: row["train_seed"])
    policies = in_reading_order(row["policy"] for row in rows)
    return {policy: [row for row in ordered if row["policy"] == policy] for policy in policies}


def each(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    """One value of every row, or a dash where no row has it."""
    values = [row[key] for row in rows if row[key] is not None]
    return ", ".join(f"{value:.1f}" for value in values) or NONE


ERRORS: dict[str, Callable[[Path], str]] = {
    "trainings": trainings_text,
    "video_alignment": alignment_text,
    "pixel_errors": pixel_errors_text,
}
"""Name of a file of the records, without its ending -> what a document says of it."""
