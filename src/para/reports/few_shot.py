"""Success against the number of demonstrations, with and without pretraining, beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from para.evaluation.clusters import MIN_DEVIATING
from para.evaluation.results import interval_of
from para.evaluation.scores import weighted_score
from para.reports.comparisons import starts_table
from para.reports.family.marks import filter_attributes
from para.reports.figures import PAGE_WIDTH, new_figure
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.style import GREY, LINE_STYLES, POLICY_MARKS, RC, mark_fill, policy_colour, to_svg
from para.reports.tables import coloured, rate_cell, row_of, table
from para.reports.wording import INTERVALS, base_policy, percent, policy_name, split_name, splits_in_reading_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NONE = '<span class="none">–</span>'

LABEL_GAP = 6.0
"""Labels of the paper's curves stand at least so many per cent of the axis apart, so that none hides another."""

Row = Mapping[str, Any]


class Case(NamedTuple):
    """A policy on N demonstrations in one split: of what was run, and of what the paper has a rate of."""

    n: int
    policy: str
    """Of which curve: the policy's name without start and number, with its share of the steps."""

    kind: str
    """How it started, in words."""

    row: Row | None
    """The summary's; None: it was not run."""

    paper: float | None
    """The rate of the paper's first table."""

    stages: Sequence[float] | None
    """Placed, grasped only and score of the paper's second table, in percent."""


def few_shot_section(run: RunFiles, pictures: Pictures, prefix: str = "") -> str | None:
    """The curves and the table of a run whose `config.json` has `few_shot`; the names of figures begin with a prefix,
    where a page has those of several runs."""
    told = run.config.get("few_shot")
    if not told:
        return None
    splits = splits_in_reading_order(row["split"] for row in run.summary["rows"])
    curves = "".join(_curves_part(run, told, split, pictures, prefix) for split in splits)
    if curves:
        return curves + _what_the_numbers_are(run, told)
    # of trainings in fewer steps alone, of which there are no curves
    return "".join(starts_table(run, told, split) for split in splits) or None


def _curves_part(run: RunFiles, told: Mapping[str, Any], split: str, pictures: Pictures, prefix: str) -> str:
    """The curves of one split, their table, and what each start is worth; empty where no policy of them was run."""
    found = cases(run, told, split)
    if not any(case.row for case in found):
        return ""
    levels = any(case.n not in told["counts"] for case in found)
    level_lines = " Dotted level lines: more demonstrations than the curves have, from scratch." if levels else ""
    figure = pictures.figure(
        f"{prefix}few_shot_{split}",
        curves_figure(told, found),
        f"{escape(split_name(split))}: placed against the number of demonstrations of the robot, all of a panel after "
        f"the same number of training steps. Bars: {INTERVALS}.{level_lines}{_paper_said(run, found)}",
        "Success against the number of demonstrations",
    )
    return f"<h3>{escape(split_name(split))}</h3>{figure}{few_shot_table(run, found)}{starts_table(run, told, split)}"


def _what_the_numbers_are(run: RunFiles, told: Mapping[str, Any]) -> str:
    seeds = sorted({len(row["train_seeds"]) for row in run.summary["rows"]})
    said = (
        f"Of {' or '.join(map(str, seeds))} training{'s' if seeds[-1] > 1 else ''} each. Score: placed + grasped only "
        f"/ 2, in percent. In brackets: counts, and {INTERVALS}; "
        f"of scores by resampling scenes, or Wilson’s with each scene as one trial where fewer than {MIN_DEVIATING} "
        "scenes differ from the rest."
    )
    if told.get("paper_stages"):
        said += (
            " The paper’s report has two tables whose 2D columns contradict each other: the first of success alone, "
            "the second with what was grasped only, and scores; both are beside ours. In its experiment, as in this "
            "one, the videos show the places of the test."
        )
    return f'<p class="caption">{said}</p>'


def _paper_said(run: RunFiles, found: Sequence[Case]) -> str:
    """What is grey in the figure, and its sources; empty where the paper has no rate in the split."""
    if all(case.paper is None for case in found):
        return ""
    numbers = [number for of_splits in run.summary["paper"].values() for number in of_splits.values()]
    sources = escape("; ".join(sorted({number["source"] for number in numbers})))
    return f" Grey: all rates that the paper reports, run here or not ({sources})."


