"""Layers that are not rounded where training runs in bfloat16: those that coordinates enter or leave by."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FullPrecisionLinear(nn.Linear):
    """A linear layer in its weights' precision under `torch.autocast` too. (..., C) -> (..., C').

    A coordinate that leaves a network in bfloat16 has 8 bits: over a workspace of a metre it would come in steps of up
    to 5 mm, which no class of a heatmap does, and regression would lose to pixels for that alone. One that enters it so
    loses as much: of a feature point's place up to a pixel at 448 px.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(self.weight.dtype), self.weight, self.bias)
