"""Corner scaling (paper sec. 4.2): from four demonstrations to dense coverage. Does regression catch up?"""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Experiment, PaperNumber, SceneSet
from para.experiments.position_sets import corner_positions, everywhere
from para.experiments.recipes import (
    ACT,
    FURTHER_BASELINES,
    PARA,
    PARA_NO_WARPS,
    extra,
    no_warps_compared,
    trained_longer,
    variant,
)
from para.experiments.scale import Scale
from para.worlds.scenes import Workspace

COUNTS = (4, 8, 16, 32, 64)
HEADLINE = 32


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Nested sets of N positions, a demonstration each; evaluation near the corners and anywhere."""
    sets = {f"corners{n}": corner_positions(workspace, n) for n in COUNTS}
    return everywhere(workspace, scale, validation, sets)


RECIPES = {
    n: tuple(variant(base, f"+n{n}", f"{n} demonstrations", data=f"corners{n}") for base in (PARA, ACT)) for n in COUNTS
}

OTHERS = tuple(
    variant(base, f"+n{HEADLINE}", f"{HEADLINE} demonstrations", data=f"corners{HEADLINE}")
    for base in FURTHER_BASELINES
)

ACT_LONG = tuple(
    extra(
        trained_longer(variant(ACT, f"+n{n}+long", f"{n} demonstrations, four times the steps", data=f"corners{n}"), 4)
    )
    for n in reversed(COUNTS)
)
"""Regression is given more steps too: after the usual ones its trainings with 32 demonstrations differ by half the
table, and it is short in distribution as well."""

NO_WARPS = tuple(
    extra(
        replace(PARA_NO_WARPS, name=f"para+n{n}+no_warps", data=f"corners{n}", why=f"{n} demonstrations, never warped")
    )
    for n in COUNTS
)
"""Warps move the bowl in the picture, and the label with it: with few demonstrations they could be what covers the
table."""

CORNER_SCALING = Experiment(
    name="corner_scaling",
    title="Corner scaling: from four demonstrations to dense coverage",
    question="How many demonstrations does each policy need to work on the whole table?",
    axis="position",
    scenes=scenes,
    recipes=(
        *(recipe for n in (HEADLINE, *(n for n in COUNTS if n != HEADLINE)) for recipe in RECIPES[n]),
        *OTHERS,
        *ACT_LONG,
        *NO_WARPS,
    ),
    comparisons=(
        *((f"para+n{n}", f"act+n{n}", "test") for n in COUNTS),
        *((f"para+n{HEADLINE}", recipe.name, "test") for recipe in OTHERS),
        *(("para" + recipe.name.removeprefix("act").removesuffix("+long"), recipe.name, "test") for recipe in ACT_LONG),
        *(pair for n in COUNTS for pair in no_warps_compared("test", suffix=f"+n{n}")),
    ),
    headline=(
        *(f"{kind}+n{n}" for n in COUNTS for kind in ("para", "act")),
        *(recipe.name for recipe in (*OTHERS, *ACT_LONG, *NO_WARPS)),
    ),
    paper={
        "para+n4": {"test": PaperNumber(0.01, "original report of 2 April, first grid, LIBERO")},
        "act+n4": {"test": PaperNumber(0.02, "original report of 2 April, first grid, LIBERO")},
        "para+n32": {"test": PaperNumber(0.54, "paper draft, sec. 4.2: 54 of 100 trials, LIBERO")},
        "act+n32": {"test": PaperNumber(0.33, "paper draft, sec. 4.2: 33 of 100 trials, LIBERO")},
        "para+n64": {"test": PaperNumber(0.68, "paper draft, sec. 4.2: 68 of 100 trials, LIBERO")},
        "act+n64": {"test": PaperNumber(0.71, "paper draft, sec. 4.2: 71 of 100 trials, LIBERO")},
    },
)
