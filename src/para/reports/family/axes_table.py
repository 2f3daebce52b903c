"""The table ours | paper of the whole family: a row per experiment, split and policy; PARA against each baseline."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from para.evaluation.results import interval_of
from para.reports.family.files import AXES, Family, in_distribution, is_ours, loser, name_of, title_of, verdict
from para.reports.family.marks import filter_attributes, in_a_row, of_both
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, error_list, interval_bar, rate_cell, row_of, table
from para.reports.wording import INTERVALS, p_text, percent, points, split_name

OUTCOMES = ("placed", "grasped", "missed", "errors")
"""What a reader can ask the table for, as the rows of a summary call them."""

Row = Mapping[str, Any]

VERDICTS = {"a": "ours ahead", "b": "ours behind", "open": "not distinguishable", "unlearnt": "task not learnt"}
"""What the minuend of a difference is, in words that leave the table as wide as its page."""

BETWEEN_OTHERS = {"a": "first ahead", "b": "first behind"}
"""The same where it is a baseline, too."""

N_COLUMNS = 7


def axes_table(family: Family, pictures: Pictures) -> str:
    """The table, a part per axis."""
    lines = []
    for axis, said in AXES.items():
        runs = family.of_axis(axis)
        if runs:
            lines.append(
                f'<tr class="axis"{filter_attributes(axis=axis)}><th colspan="{N_COLUMNS}">{escape(said)}</th></tr>'
            )
        for run in runs:
            for split in run.headline_splits:
                lines += _lines(family, run, split)
    ours = "".join(_by_outcome(outcome, f"ours: {_said(outcome)}") for outcome in OUTCOMES)
    heads = ["policy", "seeds", ours, "", "paper: placed", "ours minus this one: placed", ""]
    return (
        f"{table(heads, lines, kind='axes')}"
        f'<p class="caption">Dot: our rate; bar, and in brackets: {INTERVALS}; diamond: the paper’s rate. '
        "Rates are of the episodes that ran to their end, of all training seeds together. "
        "Differences are of what was placed, in points: the first policy of an experiment (or the one named) minus "
        "this one. They are of pairs: the scenes and training seeds in which both were "
        "tried, so where one has more seeds they are not those of the rates beside them. p allows for scenes that "
        "several episodes share, and is adjusted by Holm’s method over all comparisons of this table. Task not learnt: "
        "in scenes like its own demonstrations it places fewer than half.</p>"
        f"{errors(family)}{all_numbers(family)}{paper_sources(family)}"
    )


def errors(family: Family) -> str:
    """What the episodes that raised said, run by run; empty where none did."""
    found = [(run, error_list(run)) for run in family.runs]
    return "".join(
        f"<div{filter_attributes(axis=run.axis, outcome='error')}><h4>{escape(title_of(run))}</h4>{said}</div>"
        for run, said in found
        if said
    )


def _lines(family: Family, run: RunFiles, split: str) -> list[str]:
    """A line that names experiment and split, and one per policy; one more for each further comparison with it."""
    where = escape(f"{name_of(run)}, {split_name(split).lower()}")
    said = f"{escape(title_of(run))} <span class='why'>{where}</span>"
    lines = [f'<tr class="what"{filter_attributes(axis=run.axis)}><th colspan="{N_COLUMNS}">{said}</th></tr>']
    for row in family.rows(name_of(run), split):
        differences = [
            (f"<td>{_difference(c, run)}</td>", f"<td>{_verdict(family, c)}</td>")
            for c in family.comparisons(name_of(run), row["policy"], split)
        ]
        episodes = [r for r in run.records if (r.policy, r.split) == (row["policy"], split)]
        of_outcome = {outcome: row if outcome == "placed" else row_of(episodes, outcome) for outcome in OUTCOMES}
        cells = [
            f'<th scope="row">{coloured(row["policy"])}</th>',
            f"<td>{len(row['train_seeds'])}</td>",
            f"<td>{''.join(_by_outcome(outcome, rate_cell(r, short=True)) for outcome, r in of_outcome.items())}</td>",
            f"<td>{''.join(_by_outcome(outcome, interval_bar(r)) for outcome, r in of_outcome.items())}</td>",
            f'<td class="paper">{"–" if row["paper"] is None else escape(percent(row["paper"]))}</td>',
            *(differences[0] if differences else ('<td><span class="none">–</span></td>', "<td></td>")),
        ]
        shown = filter_attributes(axis=run.axis, policy=row["policy"])
        lines.append(f"<tr{shown}>{''.join(cells)}</tr>")
        lines += [f'<tr{shown}><td colspan="{N_COLUMNS - 2}"></td>{"".join(more)}</tr>' for more in differences[1:]]
    return lines


def _said(outcome: str) -> str:
    return "raised an error" if outcome == "errors" else outcome


def _by_outcome(outcome: str, html: str) -> str:
    """What is shown while the table is asked for that outcome; at first, and without scripts, for what was placed."""
    return f'<span data-asked="{outcome}"{"" if outcome == "placed" else " hidden"}>{html}</span>'


def _difference(comparison: Row, run: RunFiles) -> str:
    a = comparison["a"]
    other = "" if a == run.headline[0] else f'<div class="why">{coloured(a)} minus this one</div>'
    low, high = map(points, interval_of(comparison))
    pairs = f"{comparison['n_pairs']} pairs"
    rest = f'<span class="n">({low} to {high}, {pairs}, {escape(holm_text(comparison))})</span>'
    return f'{other}<span class="rate"><b>{points(comparison["difference"])}</b> {rest}</span>'


def holm_text(comparison: Row) -> str:
    """As `Holm p = 0.013`."""
    return f"Holm {p_text(comparison['p_holm'])}"


def _verdict(family: Family, comparison: Row) -> str:
    found = verdict(family, comparison)
    kind, words = (found, VERDICTS) if is_ours(family, comparison) else ("open", VERDICTS | BETWEEN_OTHERS)
    said = f'<span class="verdict {kind}">{words[found]}</span>'
    if found != "unlearnt":
        return said
    whose = f"{coloured(comparison['a'])}, " if loser(comparison) == comparison["a"] else ""
    return f'{said}<div class="why">{whose}{unlearnt_text(family, comparison)}</div>'


def unlearnt_text(family: Family, comparison: Row) -> str:
    """The count of the policy that is behind, as `0/48 in distribution`."""
    row = in_distribution(family.run(comparison["experiment"]), loser(comparison))
    return f"{row['placed']}/{row['trials']} in distribution" if row is not None else ""


def all_numbers(family: Family) -> str:
    """Folded: each rate by training seed and with the interval that allows for clusters; each comparison in full."""
    rates, differences = [], []
    for row in family.numbers["rows"]:
        where = f"{row['experiment']}, {split_name(row['split']).lower()}"
        shown = filter_attributes(axis=family.run(row["experiment"]).axis, policy=row["policy"])
        seeds = ", ".join(f"{seed['placed']}/{seed['trials']}" for seed in row["by_seed"])
        cluster = "–"
        if row["rate"] is not None:
            cluster = f"{_span(row, percent)} ({row['clusters']} {row['cluster_by']}s)"
        wilson = rate_cell({**row, "clusters": None})
        cells = [where, coloured(row["policy"]), wilson, cluster, seeds]
        rates.append(f"<tr{shown}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    for c in family.numbers["comparisons"]:
        where = f"{c['experiment']}, {split_name(c['split']).lower()}"
        shown = of_both(c, axis=family.run(c["experiment"]).axis)
        cells = [
            where, f"{coloured(c['a'])} − {coloured(c['b'])}",
            f"{points(c['difference'])} ({points(c['ci_low'])} to {points(c['ci_high'])})",
            f"{_span(c, points)} ({c['clusters']} {c['cluster_by']}s)",
            f"{c['both']} / {c['a_only']} / {c['b_only']} / {c['n_pairs'] - c['both'] - c['a_only'] - c['b_only']}",
            *(escape(p_text(c[p]).removeprefix("p ").removeprefix("= ")) for p in ("p_value", "p_cluster", "p_holm")),
        ]  # fmt: skip
        differences.append(f"<tr{shown}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = ["experiment", "pair", "points, Newcombe", "by cluster", "both / first / second / none", "McNemar p"]
    return (
        "<details><summary>All numbers: by training seed, and with intervals that allow for shared scenes</summary>"
        f"{table(['experiment', 'policy', 'placed, Wilson', 'by cluster', 'by seed'], rates, kind='small')}"
        f"{table([*heads, 'cluster p', 'Holm p'], differences, kind='small')}</details>"
    )


def _span(row: Row, said) -> str:
    return f"{said(row['cluster_ci_low'])} to {said(row['cluster_ci_high'])}"


def paper_sources(family: Family) -> str:
    """Where each number of the paper comes from."""
    said: dict[str, list[tuple[str, str]]] = {}
    for row in family.numbers["rows"]:
        if row["paper"] is not None:
            number = f"{escape(row['experiment'])} {coloured(row['policy'])} {escape(percent(row['paper']))}"
            shown = filter_attributes(axis=family.run(row["experiment"]).axis, policy=row["policy"])
            said.setdefault(str(row["paper_source"]), []).append((shown, number))
    items = "".join(f"<li>{escape(source)}: {in_a_row(numbers)}</li>" for source, numbers in said.items())
    if not items:
        return ""
    return f"<details><summary>Sources of the paper’s numbers</summary><ul class='plain'>{items}</ul></details>"
