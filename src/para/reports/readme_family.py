"""All experiments of a world in a table, and in a short one those that the paper has too, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from para.evaluation.family import summarise_family
from para.evaluation.results import compare, interval_of, p_of, read_results, summary_row
from para.evaluation.statistics import TRAININGS_DIFFER
from para.files import read_json
from para.reports.family.files import GOAL, row_in_distribution
from para.reports.markdown import NONE, table
from para.reports.readme_few_shot import case_of
from para.reports.readme_runs import assets_text, rate_and_errors
from para.reports.wording import (
    INTERVALS,
    base_policy,
    brief,
    in_reading_order,
    p_text,
    percent,
    points,
    policy_name,
    split_name,
    variant_of,
)

OURS_ALONE = {"no_warps"}
"""Variants of PARA that are compared with plain baselines, which have no such variant."""

SUMMARY_AXES = ("position", "view", "clutter")
"""Axes of the short table."""


class Pair(NamedTuple):
    """A comparison of PARA and ACT that is no control, the rows of both, and the folder that they are of."""

    comparison: Mapping[str, Any]
    para: Mapping[str, Any]
    act: Mapping[str, Any]
    folder: Path


def pairs_of(numbers: Mapping[str, Any], folder: Path) -> Iterator[Pair]:
    """Of all experiments of a world, in their order."""
    rows = {(row["experiment"], row["policy"], row["split"]): row for row in numbers["rows"]}
    for c in numbers["comparisons"]:
        a, b = c["a"], c["b"]
        para, act = (rows[c["experiment"], name, c["split"]] for name in (a, b))
        of_both = [base_policy(a), base_policy(b)] == ["para", "act"] and _variants(a) - OURS_ALONE == _variants(b)
        if para["axis"] != "control" and of_both:
            yield Pair(c, para, act, folder / c["experiment"])


def summary_text(folders: Sequence[Path]) -> str:
    """PARA and ACT after their usual steps, in each world side by side, where the paper has numbers too and nothing was
    learnt before the demonstrations.

    Args:
        folders: of the worlds' records; the first says which rows there are. Of each axis the experiment comes first in
            which the two differ most.
    """
    worlds = [summarise_family(folder) for folder in folders]
    pairs = [list(pairs_of(numbers, folder)) for numbers, folder in zip(worlds, folders)]
    first_of = {_row_of(pair): pair for pair in reversed(pairs[0])}  # PARA itself before its variants
    of_paper = [pair for pair in pairs[0] if first_of[_row_of(pair)] is pair and _papers(pair.para, pair.act) != NONE]
    of_paper = [pair for pair in of_paper if "long" not in _variants_of(pair)]
    lines, shown = [], []
    for axis in SUMMARY_AXES:
        rows = [pair for pair in of_paper if pair.para["axis"] == axis]
        differences: dict[Path, list[float]] = {}
        for pair in rows:
            differences.setdefault(pair.folder, []).append(pair.comparison["difference"])
        for pair in sorted(rows, key=lambda row: (-max(differences[row.folder]), row.folder)):
            here, *elsewhere = [next((p for p in there if _row_of(p) == _row_of(pair)), None) for there in pairs]
            other_worlds = [cell for found in elsewhere for cell in _two_rates(found, pair)]
            papers = _papers(pair.para, pair.act)
            again = any(row.folder == pair.folder for row in shown)  # its title has been said
            shown.append(pair)
            lines.append([_tested(pair, short=again), *_two_rates(here, pair), *other_worlds, papers])
    first, *others = [", ".join(f"`{world}`" for world in numbers["worlds"]) for numbers in worlds]
    heads = ["tested", *(f"{policy}, {name}" for name in (first, *others) for policy in ("PARA", "ACT"))]
    configs = [[read_json(path) for path in sorted(folder.glob("*/config.json"))] for folder in folders]
    told = " and ".join(name + assets_text(of_world) for name, of_world in zip([first, *others], configs))
    scales = ", ".join(f"`{scale}`" for scale in worlds[0]["scales"])
    made = (
        f"Bowls placed, in {told}, scale {scales}: all trainings together, with a 95% interval (Wilson's, widened to "
        "that by cluster where episodes share a scene, a position or a view). By training: where trainings differ by "
        "more than chance. In distribution: scenes like the demonstrations (of corner scaling those near the corners, "
        f"however many demonstrations lie elsewhere), where a policy places less than {percent(GOAL)} of them. N: "
        "demonstrations."
    )
    return f"{table([*heads, 'paper: PARA, ACT'], lines)}\n\n{made}"


def _row_of(pair: Pair) -> tuple[str, str, frozenset[str]]:
    """What two pairs of one row have in common: PARA without warps stands for PARA where only that was run."""
    return pair.comparison["experiment"], pair.comparison["split"], frozenset(_variants(pair.comparison["b"]))


def _two_rates(pair: Pair | None, row: Pair) -> list[str]:
    """The cells of PARA and ACT in one world; PARA's says what is special about it there."""
    if pair is None:
        return [NONE, NONE]
    para, act = (_rate(of) + _if_unlearnt(pair.folder, of["policy"]) for of in (pair.para, pair.act))
    special = ", ".join(sorted(name.replace("_", " ") for name in _variants_of(pair) - _variants_of(row)))
    return [para + (f", {special}" if special else ""), act]


