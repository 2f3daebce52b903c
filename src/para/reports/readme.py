"""The result tables of the README, written from committed records, so that no number there is typed by hand.

A block between `<!-- results:left_to_right -->` and `<!-- /results -->` holds what the records of that experiment give,
and the block `results:family` a row per experiment of all. To show another experiment, write its two markers and run
`para report results --readme README.md`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from para.assets import in_brief
from para.evaluation.family import summarise_family
from para.evaluation.numbers import recompute_difference
from para.evaluation.statistics import TRAININGS_DIFFER
from para.files import read_json, write_atomic
from para.reports.wording import (
    base_policy,
    comparison_text,
    in_reading_order,
    one_command,
    p_text,
    percent,
    points,
    policy_name,
    rate_text,
    split_name,
    splits_in_reading_order,
    trained_policy,
    variant_of,
)

BLOCK = re.compile(r"<!-- results:(?P<name>\w+) -->\n(?P<body>.*?)<!-- /results -->", re.DOTALL)
OPENING, CLOSING = "<!-- results:", "<!-- /results -->"
OURS_ALONE = {"no_warps"}
"""Variants of PARA that are compared with plain baselines, which have no such variant."""

FAMILY = "family"
"""Name of the block that holds all experiments, controls apart: PARA against its baselines, and the paper's."""


def update_readme(readme_path: Path | str, results_root: Path | str) -> list[str]:
    """Write the tables of a README anew; everything outside of its blocks stays as it is.

    Args:
        readme_path: a file with blocks, see the module's docstring.
        results_root: folder of committed records, `<world>/<experiment>/summary.json` in it.

    Returns:
        The experiments whose blocks were filled from records; the other blocks say that there are none yet.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has no blocks, or one that is not closed.
    """
    path = Path(readme_path)
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; name the file whose tables are to be written")
    text = path.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    if not blocks or len(blocks) != text.count(OPENING) or len(blocks) != text.count(CLOSING):
        raise ValueError(
            f"{path} has {text.count(OPENING)} opening and {text.count(CLOSING)} closing markers, which make "
            f"{len(blocks)} blocks; each table needs a line `{OPENING}left_to_right -->` and a later line `{CLOSING}`"
        )
    filled = [block["name"] for block in blocks if find_records(results_root, block["name"])]
    new = BLOCK.sub(lambda m: f"{OPENING}{m['name']} -->\n{block_text(results_root, m['name'])}\n{CLOSING}", text)
    if new != text:
        write_atomic(path, new.encode("utf-8"))
    return filled


def find_records(results_root: Path | str, experiment: str) -> list[Path]:
    """The folders of that experiment's records, one per world that it was run in; of the family: of all records.

    The world of most records comes first: a reader is to meet first what was measured best.
    """
    n_records = Counter(path.parent.parent for path in Path(results_root).glob("*/*/results.jsonl"))
    if experiment == FAMILY:
        return sorted(n_records, key=lambda world: (-n_records[world], world))
    folders = [path.parent for path in Path(results_root).glob(f"*/{experiment}/summary.json")]
    return sorted(folders, key=lambda folder: (-n_records[folder.parent], folder))


def block_text(results_root: Path | str, experiment: str) -> str:
    """What stands between the markers of an experiment, or of the whole family, as Markdown."""
    folders = find_records(results_root, experiment)
    if not folders:
        return f"*No records of `{experiment}` are committed yet.*"
    if experiment == FAMILY:
        return "\n\n".join(family_text(folder) for folder in folders)
    return "\n\n".join(records_text(folder) for folder in folders)