def curves_of(told: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """The policies of the curves, each with what its name ends with; older records name policies of the usual steps."""
    return told["curves"] if "curves" in told else [{"policy": policy, "after": ""} for policy in told["policies"]]


def cases(run: RunFiles, told: Mapping[str, Any], split: str) -> list[Case]:
    """Everything of a split that we ran or that the paper reports, by number of demonstrations; upper bounds last."""
    paper = run.summary.get("paper") or {}
    starts = [(curve, kind, suffix) for curve in curves_of(told) for kind, suffix in told["kinds"].items()]
    known = {row["policy"] for row in run.summary["rows"]} | set(paper)
    numbers = {n for curve, _, suffix in starts for n in _numbers_of(f"{curve['policy']}{suffix}+n", known)}
    found = []
    for n in [*told["counts"], *sorted(n for n in numbers if n > max(told["counts"]))]:
        for curve, kind, suffix in starts:
            name = f"{curve['policy']}{suffix}+n{n}{curve['after']}"
            row = next(iter(run.rows(name, split)), None)
            rate = paper.get(name, {}).get(split, {}).get("rate")
            # the paper's second table has no split of its own: it is of the scenes of the first
            stages = None if rate is None else (told.get("paper_stages") or {}).get(name)
            if row is not None or rate is not None:
                found.append(Case(n, curve["policy"] + curve["after"], kind, row, rate, stages))
    return found


def _numbers_of(head: str, names: Iterable[str]) -> list[int]:
    """What follows the head in those names in which a number does, and nothing else."""
    tails = [name.removeprefix(head) for name in names if name.startswith(head)]
    return [int(tail) for tail in tails if tail.isdigit()]


def few_shot_table(run: RunFiles, found: Sequence[Case]) -> str:
    """Ours beside both of the paper's tables, where it has any; folded below, what it has of policies not run here."""
    ran, not_run = ([case for case in found if (case.row is not None) is there] for there in (True, False))
    if not not_run:
        return _table_of(run, ran)
    title = f"Not run here: {len(not_run)} further rates of the paper’s"
    return f"{_table_of(run, ran)}<details><summary>{title}</summary>{_table_of(run, not_run)}</details>"


def _table_of(run: RunFiles, found: Sequence[Case]) -> str:
    """A row per case; columns of ours, and of each of the paper's tables, where any of them has something."""
    ours = any(case.row is not None for case in found)
    has_rates = any(case.paper is not None for case in found)
    has_stages = any(case.stages is not None for case in found)
    lines, before = [], None
    for case in found:
        told = case.n, case.policy  # rows of one policy may be all that is shown
        cells = [str(case.n) if told != before else "", coloured(case.policy), escape(case.kind)]
        before = told
        cells += _our_cells(run, case.row) if ours else []
        if has_rates:
            cells.append(NONE if case.paper is None else escape(percent(case.paper)))
        if has_stages:
            cells.append(NONE if case.stages is None else " / ".join(f"{value:.0f}" for value in case.stages))
        shown = filter_attributes(policy=case.policy)
        lines.append(f"<tr{shown}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ["demonstrations", "policy", "started from"]
    heads += ["ours: placed", "ours: grasped only", "ours: score"] if ours else []
    heads += ["paper, table 1: placed"] if has_rates else []
    heads += ["paper, table 2: placed / grasped only / score"] if has_stages else []
    return table(heads, lines, kind="compact")


def _our_cells(run: RunFiles, row: Row) -> list[str]:
    """Placed, grasped only and score, each with its interval."""
    episodes = [r for r in run.records if (r.policy, r.split) == (row["policy"], row["split"])]
    score = weighted_score(episodes)
    said = NONE
    if score is not None:
        value, low, high = (f"{100 * number:.0f}" for number in score)
        said = f'<span class="rate"><b>{value}</b> <span class="n">({low} to {high})</span></span>'
    return [rate_cell(row, short=True), rate_cell(row_of(episodes, "grasped"), short=True), said]


def curves_figure(told: Mapping[str, Any], found: Sequence[Case]) -> str:
    """A panel per policy, a curve per way to start, and the paper's behind them."""
    import matplotlib

    curves = [curve["policy"] + curve["after"] for curve in curves_of(told)]
    policies = [policy for policy in curves if any(case.policy == policy for case in found)]
    places, right = len(told["counts"]), 0.0 if all(case.paper is None for case in found) else 0.8
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 3.4, len(policies), sharey=True)
        labelled: dict[str, Any] = {}
        for axis, policy in zip(axes[0], policies):
            mine = [case for case in found if case.policy == policy]
            _draw_paper(axis, told, mine)
            _draw_ours(axis, told, mine)
            axis.set(title=policy_name(policy), ylim=(-4, 104), xlabel="demonstrations of the robot")
            axis.set(xlim=(-0.4, places - 0.6 + right))
            axis.set_xticks(range(places), [str(n) for n in told["counts"]])
            axis.grid(axis="y")
            handles, labels = axis.get_legend_handles_labels()
            labelled = dict(zip(labels, handles)) | labelled
        axes[0, 0].set_ylabel("placed (%)")
        figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=max(1, len(labelled)))
        return to_svg(figure)


