"""The tables of one run in a document, as Markdown: every policy, ways of executing chunks, paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from para.assets import in_brief
from para.evaluation.results import read_results
from para.files import read_json
from para.reports.appearances import appearances_text
from para.reports.comparisons import in_starts_table
from para.reports.markdown import NONE, table
from para.reports.readme_few_shot import case_of, few_shot_text
from para.reports.wording import (
    comparison_text,
    in_reading_order,
    one_command,
    percent,
    policy_name,
    rate_text,
    split_name,
    splits_in_reading_order,
    trained_policy,
)

LONGEST_COMMAND = 300
"""Characters of a command that stands in a document; one that names thirty policies tells a reader nothing."""


def records_text(folder: Path) -> str:
    """The tables of one folder of records: every policy, the ways of executing chunks, and the paired comparison."""
    summary, config = read_json(folder / "summary.json"), read_json(folder / "config.json")
    command = one_command(config, {row["policy"] for row in summary["rows"]})
    numbers = sorted({len(row["train_seeds"]) for row in summary["rows"]})
    seeds = f"{' or '.join(map(str, numbers))} training seed{'s' if numbers[-1] > 1 else ''}"
    made = f"World `{summary['world']}`{assets_text([config])}, scale `{summary['scale']}`, {seeds}"
    parts = []
    if "few_shot" in config:
        kinds = config["few_shot"]["kinds"]
        parts.append(few_shot_text(summary, kinds))
        summary = summary | {
            "rows": [row for row in summary["rows"] if case_of(row["policy"], kinds) is None],
            "comparisons": [c for c in summary["comparisons"] if not in_starts_table(c, kinds)],
        }
    parts += [policy_table(summary, config["execute"]) if summary["rows"] else "", comparisons_list(summary)]
    parts.append(execution_table(summary, config["execute"]))
    if (folder / "results.jsonl").exists():
        parts.append(appearances_text(read_results(folder / "results.jsonl")))
    records = f"records in `results/{folder.parent.name}/{folder.name}/`"
    again = f"`{command}`" if len(command) <= LONGEST_COMMAND else "the command in their `config.json`"
    parts.append(f"{made}; {records}. All of it once more: {again}.")
    return "\n\n".join(part for part in parts if part)


def assets_text(configs: Iterable[Mapping[str, Any]]) -> str:
    """Which assets the runs of these configs showed, in brackets; empty where they do not say."""
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
        how = way_of(execute[policy])[-1] if policy in execute else NONE
        lines.append([policy_name(policy), *rates, how, *(NONE if rate is None else percent(rate) for rate in paper)])
    heads = ["placed by", *(split_name(split).lower() for split in splits), "steps executed per prediction"]
    return table([*heads, *(f"paper, {split_name(split).lower()}" for split in of_paper)], lines)


def rate_and_errors(row: Mapping[str, Any] | None) -> str:
    """A rate with its counts and interval, and the episodes that raised where there are any."""
    if row is None:
        return NONE
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
    lines = [[way[-1], *(cells[way].get(policy, NONE) for policy in policies)] for way in sorted(cells)]
    heads = [f"{policy_name(policy)}, out of distribution" for policy in policies]
    return table(["steps executed per prediction", *heads], lines) if lines else ""


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
