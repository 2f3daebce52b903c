"""Laws of the vision transformer: what its tokens are told of where they are, and what they are not."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from torch import nn

from para.backbones import Vit, VitConfig
from para.backbones.vit import TABLE_SIDES, Position, Stem
from tests.conftest import random_batch

SIZE = (48, 64)
SMALL = {"channels": 16, "patch": 8, "depth": 2, "n_heads": 2}


def build(position: Position = "learned", **changes) -> Vit:
    torch.manual_seed(0)
    return Vit(VitConfig(**SMALL | changes, position=position), SIZE).eval()


def rolled(image: torch.Tensor, net: Vit, rows: int, columns: int) -> torch.Tensor:
    return image.roll((rows * net.stride, columns * net.stride), dims=(-2, -1))


@pytest.mark.parametrize(("patch", "size"), [(8, (128, 128)), (16, (48, 64)), (14, (56, 28))])
def test_the_stride_is_the_side_of_a_patch(patch, size):
    net = Vit(VitConfig(**SMALL | {"patch": patch}), size)
    grid = net(torch.zeros(1, 3, *size, dtype=torch.uint8)).grid
    assert net.stride == patch and grid.shape[-2:] == (size[0] // patch, size[1] // patch)


def test_without_positions_patches_that_change_places_take_their_features_along():
    net, image = build("none"), random_batch(B=2)[0].image
    here, there = net(image), net(rolled(image, net, 2, 3))
    torch.testing.assert_close(there.grid, here.grid.roll((2, 3), dims=(-2, -1)), rtol=0, atol=1e-5)
    torch.testing.assert_close(there.pooled, here.pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize("position", ["learned", "random_offset"])
def test_with_positions_they_do_not(position):
    net, image = build(position), random_batch(B=2)[0].image
    here, there = net(image).grid, net(rolled(image, net, 2, 3)).grid
    assert (there - here.roll((2, 3), dims=(-2, -1))).abs().max() > 1e-3


def entries(net: Vit, batch: int) -> torch.Tensor:
    """Which row and column of the table each cell is told. (batch, h, w, 2)."""
    h, w = (side // net.stride for side in SIZE)
    with torch.no_grad():
        net.position.copy_(torch.arange(net.position.shape[1]).view(1, -1, 1).expand_as(net.position))
    number = net.positions(batch)[..., 0].long().unflatten(-1, (h, w))
    return torch.stack([number // (TABLE_SIDES * w), number % (TABLE_SIDES * w)], dim=-1)


def test_in_training_every_cell_meets_every_entry_equally_often():
    net = build("random_offset").train()
    told = entries(net, 8000)
    for row, column in ((0, 0), (5, 7), (2, 4)):
        for axis, n_entries in ((0, 12), (1, 16)):
            share = torch.bincount(told[:, row, column, axis], minlength=n_entries) / 8000
            # four standard errors of a share of 1 / 12 in 8000 draws
            assert len(share) == n_entries and (share - 1 / n_entries).abs().max() < 0.013


def test_differences_of_entries_say_where_tokens_lie_relative_to_each_other():
    net = build("random_offset").train()
    told = entries(net, 50)
    table = torch.tensor([12, 16])
    cells = torch.stack(torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij"), dim=-1)
    away = (told - told[:, :1, :1]) % table
    assert (away == cells).all()
    moves = torch.cartesian_prod(torch.arange(-5, 6), torch.arange(-7, 8)) % table
    assert len(torch.unique(moves, dim=0)) == len(moves), "no two displacements within an image look alike"


def test_images_of_a_batch_are_placed_each_on_its_own_and_follow_torchs_generator():
    net, image = build("random_offset").train(), random_batch(B=1)[0].image.expand(4, -1, -1, -1)

    def features(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return net(image).grid

    first = features(3)
    assert (first[0] - first[1]).abs().max() > 1e-3
    assert torch.equal(first, features(3)) and not torch.equal(first, features(4))


@pytest.mark.parametrize("position", get_args(Position))
def test_in_evaluation_nothing_is_drawn_and_equal_images_have_equal_features(position):
    net, image = build(position), random_batch(B=1)[0].image.expand(2, -1, -1, -1)
    state = torch.random.get_rng_state()
    grid = net(image).grid
    torch.testing.assert_close(grid[0], grid[1], rtol=0, atol=1e-6)
    assert torch.equal(net(image).grid, grid)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_middle_of_the_table_serves_evaluation():
    told = entries(build("random_offset"), 1)
    assert told[0, 0, 0].tolist() == [3, 4] and told[0, -1, -1].tolist() == [8, 11]


def test_with_one_seed_a_vit_has_the_same_blocks_with_learned_positions_and_with_none():
    learned, none = build("learned").state_dict(), build("none").state_dict()
    assert set(learned) - set(none) == {"position"}
    assert all(torch.equal(learned[name], none[name]) for name in none)


def test_positions_that_it_does_not_know_are_refused():
    with pytest.raises(ValueError, match="learned, none, random_offset"):
        VitConfig(position="sinusoidal")


def on_plain_ground(top: int, left: int) -> torch.Tensor:
    image = torch.full((1, 3, *SIZE), 120, dtype=torch.uint8)
    image[0, :, top : top + 9, left : left + 13] = random_batch(B=1)[0].image[0, :, :9, :13]
    return image


@pytest.mark.parametrize("stem", get_args(Stem))
def test_what_moves_by_patches_on_a_plain_background_takes_its_features_along_through_either_stem(stem):
    net = build("none", stem=stem)
    here, there = net(on_plain_ground(14, 15)), net(on_plain_ground(14 + 8, 15 + 16))
    torch.testing.assert_close(there.grid[..., 2:, 3:], here.grid[..., 1:-1, 1:-2], rtol=0, atol=1e-5)
    torch.testing.assert_close(there.pooled, here.pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stem", get_args(Stem))
@pytest.mark.parametrize(("patch", "size"), [(2, (6, 10)), (8, (48, 64)), (16, (48, 64))])
def test_a_token_looks_about_the_middle_of_its_patch_through_either_stem(stem, patch, size):
    """Mirrored weights on a mirrored image give mirrored tokens: what is off centre would move."""
    net = build("none", stem=stem, patch=patch)
    mirrored = copy.deepcopy(net)
    for module in mirrored.embed.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.flip(-1, -2)
    image = random_batch(B=1, H=size[0], W=size[1])[0].image.float()
    turned = mirrored.embed(image.flip(-1, -2)).flip(-1, -2)
    torch.testing.assert_close(turned, net.embed(image), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "changes", [{"patch": 14}, {"patch": 1}, {"patch": 16, "channels": 12}, {"patch": 16, "channels": 8}]
)
def test_convolutions_that_cannot_halve_down_to_a_patch_are_refused(changes):
    with pytest.raises(ValueError, match="power of two"):
        VitConfig(**SMALL | {"stem": "convolutions"} | changes)


def test_stems_that_it_does_not_know_are_refused():
    with pytest.raises(ValueError, match="patches or convolutions"):
        VitConfig(stem="conv")


def test_refined_patches_have_cells_of_their_own_and_the_start_keypoint_tells_them_apart():
    net = build("learned", cells_per_patch=2)
    h, w = SIZE[0] // 4, SIZE[1] // 4
    image, start = random_batch(B=1)[0].image, torch.zeros(2, 16, h, w)
    told = torch.linspace(-1, 1, 16)
    start[0, :, 4, 6], start[1, :, 5, 7] = told, told  # two cells of one patch
    features = net(image.expand(2, -1, -1, -1), start)
    assert net.stride == 4 and features.grid.shape == (2, 16, h, w)
    assert (features.grid[0] - features.grid[1]).abs().max() > 1e-3
    torch.testing.assert_close(features.pooled[0], features.pooled[1], rtol=0, atol=1e-5)
    whole = build("learned")
    whole.load_state_dict(net.state_dict(), strict=False)
    coarse = torch.zeros(1, 16, h // 2, w // 2)
    coarse[0, :, 2, 3] = told
    torch.testing.assert_close(whole(image, coarse).pooled[0], features.pooled[0], rtol=0, atol=1e-5)


def test_without_positions_refined_cells_move_along_by_whole_patches():
    net = build("none", cells_per_patch=2)
    here, there = net(on_plain_ground(14, 15)).grid, net(on_plain_ground(14 + 8, 15 + 16)).grid
    torch.testing.assert_close(there[..., 6:-4, 8:-4], here[..., 4:-6, 4:-8], rtol=0, atol=1e-5)


@pytest.mark.parametrize("cells", [0, 3, 16])
def test_cells_that_do_not_divide_a_patch_are_refused(cells):
    with pytest.raises(ValueError, match=r"must divide patch \(8\)"):
        VitConfig(**SMALL, cells_per_patch=cells)
