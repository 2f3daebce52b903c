"""Wide views (a control that the paper lacks): what limits PARA where the camera is 32 and 40 degrees away?

Virtual views show what lies on the table as it would be seen from elsewhere; whatever stands above it, the arm and the
bowl's sides, they cannot show. So PARA is trained once more on as many real pictures from such views. If that is what
it lacked, it now works; if image resolution, what the arm hides, or the action head were the limit, it does not.
Each of the two sets is trained on with both reaches of virtual moves, so that in a pair the pictures alone differ.
"""

from __future__ import annotations

import numpy as np

from para.experiments.experiment import Experiment, SceneSet, TrainingSet
from para.experiments.recipes import PARA, PARA_MANY_VIEWS, extra, variant
from para.experiments.scale import Scale
from para.experiments.view_sets import BEYOND_THETAS, default_to_all
from para.worlds.scenes import Workspace

SEED = 61
"""Of which demonstration is seen from where."""


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Demonstrations as for the viewpoints, and the same ones seen from between the views of the evaluation ("wide");
    evaluation on the rings beyond the paper's cap alone."""
    sets = default_to_all(workspace, scale, validation)
    between = [(theta, 22.5 + 45.0 * i) for theta in BEYOND_THETAS for i in range(8)]
    demonstrations = sets.train["demonstrations"].scenes
    order = np.random.default_rng(SEED).permutation(len(demonstrations))
    views = [between[i % len(between)] for i in order]
    moved = [scene.with_(view_theta_deg=t, view_phi_deg=p) for scene, (t, p) in zip(demonstrations, views)]
    split = "validation_beyond" if validation else "beyond"
    return sets._replace(
        train=dict(sets.train) | {"wide": TrainingSet(moved)}, evaluation={split: sets.evaluation[split]}
    )


WIDE_VIEWS = Experiment(
    name="wide_views",
    title="Wide views: what limits a camera 32 and 40 degrees away",
    question="Far from the training view, does PARA lack real pictures from there, or is something else the limit?",
    axis="control",
    scenes=scenes,
    recipes=(
        PARA,
        variant(
            PARA_MANY_VIEWS,
            "+wide",
            "as many demonstrations, seen from 32 and 40 degrees away; virtual moves of up to 10 degrees",
            data="wide",
        ),
        extra(variant(PARA_MANY_VIEWS, "+moves10", "the usual demonstrations; virtual moves of up to 10 degrees")),
        extra(variant(PARA, "+wide+moves35", "demonstrations as wide; virtual moves of up to 35 degrees", data="wide")),
    ),
    comparisons=(
        ("para+wide", "para", "beyond"),
        ("para+wide", "para+moves10", "beyond"),
        ("para+wide+moves35", "para", "beyond"),
    ),
    headline=("para+wide", "para", "para+moves10", "para+wide+moves35"),
    headline_splits=("beyond",),
)