def _if_unlearnt(folder: Path, policy: str) -> str:
    """How often a policy places in scenes like its own demonstrations, where that is not often enough."""
    records = [r for r in read_results(folder / "results.jsonl") if r.policy == policy]
    rows = [summary_row([r for r in records if r.split == split]) for split in {r.split for r in records}]
    row = row_in_distribution(rows, read_json(folder / "config.json"), policy)
    if row is None or row["rate"] is None or row["rate"] >= GOAL:
        return ""
    return f"; in distribution {percent(row['rate'])} ({row['placed']}/{row['trials']})"


def _variants_of(pair: Pair) -> set[str]:
    return _variants(pair.comparison["a"])


def family_text(folder: Path) -> str:
    """PARA against ACT, and against its strongest other baseline, in every experiment of a world.

    A row per comparison of the page that is of PARA and ACT and no control; each number from the records.
    """
    numbers = summarise_family(folder)
    pairs = {(c["experiment"], c["a"], c["b"], c["split"]): c for c in numbers["comparisons"]}
    lines = []
    for pair in pairs_of(numbers, folder):
        comparison, para, act, _ = pair
        experiment, a, b, split = (comparison[name] for name in ("experiment", "a", "b", "split"))
        run = folder / experiment
        act_cell = _rate(act) + _more_steps(run, b, a) + _if_unlearnt(run, b)
        para_cell = _rate(para) + _if_unlearnt(run, a)
        cells = [_tested(pair), para_cell, act_cell, _points(comparison), NONE, NONE]
        if other := strongest_other(numbers["rows"], comparison, read_json(run / "config.json")):
            found = pairs.get((experiment, a, other["policy"], split))
            found = found or compare(read_results(run / "results.jsonl"), a, other["policy"], split) | {"p_holm": None}
            more = _more_steps(run, other["policy"], a) + _if_unlearnt(run, other["policy"])
            cells[-2:] = f"{_other_name(other['policy'], a)}: {_rate(other)}{more}", _points(found)
        lines.append([*cells, _papers(para, act)])
    heads = ["tested", "PARA", "ACT", "PARA minus ACT, points", "strongest other baseline", "PARA minus that, points"]
    worlds, scales = (", ".join(f"`{name}`" for name in numbers[what]) for what in ("worlds", "scales"))
    configs = (read_json(path) for path in sorted(folder.glob("*/config.json")))
    made = (
        f"World {worlds}{assets_text(configs)}, scale {scales}. "
        f"In brackets: counts, and {INTERVALS}. "
        "The strongest other baseline is the one that places most often there, after the same demonstrations, of all "
        "with records, in any recipe and for however long it was trained; in a row of a variant, of those with that "
        "variant. One that was given more steps than its row's PARA is marked. Differences are over the scenes "
        "and trainings that both have. Intervals are about these trainings: where a policy's differ by more than "
        f"chance (Cochran’s Q, p below {TRAININGS_DIFFER:g}), how many each placed stands too; and "
        f"where one places less than {percent(GOAL)} in distribution (of corner scaling: near the corners), "
        "what it places there. p is McNemar's or by cluster, the larger of both, and adjusted by Holm's method over "
        "all comparisons of the page that "
        f"`para report results/{folder.name}` makes of these records, `results/{folder.name}/`."
        f"{_controls_alone(numbers['rows'])}"
    )
    return f"{table([*heads, 'paper: PARA, ACT'], lines)}\n\n{made}"