def family_text(folder: Path) -> str:
    """PARA against ACT, and against its strongest other baseline, in every experiment of a world.

    A row per comparison of the page that is of PARA and ACT and no control; each number from the records.
    """
    numbers = summarise_family(folder)
    rows = {(row["experiment"], row["policy"], row["split"]): row for row in numbers["rows"]}
    pairs = {(c["experiment"], c["a"], c["b"], c["split"]): c for c in numbers["comparisons"]}
    lines = []
    for (experiment, a, b, split), comparison in pairs.items():
        para, act = rows[experiment, a, split], rows[experiment, b, split]
        of_both = [base_policy(a), base_policy(b)] == ["para", "act"] and _variants(a) - OURS_ALONE == _variants(b)
        if para["axis"] == "control" or not of_both:
            continue
        act_cell = _rate(act) + _more_steps(folder / experiment, b, a)
        cells = [_tested(comparison, para), _rate(para), act_cell, _points(comparison), "–", "–"]
        if other := strongest_other(numbers["rows"], comparison):
            found = pairs.get((experiment, a, other["policy"], split))
            found = found or recompute_difference(folder, experiment, a, other["policy"], split)
            more = _more_steps(folder / experiment, other["policy"], a)
            cells[-2:] = f"{_other_name(other['policy'], a)}: {_rate(other)}{more}", _points(found)
        lines.append([*cells, _papers(para, act)])
    heads = ["tested", "PARA", "ACT", "PARA minus ACT, points", "strongest other baseline", "PARA minus that, points"]
    worlds, scales = (", ".join(f"`{name}`" for name in numbers[what]) for what in ("worlds", "scales"))
    configs = (read_json(path) for path in sorted(folder.glob("*/config.json")))
    made = (
        f"World {worlds}{_assets(configs)}, scale {scales}. "
        "In brackets: counts, and 95% intervals, Wilson's of rates and Newcombe's of differences in the same scenes. "
        "The strongest other baseline is the one that places most often there, of "
        'those with records that are of the row\'s kind; "long" is trained for four times the steps (six with virtual '
        "views); a baseline that was given more steps than its row's PARA is marked. Differences are over the scenes "
        "and trainings that both have. Intervals are about these trainings: where a policy's differ by more than "
        f"chance (chi-squared test of homogeneity, p below {TRAININGS_DIFFER:g}), how many each placed stands too. p "
        "is adjusted by Holm's method over all comparisons of the page that "
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
    return f" Controls are on that page alone, and with them {', '.join(said)}." if said else ""


def strongest_other(rows: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row of the baseline that places most often where PARA was compared with ACT, ACT itself apart.

    Where an experiment pairs variants, as PARA and ACT that were trained on 32 demonstrations, a baseline belongs to
    the pair whose variant its own name holds: `act+camera+n32` to `+n32`.

    Args:
        rows: of the headline policies of all experiments (`para.evaluation.family.summarise_family`).
        comparison: of the two.

    Returns:
        The row; None where there is no other baseline.
    """
    where = comparison["experiment"], comparison["split"]
    here = [row for row in rows if (row["experiment"], row["split"]) == where]
    pairs = [_variants(row["policy"]) for row in here if base_policy(row["policy"]) == "para"]

    def pair_of(policy: str) -> set[str] | None:
        return max((pair for pair in pairs if pair <= _variants(policy)), key=len, default=None)

    others = [
        row
        for row in here
        if base_policy(row["policy"]) != "para" and row["policy"] != comparison["b"] and row["rate"] is not None
        if pair_of(row["policy"]) == _variants(comparison["a"])
    ]
    return max(others, key=lambda row: row["rate"], default=None)


def _variants(policy: str) -> set[str]:
    return set(policy.split("+")[1:])


def _tested(comparison: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The experiment, with its split where that is not "test", and with what its policies were trained on."""
    details = [] if comparison["split"] == "test" else [split_name(comparison["split"]).lower()]
    if variant := variant_of(comparison["a"]):
        details.append(policy_name(f"para+{variant}").partition(", ")[2])
    return row["title"] + (f" ({', '.join(details)})" if details else "")


def _other_name(policy: str, ours: str) -> str:
    """A baseline's name, without the variant that its row is of."""
    base, *variants = policy.split("+")
    return policy_name("+".join([base, *(variant for variant in variants if variant not in _variants(ours))]))


def _rate(row: Mapping[str, Any]) -> str:
    """As `rate_and_errors`, short: what the brackets hold is said below the table. With each training's count where
    they differ by more than chance."""
    text = rate_and_errors(row).replace("95% interval ", "")
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
        return "–"
    return ", ".join("–" if row["paper"] is None else percent(row["paper"]) for row in rows)


def _points(comparison: Mapping[str, Any]) -> str:
    """A difference with its interval and Holm's p; where all of the interval is below 0, who wins before it."""
    low, high = points(comparison["ci_low"]), points(comparison["ci_high"])
    said = "**the baseline wins**: " if comparison["ci_high"] < 0 else ""
    adjusted = comparison["p_holm"]
    p = p_text(adjusted) if adjusted is not None else f"{p_text(comparison['p_cluster'])}, not adjusted"
    return f"{said}{points(comparison['difference'])} ({low} to {high}), {p}"


def records_text(folder: Path) -> str:
    """The tables of one folder of records: every policy, the ways of executing chunks, and the paired comparison."""
    summary, config = read_json(folder / "summary.json"), read_json(folder / "config.json")
    numbers = sorted({len(row["train_seeds"]) for row in summary["rows"]})
    seeds = f"{' or '.join(map(str, numbers))} training seed{'s' if numbers[-1] > 1 else ''}"
    made = f"World `{summary['world']}`{_assets([config])}, scale `{summary['scale']}`, {seeds}"
    parts = [policy_table(summary, config["execute"]), comparisons_list(summary)]
    parts.append(execution_table(summary, config["execute"]))
    records = f"records in `results/{folder.parent.name}/{folder.name}/`"
    parts.append(f"{made}. All of it once more: `{one_command(config)}`; {records}.")
    return "\n\n".join(part for part in parts if part)


def _assets(configs: Iterable[Mapping[str, Any]]) -> str:
    told = in_brief(configs)
    return f" ({told})" if told else ""


def policy_table(summary: Mapping[str, Any], execute: Mapping[str, Mapping[str, Any]]) -> str:
    """A row per trained policy in its headline execution: placed out of and in distribution, the paper's rates.

    `execute` holds the options of each policy of the records (`para.rollout.RolloutConfig`).
    """
    rows = [row for row in summary["rows"] if trained_policy(row["policy"]) == row["policy"]]
    splits = splits_in_reading_order(row["split"] for row in rows)
    of_paper = splits_in_reading_order(row["split"] for row in rows if row["paper"] is not None)
    lines = []
    for policy in in_reading_order(row["policy"] for row in rows):
        of_split = {row["split"]: row for row in rows if row["policy"] == policy}
        paper = [of_split[split]["paper"] if split in of_split else None for split in of_paper]
        rates = [rate_and_errors(of_split.get(split)) for split in splits]
        how = way_of(execute[policy])[-1] if policy in execute else "–"
        lines.append([policy_name(policy), *rates, how, *("–" if rate is None else percent(rate) for rate in paper)])
    heads = ["placed by", *(split_name(split).lower() for split in splits), "steps executed per look"]
    return table([*heads, *(f"paper, {split_name(split).lower()}" for split in of_paper)], lines)


def rate_and_errors(row: Mapping[str, Any] | None) -> str:
    """A rate with its counts and interval, and the episodes that raised where there are any."""
    if row is None:
        return "–"
    errors = f", {row['errors']} error{'s' if row['errors'] > 1 else ''}" if row["errors"] else ""
    return rate_text(row) + errors


def execution_table(summary: Mapping[str, Any], execute: Mapping[str, Mapping[str, Any]]) -> str:
    """A row per way of executing chunks, a column per trained policy, out of distribution; empty if one was tried."""
    rows = {row["policy"]: row for row in summary["rows"] if row["split"] == "test" and row["policy"] in execute}
    varied = {trained_policy(policy) for policy in rows if trained_policy(policy) != policy}
    cells: dict[tuple[bool, float, str], dict[str, str]] = {}
    for policy, row in rows.items():
        if trained_policy(policy) in varied:
            cells.setdefault(way_of(execute[policy]), {})[trained_policy(policy)] = rate_and_errors(row)
    policies = in_reading_order(varied)
    lines = [[way[-1], *(cells[way].get(policy, "–") for policy in policies)] for way in sorted(cells)]
    heads = [f"{policy_name(policy)}, out of distribution" for policy in policies]
    return table(["steps executed per look", *heads], lines) if lines else ""


def way_of(options: Mapping[str, Any]) -> tuple[bool, float, str]:
    """Where a way of executing chunks stands in its table, and how it is called."""
    steps = options["execute_steps"] or math.inf
    said = "all of the chunk" if steps == math.inf else str(steps)
    if options["ensemble_decay"] is None:
        return False, steps, said
    return True, steps, f"{said}, temporal ensembling"


def comparisons_list(summary: Mapping[str, Any]) -> str:
    """The paired comparisons, in words."""
    return "\n".join(
        f"- {policy_name(c['a'])} minus {policy_name(c['b'])}, {split_name(c['split']).lower()}: {comparison_text(c)}"
        for c in summary["comparisons"]
    )


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
