"""Inner and outer views (the original website's figure, without numbers): train near the default view, test
far from it, and the other way round."""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Experiment, Recipe, SceneSet
from para.experiments.recipes import ACT, PARA, PARA_MANY_VIEWS, trained_longer, variant
from para.experiments.scale import Scale
from para.experiments.view_sets import INNER_THETA, split_cap
from para.worlds.scenes import Workspace, viewpoint_cap


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Ten demonstrations at every view up to theta 10.7 ("inner"), and beyond ("outer"); evaluation at both."""
    cap = viewpoint_cap()
    inside = cap[:, 0] <= INNER_THETA
    return split_cap({"inner": cap[inside], "outer": cap[~inside]}, workspace, scale, validation)


def trained_in(side: str, base: Recipe) -> Recipe:
    """A recipe on the demonstrations of one side.

    PARA moves its virtual camera far where demonstrations are near the default view, and no farther than the next view
    where they are far apart (`NEARBY_VIEWS`).
    """
    return variant(base, f"+from_{side}", f"trained in the {side} views", data=side)


ACT_WHY = "trained in the outer views, for four times the steps: in the usual ones it does not learn them"

INNER_OUTER = Experiment(
    name="inner_outer",
    title="Inner and outer views, both ways",
    question="Trained with views near the default one, does the policy work in views far from it, and the other way?",
    axis="view",
    scenes=scenes,
    recipes=(
        trained_in("inner", PARA),
        trained_in("inner", ACT),
        trained_in("outer", PARA_MANY_VIEWS),
        trained_longer(replace(trained_in("outer", ACT), why=ACT_WHY), 4),
    ),
    comparisons=(("para+from_inner", "act+from_inner", "outer"), ("para+from_outer", "act+from_outer", "inner")),
    headline=("para+from_inner", "act+from_inner", "para+from_outer", "act+from_outer"),
    headline_splits=("outer", "inner"),
)
