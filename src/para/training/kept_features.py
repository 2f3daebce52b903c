"""Training on features that are computed once: for the time of a training, its backbone keeps them in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn


@contextmanager
def kept_features(policy: nn.Module, folder: str) -> Iterator[None]:
    """Within, the policy's backbone keeps the features of each image in a folder; with an empty name it does not.

    Raises:
        ValueError: if the backbone has nothing to keep: its features change as it is trained.
    """
    if not folder:
        yield
        return
    keep = getattr(getattr(policy, "backbone", None), "keep_features", None)
    if keep is None:
        raise ValueError(
            f"feature_cache is for frozen backbones (dinov2, dinov3), and '{policy.name}' has none; leave it empty"
        )
    keep(Path(folder))
    try:
        yield
    finally:
        keep(None)
