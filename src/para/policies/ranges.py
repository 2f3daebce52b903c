"""Ranges of inputs and outputs from the training data, as regressing policies set them (`fit_ranges`)."""

from __future__ import annotations

from torch import Tensor

OUTPUT_MARGIN_M = 0.01
"""By how much outputs reach beyond the training actions that they span (`output_range` training)."""

MIN_SPREAD = 1e-3
"""What never varied in training is divided by this instead of nothing."""


def spread_of(values: Tensor) -> Tensor:
    """The standard deviation of each column, at least `MIN_SPREAD`, also of a single row. (N, D) -> (D)."""
    correction = min(1, len(values) - 1)
    return values.std(dim=0, correction=correction).clamp(min=MIN_SPREAD)


def check_in_workspace(position: Tensor, low: tuple[float, float, float], high: tuple[float, float, float]) -> None:
    """Refuse demonstrations that go where the policy could not: its outputs span the workspace and no more.

    Args:
        position: (N, 3) of the training actions, world frame, metres.
        low, high: corners of the workspace.

    Raises:
        ValueError: if some of them lie outside.
    """
    inside = ((position >= position.new_tensor(low)) & (position <= position.new_tensor(high))).all(dim=-1)
    if bool(inside.all()):
        return
    known = position[position.isfinite().all(dim=-1)]
    ends = (known.amin(0), known.amax(0)) if len(known) else (position[0], position[0])
    lowest, highest = (", ".join(f"{x:.2f}" for x in end.tolist()) for end in ends)
    raise ValueError(
        f"{int((~inside).sum())} of {len(position)} training actions lie outside of the workspace, {tuple(low)} to "
        f"{tuple(high)} m, which is all that this policy can reach; they span ({lowest}) to ({highest}): choose "
        "workspace_low_m and workspace_high_m around them, or output_range training"
    )