def _controls_alone(rows: Sequence[Mapping[str, Any]]) -> str:
    """The policies that only controls have, which the table leaves out, as a sentence; empty where there are none."""
    here = {base_policy(row["policy"]) for row in rows if row["axis"] != "control"}
    where: dict[str, set[str]] = {}
    for row in rows:
        if base_policy(row["policy"]) not in here:
            where.setdefault(base_policy(row["policy"]), set()).add(f"`{row['experiment']}`")
    said = [f"{policy_name(policy)} ({', '.join(sorted(where[policy]))})" for policy in in_reading_order(where)]
    return f" Controls are not in this table, and so not {', '.join(said)}." if said else ""


def strongest_other(
    rows: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any], config: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The row of the baseline that places most often where PARA was compared with ACT, ACT itself apart.

    It may be of any recipe that has the variants of the row's PARA (`act+long` where PARA is plain, but not the other
    way round), on the same demonstrations and from as much of a start.

    Args:
        rows: of the headline policies of all experiments (`para.evaluation.family.summarise_family`).
        comparison: of the two.
        config: of the experiment.

    Returns:
        The row; None where there is no other baseline.
    """
    where, ours = (comparison["experiment"], comparison["split"]), comparison["a"]
    data, starts = config.get("data", {}), config.get("starts", {})
    others = [
        row
        for row in rows
        if (row["experiment"], row["split"]) == where and row["rate"] is not None
        if base_policy(row["policy"]) != "para" and row["policy"] != comparison["b"]
        if _variants(ours) <= _variants(row["policy"])
        if data.get(row["policy"]) == data.get(ours) and (row["policy"] in starts) == (ours in starts)
    ]
    return max(others, key=lambda row: row["rate"], default=None)


def _variants(policy: str) -> set[str]:
    return set(policy.split("+")[1:])


def _tested(pair: Pair, *, short: bool = False) -> str:
    """The experiment, short by its title's first words, with its split where that is not "test", and with what its
    policies were trained on."""
    comparison = pair.comparison
    details = [] if comparison["split"] == "test" else [split_name(comparison["split"]).lower()]
    if _from_scratch(pair):
        details.append("from scratch")
    if variant := variant_of(comparison["a"]):
        details.append(policy_name(f"para+{variant}").partition(", ")[2])
    title = pair.para["title"].partition(":")[0] if short else pair.para["title"]
    return title + (f" ({', '.join(details)})" if details else "")


def _from_scratch(pair: Pair) -> bool:
    """Whether the two started from nothing in an experiment on what other starts are worth."""
    config = read_json(pair.folder / "config.json") if (pair.folder / "config.json").exists() else {}
    kinds = config.get("few_shot", {}).get("kinds", {})
    case = case_of(pair.comparison["a"], kinds) if kinds else None
    return case is not None and not kinds[case.kind]


def _other_name(policy: str, ours: str) -> str:
    """A baseline's name, without the variant that its row is of."""
    base, *variants = policy.split("+")
    return policy_name("+".join([base, *(variant for variant in variants if variant not in _variants(ours))]))


def _short(row: Mapping[str, Any]) -> str:
    return brief(rate_and_errors(row))


def _rate(row: Mapping[str, Any]) -> str:
    """As `rate_and_errors`, short: what the brackets hold is said below the table. With each training's count where
    they differ by more than chance."""
    text = _short(row)
    if row["seeds_p"] is None or row["seeds_p"] >= TRAININGS_DIFFER:
        return text
    return f"{text}; by training {', '.join(str(seed['placed']) for seed in row['by_seed'])}"


def _more_steps(folder: Path, policy: str, ours: str) -> str:
    """How much longer a baseline was trained than the PARA of its row, where it was."""
    config = read_json(folder / "config.json") if (folder / "config.json").exists() else {}
    usual = config.get("scale", {}).get("train_steps", 1)
    steps = config.get("train_steps", {})
    times = steps.get(policy, usual) / steps.get(ours, usual)
    return f", {times:.2g} times the steps" if times > 1 else ""


def _papers(*rows: Mapping[str, Any]) -> str:
    if all(row["paper"] is None for row in rows):
        return NONE
    return ", ".join(NONE if row["paper"] is None else percent(row["paper"]) for row in rows)


def _points(comparison: Mapping[str, Any]) -> str:
    """A difference with its interval and Holm's p; where all of the interval is below 0, who wins before it."""
    low, high = interval_of(comparison)
    said = "**the baseline wins**: " if high < 0 else ""
    adjusted = comparison["p_holm"]
    p = p_text(adjusted) if adjusted is not None else f"{p_text(p_of(comparison))}, not adjusted"
    return f"{said}{points(comparison['difference'])} ({points(low)} to {points(high)}), {p}"