def _draw_ours(axis: Axes, told: Mapping[str, Any], mine: Sequence[Case]) -> None:
    """Rates with their intervals, those of one N side by side; upper bounds as level lines."""
    counts, kinds = told["counts"], list(told["kinds"])
    ran = [case for case in mine if case.row is not None and case.row["rate"] is not None]
    for number, kind in enumerate(kinds):
        curve = [case for case in ran if case.kind == kind and case.n in counts]
        if not curve:
            continue
        x = [counts.index(case.n) + 0.06 * (number - (len(kinds) - 1) / 2) for case in curve]
        rate = [100 * case.row["rate"] for case in curve]
        ends = [interval_of(case.row) for case in curve]
        below = [r - 100 * low for r, (low, _) in zip(rate, ends)]
        above = [100 * high - r for r, (_, high) in zip(rate, ends)]
        colour = policy_colour(curve[0].policy)
        axis.errorbar(x, rate, [below, above], marker=POLICY_MARKS.get(base_policy(curve[0].policy), "o"), color=colour,
                      mfc=mark_fill(colour, number), ls=LINE_STYLES[number % len(LINE_STYLES)], ms=6, lw=1.6,
                      elinewidth=1.0, label=kind)  # fmt: skip
    for case in ran:
        if case.n not in counts:
            axis.axhline(100 * case.row["rate"], color=policy_colour(case.policy), lw=1, ls=":")


def _draw_paper(axis: Axes, told: Mapping[str, Any], mine: Sequence[Case]) -> None:
    """The paper's curves, each named at its end, and its upper bounds, in grey behind ours."""
    counts, ends = told["counts"], []
    known = [case for case in mine if case.paper is not None]
    for number, kind in enumerate(told["kinds"]):
        curve = [(counts.index(c.n), 100 * c.paper) for c in known if c.kind == kind and c.n in counts]
        if curve:
            style = LINE_STYLES[number % len(LINE_STYLES)]
            axis.plot(*zip(*curve), color=GREY, lw=0.8, ls=style, marker=".", ms=4, zorder=1.5)
            ends.append((*curve[-1], f"paper, {kind}"))
    for case in known:
        if case.n not in counts:
            ends.append((len(counts) - 1, 100 * case.paper, f"paper, N = {case.n}"))
            axis.plot([-0.4, len(counts) - 1], [100 * case.paper] * 2, color=GREY, lw=0.8, ls=":", zorder=1.5)
    for (x, _, text), level in zip(ends, apart([y for _, y, _ in ends], LABEL_GAP)):
        axis.annotate(text, (x, level), xytext=(6, 0), textcoords="offset points", fontsize=7, color=GREY, va="center")


def apart(levels: Sequence[float], gap: float) -> list[float]:
    """Where labels of those levels stand: each at its own, or as far above it as leaves the gap to the one below."""
    placed = [0.0] * len(levels)
    lowest = float("-inf")
    for i in sorted(range(len(levels)), key=lambda i: levels[i]):
        placed[i] = max(levels[i], lowest)
        lowest = placed[i] + gap
    return placed
