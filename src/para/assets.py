"""Which pictures and shapes a world is made of, as records tell it: where that is a choice, as in LIBERO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

GENERATED = "generated"
"""How the words for assets begin that para made itself, and what an option says for these."""

VARIABLE = "PARA_LIBERO_ASSETS"
"""Environment variable with the folder of the user's assets for LIBERO, or the word `generated`."""

AFTER_STAGES = " Assets: "
"""Comes before them at the end of a config's "thresholds", where they stood at first."""

BETWEEN = "; "
"""Stands between the words of several commands, where they differ in no more than a version."""


def with_own_entry(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's config with the words for its assets under "assets", which older ones have at the end of "thresholds".

    There is no such entry where nothing is told: in a world without that choice, or of a run that had none at hand.
    """
    stages, found, assets = str(config.get("thresholds") or "").partition(AFTER_STAGES)
    if not found or "assets" in config:
        return dict(config)
    told = {} if assets.startswith("none (") else {"assets": assets.removesuffix(".")}
    return {**config, "thresholds": stages, **told}


def look(assets: str) -> str:
    """What tells one look of a world from another: the words without versions of packages, which change no picture.

    Of generated assets that they are generated: what was made of them goes on with those of a later version.
    """
    return GENERATED if assets.startswith(GENERATED) else assets.partition(", in ")[0]


def told_of_both(before: str, now: str) -> str:
    """The words for what holds something already and gains more; "" for either: it does not say.

    Raises:
        ValueError: if the two look different; it names both.
    """
    if before and now and look(before) != look(now):
        raise ValueError(
            f"what is there was made with {before}; it would go on with {now}: use those that it was made with, or "
            "choose another folder"
        )
    return before if not now or now in before.split(BETWEEN) else BETWEEN.join(filter(None, (before, now)))


def in_brief(configs: Iterable[Mapping[str, Any]]) -> str:
    """The assets of some runs in a few words; "" where none of them tells any."""
    told = {look(assets) for config in configs if (assets := with_own_entry(config).get("assets"))}
    short = sorted("generated assets" if one == GENERATED else one.partition(" (")[0] for one in told)
    return BETWEEN.join(dict.fromkeys(short))
