"""Numbers and names as a reader sees them. A rate is never written without its counts and interval."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from para.assets import GENERATED, VARIABLE, look, with_own_entry
from para.evaluation.results import interval_of, p_of, shares_clusters

POLICY_NAMES = {
    "para": "PARA",
    "act": "ACT",
    "global_regression": "Global regression",
    "motion_tracks": "Motion Tracks",
    "diffusion": "Diffusion",
    "soft_argmax": "Soft-argmax",
    "video_para": "PARA on video",
    "video_regression": "Regression on video",
}
"""How policies are called in text; one that is missing here goes by its own name."""

SAID = {
    "all": "all steps executed",
    "ensemble": "temporal ensembling",
    "2d": "2D",
    "3d": "3D",
    "plain": "no augmentation",
    "twice": "twice the steps",
    "moves10": "moves to 10°",
    "moves35": "moves to 35°",
    "points": "spatial softmax",
    "vit": "transformer",
    "vit_none": "transformer without positions",
    "vit_offset": "transformer, random offsets",
    "vit_refined": "transformer with convolutions, random offsets",
    "vit_refined_learned": "transformer with convolutions",
}
"""How variants and ways of execution are called in text, where their own name does not say it."""

SPLIT_NAMES = {
    "train": "In distribution",
    "test": "Out of distribution",
    "beyond": "Beyond the paper's cap",
    "view": "New views",
    "both": "New positions and views",
    "near_ten": "Near the ten positions",
    "same_half": "The same half",
    "initial_states": "Initial states like the demonstrations'",
    "validation": "Validation (used for choosing)",
}
"""How splits are called in text; a named subset goes by its own name."""

BACKBONE_OPTIONS = (
    "--backbone", "--weights", "--position", "--stem", "--cells-per-patch", "--channels", "--patch", "--depth",
    "--n-heads", "--mode", "--neck-channels", "--layer-decay", "--lora-rank", "--backbone-lr-scale",
)  # fmt: skip
"""Options of `para experiment` that choose a backbone."""

MINUS = "\N{MINUS SIGN}"

WIDENED = "widened to those by cluster where several episodes share a scene, a position or a view"
INTERVALS = f"95% intervals, Wilson’s of rates and Newcombe’s of differences, {WIDENED}"
INTERVALS_OF_RATES = f"95% intervals (Wilson’s, {WIDENED})"
"""What `interval_of` gives, for captions."""


def percent(rate: float) -> str:
    """A fraction as a whole percentage, but never 0% or 100% unless it is exactly that."""
    text = f"{100 * rate:.0f}"
    if (text == "0" and rate > 0) or (text == "100" and rate < 1):
        text = f"{100 * rate:.1f}" if 0.0005 <= rate < 0.9995 else ("<0.1" if rate < 0.5 else ">99.9")
    return f"{text}%"


def interval_text(low: float, high: float) -> str:
    """As `95% interval 34 to 74%`."""
    return f"95% interval {100 * low:.0f} to {100 * high:.0f}%"


def rate_text(row: Mapping[str, Any]) -> str:
    """A row of the summary as `55% (11/20, 95% interval 34 to 74%)`; the interval is that of `interval_of`."""
    if row["rate"] is None:
        return "no trial ran"
    counts = f"{row['placed']}/{row['trials']}"
    how = " by cluster" if shares_clusters(row) else ""
    return f"{percent(row['rate'])} ({counts}, {interval_text(*interval_of(row))}{how})"


def brief(text: str) -> str:
    """A rate's text without the words for its interval, where a caption says `INTERVALS`."""
    return text.replace("95% interval ", "").replace(" by cluster", "")


def points(difference: float) -> str:
    """A difference of two rates in percentage points, with its sign."""
    text = f"{100 * abs(difference):.0f}"
    return "0" if text == "0" else f"{'+' if difference > 0 else MINUS}{text}"


def p_text(p: float) -> str:
    """As `p = 0.013` or `p < 0.0001`."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def comparison_text(comparison: Mapping[str, Any]) -> str:
    """A comparison as `+70 points (95% interval +52 to +84, exact McNemar p < 0.0001, not adjusted, 64 pairs)`.

    Where pairs share a position or a view (`shares_clusters`), interval and p are by cluster, unless those of pairs are
    wider and larger (`interval_of`, `p_of`).
    """
    low, high = map(points, interval_of(comparison))
    if shares_clusters(comparison):
        p = p_of(comparison)
        of = "by cluster" if p == comparison["p_cluster"] else "by pair"
        return (
            f"{points(comparison['difference'])} points (95% interval {low} to {high} and {p_text(p)} {of}, not "
            f"adjusted, {comparison['n_pairs']} pairs at {comparison['clusters']} {comparison['cluster_by']}s)"
        )
    return (
        f"{points(comparison['difference'])} points (95% interval {low} to {high}, "
        f"exact McNemar {p_text(comparison['p_value'])}, not adjusted, {comparison['n_pairs']} pairs)"
    )


def base_policy(policy: str) -> str:
    """The policy of which `policy` is a variant: `para` of `para+execute1`."""
    return policy.split("+")[0]


def variant_of(policy: str) -> str:
    """What comes after the policy's own name; empty for the policy itself."""
    return policy.partition("+")[2]


