"""What a family of experiments shows together: `family.json`, computed from the files of its run folders alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from para.evaluation.curves import LogisticFit, fit_logistic
from para.evaluation.failures import MODES, count_failures
from para.evaluation.power import power_table
from para.evaluation.records import EpisodeRecord, read_results
from para.evaluation.results import adjusted, cluster_kind, compare, summary_row
from para.evaluation.statistics import cochran_q_p
from para.files import read_json

AXIS_ORDER = ("position", "view", "clutter", "control", "pretraining")
"""In which experiments stand; those that name no axis come last."""

TILT = "view_theta_deg"
"""How far the camera is off its default line of sight."""

VARIABLES = {"position": ("boundary_distance_m", "metres"), "view": (TILT, "degrees")}
"""Axis -> what success is fitted against, and its unit."""

METHODS = {
    "ci": "Wilson (1927) score interval of a rate; Newcombe (1998) method 10 interval of a paired difference; 95 %",
    "p_value": "exact McNemar test on the pairs, two-sided",
    "cluster_ci": "bias-corrected and accelerated bootstrap over clusters (cluster_by); where fewer than five clusters "
    "differ from the commonest result, the interval of ci with each cluster counted as one trial; 95 %",
    "p_cluster": "exact test that flips the sign of whole clusters, two-sided; McNemar's where clusters hold one pair",
    "p_holm": "the larger of p_value and p_cluster, adjusted by Holm (1979) over all comparisons listed here",
    "curves": "logistic regression by maximum likelihood (by Firth's penalised likelihood where one x divides success "
    "from failure); profile likelihood intervals with the design effect of the clusters; 95 %; on all splits where the "
    "variable is 0 at every demonstration, else on those out of distribution",
    "power": "episodes per policy (two independent proportions, pooled variance) and scenes shared by both policies "
    "(McNemar, Connor 1987) to tell p1 from p2: two-sided 5 %, power 80 %",
}
"""How each number was computed, in words."""


ALONE = "evaluate"
"""What the record of a policy that was evaluated outside of any experiment calls it."""


@dataclass(frozen=True)
class RunRecords:
    """What one run folder holds that the family needs."""

    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    """As committed; empty where there is none. Only the paper's numbers and the choice of comparisons are taken."""

    records: Sequence[EpisodeRecord]
    """Validation scenes left out: they served for choosing."""

    folder: str = ""
    """Its folder's name."""

    @property
    def experiment(self) -> str:
        """Name of the experiment; of a policy that was evaluated by itself, of which a folder may hold several, that of
        its folder."""
        name = self.config.get("experiment", self.records[0].experiment)
        return self.folder if name == ALONE else name

    @property
    def axis(self) -> str | None:
        """What the experiment varies."""
        return self.config.get("axis")

    @property
    def headline(self) -> list[str]:
        """The policies of the table, ours first; where the configuration does not say, those that are no variants."""
        found = list(dict.fromkeys(record.policy for record in self.records))
        return [p for p in self.config.get("headline") or [p for p in found if "+" not in p] if p in found]

    @property
    def headline_splits(self) -> list[str]:
        """The splits of the table."""
        found = {record.split for record in self.records}
        named = [split for split in self.config.get("headline_splits", ["test"]) if split in found]
        return named or sorted(found, key=lambda split: (split != "train", split))[:1]

    @property
    def compared(self) -> list[tuple[str, str, str]]:
        """The table's comparisons (a, b, split): those of the experiment that are of headline policies on headline
        splits; where it names none, our policy with each of the others.
        """
        named = [(c["a"], c["b"], c["split"]) for c in self.summary.get("comparisons", ())]
        first, *others = self.headline or [""]
        named = named or [(first, other, split) for split in self.headline_splits for other in others]
        shown = [(a, b, s) for a, b, s in named if {a, b} <= set(self.headline) and s in self.headline_splits]
        return list(dict.fromkeys(shown))

    def of(self, policy: str, split: str | None = None) -> list[EpisodeRecord]:
        """The episodes of a policy, on one split or on all."""
        return [r for r in self.records if r.policy == policy and split in (None, r.split)]


