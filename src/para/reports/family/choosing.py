"""On what recipes were chosen, and which experiments rest on the same trainings: how far results are independent."""

from __future__ import annotations

from html import escape

from para.reports.family.files import Family, name_of, title_of
from para.reports.family.marks import filter_attributes
from para.reports.run_files import RunFiles
from para.reports.tables import coloured
from para.reports.wording import in_reading_order

HALF_MOVED = (
    "that half of PARA’s pictures stay as they were recorded was thought of after weaker results here, and chosen on "
    "validation scenes"
)

SEEN_BEFORE = {
    "tabletop": {
        "left_to_right": "the units of Motion Tracks’ state and outputs were changed after weak results in "
        "distribution here",
        "viewpoints": "its views are those on which the augmentation was chosen, at other positions; that pictures are "
        "warped towards the home view was thought of after results in these views",
        "distractors": "the things in the way are those on which the augmentation was chosen, in other places",
        "new_environment": "PARA’s stronger looks were sought after a weak result here, and chosen in validation rooms",
        "inner_outer": "PARA’s virtual moves and ACT’s steps in the outer views were changed after a weak result here",
        "hemispheres": "PARA’s virtual moves were made narrower after a weak result here, and chosen on validation "
        "scenes",
        "track_pretraining": "that a form without augmentation and fewer steps were tried, and how few, was decided "
        "after results here",
        "track_pretraining_apart": "the form without augmentation had its second and third training after results of "
        "the first",
    },
    "libero": {
        "left_to_right": HALF_MOVED,
        "viewpoints": f"{HALF_MOVED}; that pictures are warped towards the home view was thought of after looking "
        "along demonstrations in a few of these views",
        "distractors": HALF_MOVED,
        "default_position": HALF_MOVED,
    },
}
"""Experiments of each world whose test scenes were not quite unknown when a recipe was chosen, as `docs/method.md`,
`docs/libero.md` and `docs/pretraining.md` tell, and why."""


def how_chosen(family: Family) -> str:
    """On what recipes were chosen, and for which experiments that was not wholly apart from the test."""
    told = [(run, said) for run in family.runs if (said := seen_before(run))]
    items = "".join(
        f"<li{filter_attributes(axis=run.axis)}>{escape(title_of(run))} (<code>{escape(name_of(run))}</code>): "
        f"{escape(said)}.</li>"
        for run, said in told
    )
    said = "Recipes were chosen on validation scenes, which lie apart from the scenes of the tables"
    if not items:
        return f"<p>{said}.</p>"
    return (
        f"<p>{said}; the sections on training, views and augmentation in <code>docs/method.md</code>, "
        "<code>docs/libero.md</code> and <code>docs/pretraining.md</code> say how each was chosen.</p><div>"
        f"<p>Exceptions:</p><ul class='plain'>{items}</ul></div>"
    )


def seen_before(run: RunFiles) -> str:
    """What was known of a run's test scenes when a recipe was chosen; empty where nothing was."""
    return SEEN_BEFORE.get(str(run.config.get("world", "tabletop")), {}).get(name_of(run), "")


def shared_trainings(family: Family) -> str:
    """Which experiments tried the same weights, found from the records; empty where none did."""
    where: dict[str, dict[str, str]] = {}
    for run in family.runs:
        for record in run.records:
            where.setdefault(record.checkpoint, {}).setdefault(name_of(run), record.policy)
    groups: dict[tuple[str, tuple[str, ...]], int] = {}
    for policies in where.values():
        if len(policies) > 1:
            shared = min(policies.values(), key=len), tuple(policies)
            groups[shared] = groups.get(shared, 0) + 1
    if not groups:
        return ""
    items = "".join(
        f"<li>{coloured(policy)}, {n} training{'s' if n > 1 else ''}: "
        f"{', '.join(f'<code>{escape(name)}</code>' for name in names)}</li>"
        for policy in in_reading_order({policy for policy, _ in groups})
        for names, n in ((names, n) for (of, names), n in groups.items() if of == policy)
    )
    return (
        "<details><summary>Experiments that tried the same weights</summary><p>Experiments on the same demonstrations "
        "share their trainings, so their results are not independent of each other.</p>"
        f"<ul class='plain'>{items}</ul></details>"
    )
