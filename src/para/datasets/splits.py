"""Which episodes train and which are held out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from para.datasets.demonstrations import Demonstrations
from para.interfaces import Scene


def split_episodes(n: int, heldout_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random split of n episodes by whole episodes, the same for the same arguments.

    Args:
        n: number of episodes.
        heldout_fraction: share to hold out, 0 to below 1; above 0 it is at least one episode.
        seed: of the shuffle.

    Returns:
        Indices of the training and the held-out episodes, each ascending.

    Raises:
        ValueError: if the fraction is out of range or leaves nothing to train on.
    """
    if not 0 <= heldout_fraction < 1:
        raise ValueError(f"heldout_fraction is {heldout_fraction}; it must be 0 or more and below 1")
    n_heldout = round(n * heldout_fraction) if heldout_fraction == 0 else max(1, round(n * heldout_fraction))
    if n_heldout >= n:
        raise ValueError(
            f"holding out {n_heldout} of {n} episodes leaves none to train on; heldout_fraction 0 holds none"
        )
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[n_heldout:]), np.sort(order[:n_heldout])


def episodes_where(demonstrations: Demonstrations, predicate: Callable[[Scene], bool]) -> np.ndarray:
    """Indices of the episodes whose scene satisfies a predicate, ascending; for `Demonstrations.subset`."""
    return np.flatnonzero([bool(predicate(scene)) for scene in demonstrations.scenes])
