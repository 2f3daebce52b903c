"""What training sets about the device and the thread that it runs on, and leaves as it was."""

import pytest
import torch

from para.training.accelerators import without_denormals

SMALLEST_NORMAL = 2.0**-126


def takes_denormals_for_zero() -> bool:
    return bool(torch.full((64,), SMALLEST_NORMAL).mul(0.25).eq(0).all())


@pytest.mark.parametrize("before", [False, True])
def test_denormals_are_zero_within_and_afterwards_as_before_even_after_an_error(before):
    torch.set_flush_denormal(before)
    try:
        with pytest.raises(KeyError), without_denormals():
            assert takes_denormals_for_zero()
            raise KeyError
        assert takes_denormals_for_zero() == before
    finally:
        torch.set_flush_denormal(False)


def test_gradients_of_a_sharp_softmax_have_no_denormals_within():
    logits = torch.linspace(-110, 0, 64, requires_grad=True)

    def gradients() -> torch.Tensor:
        return torch.autograd.grad(-logits.log_softmax(0)[-1], logits)[0].abs()

    def denormal(x: torch.Tensor) -> torch.Tensor:
        return (x > 0) & (x.double() < SMALLEST_NORMAL)

    with without_denormals():
        flushed = gradients()
    assert denormal(gradients()).any() and not denormal(flushed).any()
