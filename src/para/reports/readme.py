"""The result tables of the README, written from committed records, so that no number there is typed by hand.

A block between `<!-- results:left_to_right -->` and `<!-- /results -->` holds what the records of that experiment give,
and the block `results:family` a row per experiment of all. To show another experiment, write its two markers and run
`para report results --readme README.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from para.evaluation.family import summarise_family
from para.evaluation.numbers import recompute_difference
from para.evaluation.statistics import TRAININGS_DIFFER
from para.files import read_json, write_atomic
from para.reports.readme_runs import assets_text, rate_and_errors, records_text, table
from para.reports.wording import (
    base_policy,
    in_reading_order,
    p_text,
    percent,
    points,
    policy_name,
    split_name,
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
        f"World {worlds}{assets_text(configs)}, scale {scales}. "
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
