"""Laws of the small convolutional backbone."""

from dataclasses import replace

import pytest
import torch

from para.backbones import SmallConv, SmallConvConfig, default_config, make_backbone
from para.backbones.small_conv import PaddedConv

CONFIG = SmallConvConfig(channels=8, dilations=(1, 2, 4), pooled_grid=2)


def blob_image(u: int, v: int, H: int = 128, W: int = 160) -> torch.Tensor:
    """A textured patch on a plain background."""
    image = torch.full((1, 3, H, W), 90, dtype=torch.uint8)
    g = torch.Generator().manual_seed(3)
    image[:, :, v : v + 10, u : u + 14] = torch.randint(0, 256, (1, 3, 10, 14), dtype=torch.uint8, generator=g)
    return image


def build(padding: str) -> SmallConv:
    torch.manual_seed(0)
    config = SmallConvConfig(channels=8, dilations=(1, 2, 4), pooled_grid=2, padding=padding)
    return SmallConv(config, (128, 160)).eval()


def test_shifting_the_image_by_strides_shifts_every_cell_exactly():
    # Receptive field: 1 + 2 + 4 cells of dilation and one of embedding, so the patch changes nothing at the border.
    net = build("replicate")
    here, there = net(blob_image(60, 48)).grid, net(blob_image(60 + 3 * 4, 48 + 2 * 4)).grid
    torch.testing.assert_close(there[..., 2:, 3:], here[..., :-2, :-3], rtol=0, atol=1e-5)


def test_zero_padding_leaks_absolute_position():
    net = build("zeros")
    here, there = net(blob_image(60, 48)).grid, net(blob_image(60 + 3 * 4, 48 + 2 * 4)).grid
    assert (there[..., 2:, 3:] - here[..., :-2, :-3]).abs().max() > 1e-2


def test_receptive_fields_are_centred_on_the_pixel_of_the_convention():
    # One stride-4 cell j must look at pixels symmetric about (j + 0.5) * 4 - 0.5: mirrored images, mirrored weights.
    net = build("replicate").double()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = (module.weight.data + module.weight.data.flip(-1)) / 2
    image = blob_image(60, 48)
    torch.testing.assert_close(net(image.flip(-1)).grid, net(image).grid.flip(-1))


def test_a_change_in_one_corner_leaves_far_features_alone():
    torch.manual_seed(0)
    net = SmallConv(SmallConvConfig(channels=8, dilations=(1,), pooled_grid=2), (128, 160)).eval()
    image = blob_image(60, 48)
    changed = image.clone()
    changed[..., :6, -6:] = 255
    torch.testing.assert_close(net(image).grid[..., 8:, :12], net(changed).grid[..., 8:, :12], rtol=0, atol=0)


def test_a_side_that_does_not_divide_names_one_that_does():
    with pytest.raises(ValueError, match="resize to 64 x 96"):
        SmallConv(CONFIG, (66, 97))


def test_a_picture_too_small_to_be_reflected_is_refused_when_the_network_is_made():
    with pytest.raises(ValueError, match="a grid of 4 x 10 cells, .* by the 4 cells .* resize it to 20 px a side"):
        SmallConv(replace(CONFIG, padding="reflect"), (16, 40))
    smallest = SmallConv(replace(CONFIG, padding="reflect"), (20, 40))
    assert smallest(blob_image(2, 2, 20, 40)).grid.shape[-2:] == (5, 10)


def test_the_default_has_a_few_hundred_thousand_parameters():
    net = make_backbone(default_config("small_conv"), (128, 128))
    assert 1e5 < sum(p.numel() for p in net.parameters()) < 5e5


def test_an_unknown_backbone_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'small_conv'"):
        default_config("smal_conv")


@pytest.mark.parametrize("padding", ["replicate", "reflect", "zeros"])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_borders_are_continued_as_torch_does_it_and_in_the_precision_of_the_input(padding, bfloat16):
    torch.manual_seed(0)
    ours = PaddedConv(4, 6, 3, stride=2, padding=2, dilation=2, padding_mode=padding)
    theirs = torch.nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2, padding_mode=padding)
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 4, 12, 20)
    padded = []
    with pytest.MonkeyPatch.context() as patch, torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        x = x.bfloat16() if bfloat16 else x
        expected, pad = theirs(x), torch.nn.functional.pad
        patch.setattr("para.backbones.small_conv.F.pad", lambda *a, **kw: padded.append(pad(*a, **kw)) or padded[-1])
        got = ours(x)
    assert torch.equal(got, expected) and [p.dtype for p in padded] == [x.dtype]