def execution_of(variant: str) -> int | str | None:
    """Which way of executing chunks a variant's name means: a number of steps, "all" or "ensemble"; None: none."""
    if match := re.fullmatch(r"execute_?(\d+)", variant):
        return int(match[1])
    return {"execute_all": "all", "ensemble": "ensemble"}.get(variant)


def trained_policy(policy: str) -> str:
    """The policy without its way of execution, as checkpoints are named: `para` of `para+execute1`."""
    parts = policy.split("+")
    return "+".join([parts[0], *(part for part in parts[1:] if execution_of(part) is None)])


def number_in(policy: str, what: str) -> int | None:
    """The number after a word in the name: of `para+2d+n10+short8`, 10 of "n" and 8 of "short"; None: it has none."""
    found = [re.fullmatch(rf"{what}(\d+)", part) for part in policy.split("+")[1:]]
    return next((int(match[1]) for match in found if match), None)


def policy_name(policy: str) -> str:
    """As in text: `para+paper_form` is "PARA, paper form", `act+execute1` "ACT, 1 step executed"."""
    base, *variants = policy.split("+")
    return ", ".join([POLICY_NAMES.get(base, base), *(_variant_name(variant) for variant in variants)])


def _variant_name(variant: str) -> str:
    if match := re.fullmatch(r"n(\d+)", variant):
        return f"N = {match[1]}"
    if match := re.fullmatch(r"short(\d+)", variant):
        return f"1/{match[1]} of the steps"
    way = execution_of(variant)
    if isinstance(way, int):
        return f"{way} step{'' if way == 1 else 's'} executed"
    return SAID.get(way or variant, variant.replace("_", " "))


def split_name(split: str) -> str:
    """As in text."""
    return SPLIT_NAMES.get(split, split.replace("_", " "))


def in_reading_order(policies: Iterable[str]) -> list[str]:
    """Known policies first, in the order of `POLICY_NAMES`, each before its variants; their numbers rise."""
    known = list(POLICY_NAMES)

    def rank(policy: str) -> tuple[int, str, list[str | int]]:
        base, parts = base_policy(policy), re.split(r"(\d+)", variant_of(policy))
        in_turn = [int(part) if i % 2 else part for i, part in enumerate(parts)]
        return (known.index(base) if base in known else len(known), base, in_turn)

    return sorted(set(policies), key=rank)


def splits_in_reading_order(splits: Iterable[str]) -> list[str]:
    """Out of distribution, in distribution, subsets by name, validation last."""
    order = {"test": 0, "train": 1, "validation": 3}
    return sorted(set(splits), key=lambda split: (order.get(split, 2), split))


def commands_of(config: Mapping[str, Any]) -> list[str]:
    """The commands that made a run, in their order: a folder that gained policies or seeds later has several."""
    return str(config.get("command", "")).split("; ")


def one_command(config: Mapping[str, Any], recorded: Iterable[str] = ()) -> str:
    """The command that makes all of a run at once: the one that did, or one in place of the several that did.

    With the policies that have records, it leaves out those that were asked for and given up before they had any.
    """
    commands = commands_of(config)
    generated = look(with_own_entry(config).get("assets", "")) == GENERATED
    assets = [f"{VARIABLE}={GENERATED}"] if generated else []
    if len(commands) == 1:
        return " ".join([*assets, commands[0]])
    words = [*assets, "para experiment", config["experiment"], "--scale", config["scale"]["name"]]
    words += ["--world", config["world"]] if config["world"] != "tabletop" else []
    words += ["--train-seeds", str(config["train_seeds"])]
    if all(firsts := [options_of(command, {"--first-seed": 1}) for command in commands]):
        words += min(firsts, key=lambda option: int(option[-1].rpartition("=")[2]))
    trained = {trained_policy(policy) for policy in recorded}
    policies = [policy for policy in config["policies"] if not trained or policy in trained]
    extras, run = set(config.get("extras", [])), set(policies)
    left_out = set(config.get("data", {})) - run
    if left_out - (set() if extras & run else extras):
        words += ["--policies", *policies]
    elif extras & run:
        words += ["--extras"]
    words += ["--validation"] if config.get("validation") else []
    words += options_of(commands[0], {"--image-size": 2})
    if "backbone" in config:  # of a run whose policies bring none; all its commands chose the same
        words += options_of(commands[0], dict.fromkeys(BACKBONE_OPTIONS, 1))
    return " ".join(words)


def options_of(command: str, values: Mapping[str, int]) -> list[str]:
    """The words of a command that give some options, each with as many values as it has here."""
    words, found = shlex.split(command), []
    for i, word in enumerate(words):
        name, is_given, _ = word.partition("=")
        if n_values := values.get(name.replace("_", "-")):
            found += words[i : i + n_values + (0 if is_given else 1)]
    return [shlex.quote(word) for word in found]


def duration(seconds: float) -> str:
    """As `2 h 05 min`, `12 min` or `40 s`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
