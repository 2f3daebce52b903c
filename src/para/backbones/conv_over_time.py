"""Video networks convolve over time with kernels of (k, 1, 1): the same sums, as convolutions that CPUs are fast at."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ConvOverTime(nn.Conv3d):
    """A convolution over frames alone. (B, C, F, H, W) -> (B, C', F', H, W).

    Kernels of (k, 1, 1) get PyTorch's slow implementation on one thread; over (F, H W) the same sums take half
    the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        (step, *_), (pad, *_), (reach, *_) = self.stride, self.padding, self.dilation
        y = F.conv2d(x.flatten(3), self.weight.squeeze(-1), self.bias, (step, 1), (pad, 0), (reach, 1), self.groups)
        return y.unflatten(3, x.shape[3:])


def convolve_over_time(network: nn.Module) -> nn.Module:
    """The network, with every convolution that is over frames alone done as `ConvOverTime`; its tensors stay."""
    for module in network.modules():
        if type(module) is nn.Conv3d and is_over_time(module):
            module.__class__ = ConvOverTime
    return network


def is_over_time(conv: nn.Conv3d) -> bool:
    """Whether a convolution moves over frames and over nothing else."""
    still = conv.kernel_size[1:] == conv.stride[1:] == (1, 1) and conv.padding[1:] == (0, 0)
    return still and conv.padding_mode == "zeros"
