"""The result tables of the README, written from committed records, so that no number there is typed by hand.

A block between `<!-- results:left_to_right -->` and `<!-- /results -->` holds what the records of that experiment give.
To show another experiment, write its two markers and run `para report results --readme README.md`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from para.files import read_json, write_atomic
from para.reports.wording import (
    comparison_text,
    in_reading_order,
    percent,
    policy_name,
    rate_text,
    split_name,
    splits_in_reading_order,
    trained_policy,
)

BLOCK = re.compile(r"<!-- results:(?P<name>\w+) -->\n(?P<body>.*?)<!-- /results -->", re.DOTALL)
OPENING, CLOSING = "<!-- results:", "<!-- /results -->"


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
    """The folders of that experiment's records, one per world that it was run in."""
    return sorted(path.parent for path in Path(results_root).glob(f"*/{experiment}/summary.json"))


def block_text(results_root: Path | str, experiment: str) -> str:
    """What stands between the markers of an experiment, as Markdown."""
    folders = find_records(results_root, experiment)
    if not folders:
        return f"*No records of `{experiment}` are committed yet.*"
    return "\n\n".join(records_text(folder) for folder in folders)


def records_text(folder: Path) -> str:
    """The tables of one folder of records: every policy, the ways of executing chunks, and the paired comparison."""
    summary, config = read_json(folder / "summary.json"), read_json(folder / "config.json")
    numbers = sorted({len(row["train_seeds"]) for row in summary["rows"]})
    seeds = f"{' or '.join(map(str, numbers))} training seed{'s' if numbers[-1] > 1 else ''}"
    made = f"World `{summary['world']}`, scale `{summary['scale']}`, {seeds}"
    parts = [policy_table(summary, config["execute"]), comparisons_list(summary)]
    parts.append(execution_table(summary, config["execute"]))
    parts.append(f"{made}. Made by `{config['command']}`; records in `results/{folder.parent.name}/{folder.name}/`.")
    return "\n\n".join(part for part in parts if part)


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
