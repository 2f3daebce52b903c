"""Success against the number of demonstrations, with and without pretraining, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from para.reports.figures import PAGE_WIDTH, new_figure
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.style import GREY, LINE_STYLES, POLICY_MARKS, RC, policy_colour, to_svg
from para.reports.tables import coloured, rate_cell, table
from para.reports.wording import percent, policy_name, split_name, splits_in_reading_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NONE = '<span class="none">–</span>'

Row = Mapping[str, Any]


def few_shot_section(run: RunFiles, pictures: Pictures, prefix: str = "") -> str | None:
    """The curves and the table of a run whose `config.json` has `few_shot`; the names of figures begin with a prefix,
    where a page has those of several runs."""
    told = run.config.get("few_shot")
    if not told:
        return None
    parts = []
    for split in splits_in_reading_order(row["split"] for row in run.summary["rows"]):
        rows = few_shot_rows(run, told, split)
        if not rows:
            continue
        figure = pictures.figure(
            f"{prefix}few_shot_{split}",
            curves_figure(run, told, split),
            f"{escape(split_name(split))}: placed against the number of demonstrations of the robot, each after the "
            "same number of training steps. Bars: 95% Wilson intervals. Thin dashed lines: the paper’s first table, of "
            "another world. Dotted: a demonstration at every position.",
            "Success against the number of demonstrations",
        )
        parts.append(f"<h3>{escape(split_name(split))}</h3>{figure}{few_shot_table(run, told, rows)}")
    if told.get("paper_stages"):
        parts.append(
            '<p class="caption">Score: placed + grasped / 2, in percent. The paper’s report has two tables whose 2D '
            "columns contradict each other: the first of success alone, the second of placed / grasped only / score; "
            "both are beside ours. In its experiment, as in this one, the videos show the places of the test.</p>"
        )
    return "".join(parts) or None


def few_shot_rows(run: RunFiles, told: Mapping[str, Any], split: str) -> list[tuple[int, str, str, Row]]:
    """Number of demonstrations, policy, how it started in words, and the summary's row; of those that there are."""
    found = []
    for n in told["counts"]:
        for policy in told["policies"]:
            for kind, suffix in told["kinds"].items():
                found += [(n, policy, kind, row) for row in run.rows(f"{policy}{suffix}+n{n}", split)]
    return found


def score(row: Row) -> float | None:
    """Placed, and half of what was only grasped, as a share of the trials."""
    return (row["placed"] + row["grasped"] / 2) / row["trials"] if row["trials"] else None


def few_shot_table(run: RunFiles, told: Mapping[str, Any], rows: Sequence[tuple[int, str, str, Row]]) -> str:
    """Ours beside both of the paper's tables, where it has any."""
    has_rates = any(row["paper"] is not None for *_, row in rows)
    stages = (told.get("paper_stages") or {}) if has_rates else {}  # both of its tables are of one set of scenes
    lines, before = [], None
    for n, policy, kind, row in rows:
        cells = [rate_cell(row), str(row["grasped"]), "–" if score(row) is None else f"{100 * score(row):.0f}"]
        if has_rates:
            cells.append(NONE if row["paper"] is None else escape(percent(row["paper"])))
        if stages:
            of_paper = stages.get(row["policy"])
            cells.append(NONE if of_paper is None else " / ".join(f"{value:.0f}" for value in of_paper))
        count = str(n) if n != before else ""
        before = n
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr><td class="split">{count}</td><td>{coloured(policy)}</td><td>{escape(kind)}</td>{body}</tr>')
    heads = ["demonstrations", "policy", "started from", "ours: placed", "grasped only", "score"]
    heads += (["paper, table 1"] if has_rates else []) + (["paper, table 2"] if stages else [])
    return table(heads, lines)


def curves_figure(run: RunFiles, told: Mapping[str, Any], split: str) -> str | None:
    """A panel per policy, a curve per way to start."""
    import matplotlib

    policies = [p for p in told["policies"] if any(row[1] == p for row in few_shot_rows(run, told, split))]
    if not policies:
        return None
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 3.4, len(policies), sharey=True)
        for axis, policy in zip(axes[0], policies):
            _panel(axis, run, told, split, policy)
        axes[0, 0].set_ylabel("placed (%)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return to_svg(figure)


def _panel(axis: Axes, run: RunFiles, told: Mapping[str, Any], split: str, policy: str) -> None:
    counts, rows = told["counts"], few_shot_rows(run, told, split)
    for number, kind in enumerate(told["kinds"]):
        mine = [(n, row) for n, p, k, row in rows if (p, k) == (policy, kind) and row["rate"] is not None]
        if not mine:
            continue
        x = [counts.index(n) + 0.06 * (number - len(told["kinds"]) / 2) for n, _ in mine]
        rate = [100 * row["rate"] for _, row in mine]
        below = [r - 100 * row["ci_low"] for r, (_, row) in zip(rate, mine)]
        above = [100 * row["ci_high"] - r for r, (_, row) in zip(rate, mine)]
        style = {"color": policy_colour(policy), "ls": LINE_STYLES[number % len(LINE_STYLES)]}
        face = policy_colour(policy) if number == 0 else "white"
        axis.errorbar(x, rate, [below, above], marker=POLICY_MARKS.get(policy, "o"), mfc=face, ms=6, lw=1.6,
                      elinewidth=1.0, label=kind, **style)  # fmt: skip
        paper = [(counts.index(n), 100 * row["paper"]) for n, row in mine if row["paper"] is not None]
        if paper:
            axis.plot(*zip(*paper), color=GREY, lw=0.8, ls=(0, (2, 2)), marker=".", ms=4)
            axis.annotate(f"paper, {kind}", paper[-1], xytext=(4, 0), textcoords="offset points", fontsize=7,
                          color=GREY, va="center")  # fmt: skip
    for row in _upper_bounds(run, told, policy, split):
        if row["rate"] is not None:
            axis.axhline(100 * row["rate"], color=policy_colour(policy), lw=1, ls=":")
    axis.set(title=policy_name(policy), ylim=(-4, 104), xlabel="demonstrations of the robot")
    axis.set_xlim(-0.4, len(counts) - 0.2 if not any(row["paper"] is not None for *_, row in rows) else len(counts))
    axis.set_xticks(range(len(counts)), [str(n) for n in counts])
    axis.grid(axis="y")


def _upper_bounds(run: RunFiles, told: Mapping[str, Any], policy: str, split: str) -> list[Row]:
    """Of the policy from scratch on more demonstrations than any of the curve."""
    most = max(told["counts"])
    head = f"{policy}+n"
    return [
        row
        for row in run.summary["rows"]
        if row["split"] == split and row["policy"].startswith(head) and row["policy"][len(head) :].isdigit()
        and int(row["policy"][len(head) :]) > most
    ]  # fmt: skip
