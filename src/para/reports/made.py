"""The section that says how a run was made: command, versions, times, hashes, options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from para.evaluation.summary_text import unfinished_text
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.wording import INTERVALS, commands_of, duration, in_reading_order, trained_policy

SHOWN_ELSEWHERE = frozenset(
    "training_xy command versions earlier_versions seconds started data_hash title question thresholds assets "
    "unfinished warning data_summary earlier_data_hash".split()
)
"""Entries of `config.json` that need no place among the options."""


def how_it_was_made(run: RunFiles, pictures: Pictures) -> str:
    """Command, times, versions, hashes of data and weights, then all options."""
    config = run.config
    seconds = run.summary.get("seconds") or config.get("seconds") or {}
    facts: list[tuple[str, str]] = []
    if config.get("started"):
        facts.append(("Started", escape(str(config["started"]))))
    if times := [f"{name} {duration(value)}" for name, value in seconds.items() if value]:
        facts.append(("Time", escape(", ".join(times))))
    if config.get("versions"):
        facts.append(("Versions", _versions(config["versions"])))
        others = [_versions(versions) for versions in config.get("earlier_versions", [])]
        facts += [("Versions of earlier commands", text) for text in others]
    if config.get("data_hash"):
        facts.append(("Demonstrations", _hashes(config["data_hash"])))
    if anew := recorded_anew_text(config):
        facts.append(("Recorded anew", escape(anew)))
    facts.append(("Weights", _weights(run)))
    n = len(run.records)
    facts.append(("Records", f"{n} episodes in <code>results.jsonl</code>; every rate above is computed from them"))
    facts.append(("Intervals", escape(_methods(run))))
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    command = "<pre>{}</pre>".format(escape("\n".join(commands_of(config)))) if config.get("command") else ""
    return f"{command}<dl>{items}</dl>{_options(config)}"


def notes(run: RunFiles, name: str = "") -> str:
    """What must be known before any number is read, as HTML: that the run broke off, what its policy never learnt.

    Args:
        run: of which; mostly there is nothing to say.
        name: of the run, on a page of several.
    """
    said = [unfinished_text(run.config, run.summary["rows"]), str(run.config.get("warning", ""))]
    said = [f"{name}: {text}" if name else f"{text[:1].upper()}{text[1:]}" for text in said if text]
    return "".join(f'<p class="note"><b>{escape(text)}.</b></p>' for text in said)


def _versions(versions: Mapping[str, str]) -> str:
    return escape(", ".join(f"{name} {version}" for name, version in versions.items()))


def recorded_anew_text(config: Mapping[str, Any]) -> str:
    """Which demonstrations differ in their last bits between trainings; empty where none do."""
    names = ", ".join(config.get("earlier_data_hash") or {})
    return names and f"{names}: on another kind of processor, so the trainings' pictures differ in their last bits"


def _hashes(data_hash: Any) -> str:
    """The hash of each set of demonstrations, or the one hash of a run that names no sets."""
    sets = data_hash.items() if isinstance(data_hash, dict) else [("", data_hash)]
    return ", ".join(f"{escape(str(name))} <code>{escape(str(value)[:12])}</code>".strip() for name, value in sets)


def _weights(run: RunFiles) -> str:
    hashes = {(trained_policy(r.policy), r.train_seed): r.checkpoint for r in run.records}
    named = [
        f"{escape(policy)} seed {seed} <code>{escape(hashes[policy, seed])}</code>"
        for policy in in_reading_order(name for name, _ in hashes)
        for seed in sorted(s for name, s in hashes if name == policy)
    ]
    return ", ".join(named)


def _methods(run: RunFiles) -> str:
    methods = sorted({c["method"] for c in run.summary["comparisons"]})
    return "; ".join([INTERVALS, *(f"differences: {method}" for method in methods)])


def _options(config: Any) -> str:
    rest = {key: value for key, value in config.items() if key not in SHOWN_ELSEWHERE}
    if not rest:
        return ""
    text = escape(json.dumps(rest, indent=2, ensure_ascii=False))
    return f"<details><summary>All options</summary><pre>{text}</pre></details>"
