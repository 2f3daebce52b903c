"""Registries are plain dicts from names to things; this is how one is asked for a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def pick(registry: Mapping[str, T], kind: str, name: str) -> T:
    """The entry of that name. Raises ValueError, with the nearest name and the known ones, where there is none."""
    if name not in registry:
        raise ValueError(f"no {kind} '{name}'{did_you_mean(name, registry)}")
    return registry[name]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest known one, and all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return (f"; did you mean '{near[0]}'?" if near else "") + f" (known: {', '.join(known)})"