def summarise_family(folder: Path | str) -> dict[str, Any]:
    """The content of `family.json` of a folder that holds several run folders, as `results/tabletop`.

    Equal files give equal content. A folder without `results.jsonl` is passed over.

    Returns:
        `worlds`, `scales`: what the runs say of themselves; `rows`: each headline policy on each headline split, with
        the rate of every training seed and the paper's number; `comparisons`, with `p_holm` over all of them;
        `curves`: success against distance or angle on some `splits` (`fitted_splits`), `fit` null with a `reason`
        where there is none; `failures`: {experiment: {policy: {split: {mode: n}}}}; `modes`: what the modes mean;
        `power`; `methods`.

    Raises:
        FileNotFoundError: if there is no such folder, or no run in it.
        ValueError: if a file of a run cannot be read.
    """
    runs = read_runs(folder)
    return {
        "worlds": sorted({record.world for run in runs for record in run.records}),
        "scales": sorted({_scale(run.config) for run in runs}),
        "rows": [
            headline_row(run, policy, split)
            for run in runs
            for split in run.headline_splits
            for policy in run.headline
            if run.of(policy, split)
        ],
        "comparisons": family_comparisons(runs),
        "curves": [curve(run, policy) for run in runs if run.axis in VARIABLES for policy in run.headline],
        "failures": {run.experiment: count_failures(run.records) for run in runs},
        "modes": dict(MODES),
        "power": power_table(),
        "methods": dict(METHODS),
    }


def read_runs(folder: Path | str) -> list[RunRecords]:
    """The runs of a folder, by axis and name. Raises as `summarise_family`."""
    folder = Path(folder)
    runs = []
    for path in sorted(folder.glob("*/results.jsonl")):
        records = [record for record in read_results(path) if not record.split.startswith("validation")]
        config, summary = (_read(path.parent / name) for name in ("config.json", "summary.json"))
        if records:
            runs.append(RunRecords(config, summary, records, path.parent.name))
    if not runs:
        only = (
            " but those of validation scenes, which are never reported" if any(folder.glob("*/results.jsonl")) else ""
        )
        raise FileNotFoundError(
            f"no runs under {folder}: no folder in it holds records{only}; name one like results/tabletop"
        )
    first: dict[str, str] = {}
    for run in runs:
        if (other := first.setdefault(run.experiment, run.folder)) != run.folder:
            raise ValueError(
                f"{folder} holds two runs of {run.experiment}, {other} and {run.folder}, which one page would mix; "
                "report each by itself, or move one elsewhere"
            )
    return sorted(runs, key=lambda run: (*_rank(run.axis), run.experiment))


def family_comparisons(runs: Sequence[RunRecords]) -> list[dict[str, Any]]:
    """Every comparison of the table (`para.evaluation.results.compare`), with `p_holm` over all of them."""
    return adjusted(
        [
            {"experiment": run.experiment, **comparison}
            for run in runs
            for a, b, split in run.compared
            if (comparison := compare(run.records, a, b, split))
        ]
    )


def headline_row(run: RunRecords, policy: str, split: str) -> dict[str, Any]:
    """The row of a policy on a split (`para.evaluation.results.summary_row`), with its axis, seeds and paper number."""
    group = run.of(policy, split)
    seeds = [[r for r in group if r.train_seed == seed] for seed in sorted({r.train_seed for r in group})]
    rows = [row for row in run.summary.get("rows", ()) if (row["policy"], row["split"]) == (policy, split)]
    paper = rows[0] if rows else {}
    by_seed = [summary_row(of_seed) for of_seed in seeds]
    return {
        "experiment": run.experiment,
        "title": run.config.get("title", run.experiment),
        "axis": run.axis,
        **summary_row(group),
        "by_seed": [
            {name: row[name] for name in ("placed", "trials", "rate")} | {"train_seed": row["train_seeds"][0]}
            for row in by_seed
        ],
        "seeds_p": cochran_q_p(outcomes_by_scene(seeds)) if len(seeds) > 1 else None,
        "paper": paper.get("paper"),
        "paper_source": paper.get("paper_source"),
    }


def outcomes_by_scene(trainings: Sequence[Sequence[EpisodeRecord]]) -> list[list[bool]]:
    """Whether each training placed, in every scene that all of them ran to the end."""
    placed = [{r.scene_index: r.outcome == "placed" for r in records if r.error is None} for records in trainings]
    return [[of[scene] for of in placed] for scene in sorted(set.intersection(*map(set, placed)))]


