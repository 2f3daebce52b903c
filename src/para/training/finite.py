"""A loss or gradient that is no number stops training before the weights take it in."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def check_finite(step: int, terms: Mapping[str, Tensor], gradient_norm: Tensor) -> None:
    """Raise ValueError where the loss (`terms["total"]`) or its gradient is not finite, with the terms that are not."""
    if math.isfinite(float(terms["total"].detach())) and math.isfinite(float(gradient_norm)):
        return
    bad = [name for name, value in terms.items() if not bool(torch.isfinite(value).all())]
    what = f"terms {', '.join(bad)} are" if bad else "the loss is finite but its gradient is"
    raise ValueError(
        f"step {step}: {what} not finite; weights saved before it stay in training_state/; "
        "lower the learning rate, or look for a division by zero in that term"
    )
