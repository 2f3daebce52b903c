"""Statistics of features, as LeRobot keeps them: per episode, and pooled over the dataset."""

from __future__ import annotations

from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
MAX_IMAGE_SIDE = 150
"""Images are thinned to about this size for their statistics; the rest adds nothing but time."""

Stats = dict[str, dict[str, np.ndarray]]
"""feature -> statistic -> array; `count` is (1,), the others have the feature's shape, (3, 1, 1) for images in 0..1."""


def column_stats(values: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics over the first axis. (N, D) or (N,) -> arrays (D,) or (1,)."""
    values = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    stats = {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        "count": np.array([len(values)]),
    }
    quantiles = np.quantile(values, list(QUANTILES.values()), axis=0)
    return stats | dict(zip(QUANTILES, quantiles))


def image_stats(frames: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of the colours of frames (N, H, W, 3) uint8, in 0..1: arrays (3, 1, 1)."""
    thin = max(1, min(frames.shape[1:3]) // MAX_IMAGE_SIDE)
    pixels = frames[:, ::thin, ::thin].reshape(-1, 3)
    # Of 256 possible values, all statistics follow from the histogram; sorting millions of pixels would be slower.
    counts = np.stack([np.bincount(pixels[:, c], minlength=256) for c in range(3)], axis=1)  # (256, 3)
    share = counts / counts.sum(axis=0)
    levels = np.arange(256)[:, None] / 255
    mean = (share * levels).sum(axis=0)
    below = share.cumsum(axis=0)
    stats = {
        "min": pixels.min(axis=0) / 255,
        "max": pixels.max(axis=0) / 255,
        "mean": mean,
        "std": np.sqrt((share * (levels - mean) ** 2).sum(axis=0)),
    }
    stats |= {name: (below < q - 1e-12).sum(axis=0) / 255 for name, q in QUANTILES.items()}
    shaped = {name: np.asarray(value, dtype=np.float64).reshape(3, 1, 1) for name, value in stats.items()}
    return shaped | {"count": np.array([len(frames)])}


def pooled(a: Stats, b: Stats) -> Stats:
    """Statistics of two sets of frames together; quantiles are averaged by count, as LeRobot does (not exact)."""
    if not a:
        return b
    return {feature: _pooled_feature(a[feature], b[feature]) for feature in b}


def _pooled_feature(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    count = a["count"] + b["count"]
    share_a, share_b = a["count"] / count, b["count"] / count  # (1,) each, broadcasts over (D,) and (3, 1, 1)
    mean = share_a * a["mean"] + share_b * b["mean"]
    variance = share_a * (a["std"] ** 2 + (a["mean"] - mean) ** 2) + share_b * (b["std"] ** 2 + (b["mean"] - mean) ** 2)
    quantiles = {name: share_a * a[name] + share_b * b[name] for name in QUANTILES}
    extremes = {"min": np.minimum(a["min"], b["min"]), "max": np.maximum(a["max"], b["max"])}
    return {**extremes, "mean": mean, "std": np.sqrt(variance), "count": count, **quantiles}


def to_lists(stats: Stats) -> dict[str, dict[str, Any]]:
    """As JSON-ready lists, for stats.json."""
    return {feature: {name: value.tolist() for name, value in of.items()} for feature, of in stats.items()}


def flat_columns(stats: Stats) -> dict[str, Any]:
    """As the columns `stats/<feature>/<statistic>` of meta/episodes."""
    return {f"stats/{feature}/{name}": value.tolist() for feature, of in stats.items() for name, value in of.items()}


def from_columns(row: dict[str, Any]) -> Stats:
    """Inverse of `flat_columns`; other columns of the row are ignored."""
    stats: Stats = {}
    for column, value in row.items():
        if column.startswith("stats/"):
            feature, name = column.removeprefix("stats/").rsplit("/", 1)
            stats.setdefault(feature, {})[name] = np.asarray(value)
    return stats