def curve(run: RunRecords, policy: str) -> dict[str, Any]:
    """A policy's success against the distance or angle of the experiment's axis, over its `fitted_splits`."""
    variable, unit = VARIABLES[run.axis]
    views = demonstrated_views(run.config, policy)
    splits = fitted_splits(run.of(policy), variable, run.headline_splits, views)
    head = {"experiment": run.experiment, "axis": run.axis, "policy": policy, "variable": variable, "unit": unit}
    head |= {"splits": splits}
    try:
        fit = fit_records([record for record in run.of(policy) if record.split in splits], variable)
    except ValueError as error:
        return head | {"fit": None, "reason": str(error)}
    values = asdict(fit) | {"covariance": [list(line) for line in fit.covariance], "half_observed": fit.half_observed}
    return head | {"fit": values, "reason": None}


def fitted_splits(
    records: Iterable[EpisodeRecord], variable: str, headline_splits: Sequence[str],
    demonstrated: Sequence[tuple[float, float]],
) -> list[str]:  # fmt: skip
    """The splits, by name, over which success may be fitted against one variable.

    All of them, where the variable says how far a scene lies from the demonstrations, so that they are stretches of one
    line. The distance from the training positions always does. The tilt of the camera does where every demonstration
    was seen from the default view, tilt 0, or the run does not say from where. Where they were seen from many views,
    one tilt is met both there and elsewhere, and a fit to both would be of neither: then it is of the headline splits
    alone that have none of the demonstrated views, those out of distribution.

    Args:
        records: of one policy.
        variable: as in `fit_records`.
        headline_splits: of the experiment.
        demonstrated: (theta, phi) in degrees of each view of the demonstrations (`demonstrated_views`).
    """
    views: dict[str, set[tuple[float, float]]] = {}
    for record in records:
        view = record.scene.get(TILT, 0.0), record.scene.get("view_phi_deg", 0.0)
        views.setdefault(record.split, set()).add(_distinct(*view))
    if variable != TILT or not any(theta for theta, _ in demonstrated):
        return sorted(views)
    seen = {_distinct(*view) for view in demonstrated}
    return sorted(split for split in views if split in headline_splits and views[split].isdisjoint(seen))


def _distinct(theta: float, phi: float) -> tuple[float, float]:
    return float(theta), float(phi) if theta else 0.0  # untilted, all directions are one view


def demonstrated_views(config: Mapping[str, Any], policy: str) -> list[tuple[float, float]]:
    """The views (theta, phi), degrees, of the demonstrations that a policy was trained on.

    Args:
        config: of its run. Where that does not say which set of demonstrations was its own, the views of all sets are
            given; where it says nothing of views, none.
        policy: as in the records; a way of execution that ends its name leaves its demonstrations the same.
    """
    sets, data = config.get("training") or {}, config.get("data") or {}
    parts = policy.split("+")
    names = ["+".join(parts[:n]) for n in range(len(parts), 0, -1)]
    own = [data[name] for name in names if name in data][:1] or list(sets)
    return [(theta, phi) for name in own for theta, phi in (sets.get(name) or {}).get("views") or ()]


def fit_records(records: Sequence[EpisodeRecord], variable: str) -> LogisticFit:
    """Success of episodes against a variable, those with errors, or without the variable, left out.

    Args:
        records: of one policy.
        variable: a field of the record or of its scene: "boundary_distance_m", "view_theta_deg".

    Raises:
        ValueError: where there is no curve to fit; it says why.
    """
    ran = [record for record in records if record.error is None and _value(record, variable) is not None]
    _, cluster_of = cluster_kind(ran)
    x, placed = [_value(record, variable) for record in ran], [record.outcome == "placed" for record in ran]
    return fit_logistic(x, placed, [cluster_of(record) for record in ran])


def _value(record: EpisodeRecord, variable: str) -> float | None:
    return record.boundary_distance_m if variable == "boundary_distance_m" else record.scene.get(variable)


def _rank(axis: str | None) -> tuple[float, str]:
    return (AXIS_ORDER.index(axis), "") if axis in AXIS_ORDER else (math.inf, axis or "")


def _scale(config: Mapping[str, Any]) -> str:
    scale = config.get("scale", "unknown")
    return str(scale.get("name", "unknown")) if isinstance(scale, Mapping) else str(scale)


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
