"""Laws of the DINO backbones: features are those of `transformers`, whatever is added to them; and what is trained."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from para.backbones import Dino, Dinov2Config, Dinov3Config
from para.backbones.dino import Mode, lasting_name
from para.backbones.dino_positions import DinoPosition, rotation
from para.backbones.pretrained import weights_follow
from tests.tiny_weights import tiny_weights

KINDS = {
    "dinov2": (Dinov2Config, "dinov2", 14),
    "dinov2 with registers": (Dinov2Config, "dinov2_with_registers", 14),
    "dinov3": (Dinov3Config, "dinov3_vit", 16),
}
SIZE = {14: (56, 84), 16: (48, 80)}

kinds = pytest.mark.parametrize("kind", KINDS)


def options(kind: str, **changes):
    config_type, model_type, patch = KINDS[kind]
    return config_type(weights=str(tiny_weights(model_type, patch)), **changes)


def build(kind: str, size: tuple[int, int] | None = None, **changes) -> Dino:
    torch.manual_seed(0)
    return Dino(options(kind, **changes), size or SIZE[KINDS[kind][2]]).eval()


def images(net: Dino, B: int = 2, size: tuple[int, int] | None = None) -> Tensor:
    H, W = size or SIZE[net.stride]
    return torch.randint(0, 256, (B, 3, H, W), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def reference(kind: str):
    from transformers import AutoModel

    _, model_type, patch = KINDS[kind]
    return AutoModel.from_pretrained(tiny_weights(model_type, patch), local_files_only=True).eval()


def normalised(image: Tensor) -> Tensor:
    """By ImageNet's mean and deviation, as the models' image processors do."""
    red, green, blue = (image[:, c].float() / 255 for c in range(3))
    return torch.stack([(red - 0.485) / 0.229, (green - 0.456) / 0.224, (blue - 0.406) / 0.225], dim=1)


def grid_of(tokens: Tensor, h: int, w: int) -> Tensor:
    """The last h * w tokens, rows first. (B, N, C) -> (B, C, h, w)."""
    return tokens[:, -h * w :].unflatten(1, (h, w)).permute(0, 3, 1, 2)


# ---- features --------------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("cells", [(4, 4), (3, 5), (6, 2)])
def test_features_are_those_of_transformers_at_the_size_of_pretraining_and_at_others(kind, cells):
    size = tuple(side * KINDS[kind][2] for side in cells)
    net, model = build(kind, size), reference(kind)
    image = images(net, size=size)
    with torch.no_grad():
        told, ours = model(normalised(image)), net(image)
    assert ours.grid.shape == (2, net.channels, *cells)
    torch.testing.assert_close(ours.grid, grid_of(told.last_hidden_state, *cells), rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.pooled, told.pooler_output, rtol=0, atol=1e-5)


@kinds
def test_the_start_is_added_to_the_patch_embeddings(kind):
    net, model = build(kind), reference(kind)
    image = images(net)
    h, w = (side // net.stride for side in image.shape[-2:])
    start = torch.randn(2, net.channels, h, w, generator=torch.Generator().manual_seed(2))

    def add(module, inputs, output):
        return output + (start if output.ndim == 4 else start.flatten(2).transpose(1, 2))

    model.embeddings.patch_embeddings.register_forward_hook(add)
    with torch.no_grad():
        told, ours = model(normalised(image)).last_hidden_state, net(image, start)
    torch.testing.assert_close(ours.grid, grid_of(told, h, w), rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.pooled, told[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kind", "cells"), [("dinov2", (32, 32)), ("dinov3", (28, 28))])
def test_the_papers_448_pixels_make_as_many_cells_as_the_patch_says(kind, cells):
    net = build(kind, (448, 448))
    with torch.no_grad():
        assert net(images(net, 1, (448, 448))).grid.shape[-2:] == cells


@kinds
def test_a_side_that_does_not_divide_names_one_that_does(kind):
    patch = KINDS[kind][2]
    with pytest.raises(ValueError, match=f"divisible by {patch}; resize to {4 * patch} x {5 * patch}"):
        build(kind, (4 * patch + 3, 5 * patch + 1))
    net = build(kind)
    with pytest.raises(ValueError, match=f"divisible by {patch}; resize to {4 * patch} x {5 * patch}"):
        net(images(net, size=(4 * patch + 3, 5 * patch + 1)))


@kinds
@pytest.mark.parametrize("position", get_args(DinoPosition))
def test_on_another_device_nothing_stays_behind(kind, position):
    # tensors without data refuse to be mixed with those of the CPU, as those of a GPU would
    net = build(kind, position=position).train().to("meta")
    image = images(net).to("meta")
    h, w = (side // net.stride for side in image.shape[-2:])
    features = net(image, torch.zeros(2, 16, h, w, device="meta"))
    assert features.grid.device.type == features.pooled.device.type == "meta" and features.grid.shape == (2, 16, h, w)


@kinds
def test_in_bfloat16_features_stay_near(kind):
    net = build(kind)
    image = images(net)
    with torch.no_grad():
        full = net(image).grid
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = net(image).grid
    assert (half - full).norm() < 0.05 * full.norm()


# ---- positions -------------------------------------------------------------------------------------------------------


@kinds
def test_without_positions_patches_that_change_places_take_their_features_along(kind):
    net = build(kind, position="none")
    image = images(net)
    here, there = net(image), net(image.roll((net.stride, 2 * net.stride), dims=(-2, -1)))
    torch.testing.assert_close(there.grid, here.grid.roll((1, 2), dims=(-2, -1)), rtol=0, atol=1e-4)
    torch.testing.assert_close(there.pooled, here.pooled, rtol=0, atol=1e-4)


@kinds
@pytest.mark.parametrize("position", ["interpolated", "random_offset"])
def test_with_positions_they_do_not(kind, position):
    net = build(kind, position=position)
    image = images(net)
    here, there = net(image).grid, net(image.roll((net.stride, 2 * net.stride), dims=(-2, -1))).grid
    assert (there - here.roll((1, 2), dims=(-2, -1))).abs().max() > 1e-2


@kinds
def test_in_training_each_image_lies_somewhere_else_and_follows_torchs_generator(kind):
    net = build(kind, position="random_offset").train()
    image = images(net, 1).expand(3, -1, -1, -1)

    def features(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return net(image).grid

    first = features(3)
    assert (first[0] - first[1]).abs().max() > 1e-2
    assert torch.equal(first, features(3)) and not torch.equal(first, features(4))


@kinds
@pytest.mark.parametrize("position", get_args(DinoPosition))
def test_in_evaluation_nothing_is_drawn(kind, position):
    net = build(kind, position=position)
    state = torch.random.get_rng_state()
    assert torch.equal(net(images(net)).grid, net(images(net)).grid)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_dinov3_with_an_offset_is_in_evaluation_what_it_was_pretrained_as():
    net, other = build("dinov3", position="random_offset"), build("dinov3")
    assert torch.equal(net(images(net)).grid, other(images(other)).grid)


def test_an_offset_changes_nothing_of_what_patches_see_of_each_other():
    torch.manual_seed(0)
    inv_freq = 1 / 100 ** torch.arange(0, 1, 0.25)
    query, key = torch.randn(2, 15, 16).double()

    def seen(batch: int | None) -> Tensor:
        cos, sin = (turn.double().reshape(-1, 15, 16) for turn in rotation(inv_freq, (3, 5), "random_offset", batch))

        def turned(x: Tensor) -> Tensor:
            return x * cos + torch.cat([-x[:, 8:], x[:, :8]], dim=-1) * sin

        return turned(query) @ turned(key).transpose(-1, -2)  # (batch or 1, 15, 15)

    torch.testing.assert_close(seen(4), seen(None).expand(4, -1, -1), rtol=0, atol=1e-5)


# ---- what is trained -------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_mode_trains_what_it_says(kind, mode):
    net = build(kind, mode=mode, lora_rank=2)
    trained = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    everything = {name for name, _ in net.named_parameters()}
    expected = {
        "finetune": everything,
        "frozen": set(),
        "lora": {name for name in everything if ".lora_A." in name or ".lora_B." in name},
    }
    assert trained == expected[mode]
    assert mode != "lora" or len(trained) == 2 * 2 * 2, "A and B, of queries and values, in each of two layers"


@kinds
def test_gradients_reach_the_start_through_what_is_frozen(kind):
    net = build(kind, mode="frozen").train()
    image = images(net)
    start = torch.zeros(2, net.channels, *(side // net.stride for side in image.shape[-2:]), requires_grad=True)
    net(image, start).grid.square().sum().backward()
    assert start.grad.abs().max() > 0 and all(parameter.grad is None for parameter in net.parameters())


@kinds
def test_low_rank_updates_begin_at_nothing_and_then_change_the_features(kind):
    net, pretrained = build(kind, mode="lora", lora_rank=2), build(kind)
    image = images(net)
    torch.testing.assert_close(net(image).grid, pretrained(image).grid, rtol=0, atol=1e-5)
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.1)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for _ in range(2):  # B is zero at first, so that A gets a gradient in the second step only
        optimizer.zero_grad()
        net(image).grid[:, 0].square().sum().backward()
        optimizer.step()
    assert (net(image).grid - pretrained(image).grid).abs().max() > 1e-2
    moved = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {name for name in before if "lora_" in name}


def test_rates_fall_with_the_layers_that_come_after_and_what_is_new_learns_as_the_heads():
    scales = build("dinov3", layer_decay=0.5, neck_channels=4).lr_scales(0.1)
    told = {name.split(".")[0] + name.split(".")[1] if "layers" in name else name.split(".")[0] for name in scales}
    assert told == {"embeddings", "layers0", "layers1", "norm", "neck"}
    expected = {"embeddings": 0.1 / 8, "layers.0": 0.1 / 4, "layers.1": 0.1 / 2, "norm": 0.1, "neck": 1.0}
    for start, scale in expected.items():
        assert all(math.isclose(s, scale) for name, s in scales.items() if name.startswith(start + "."))
    lora = build("dinov3", mode="lora", layer_decay=0.5).lr_scales(0.1)
    assert {scale for name, scale in lora.items() if "lora_" in name} == {1.0}


@kinds
def test_with_a_neck_the_pretrained_network_sees_the_image_alone(kind):
    net = build(kind, mode="frozen", neck_channels=4)
    image = images(net)
    start = torch.randn(2, 4, *(side // net.stride for side in image.shape[-2:]))
    plain, told = net(image), net(image, start)
    assert net.channels == 4 and net.pooled_channels == 16 and plain.grid.shape == start.shape
    assert torch.equal(plain.pooled, told.pooled) and (plain.grid - told.grid).abs().max() > 1e-2
    told.grid.square().sum().backward()
    assert {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None} == {"neck"}


def test_in_training_what_is_frozen_stays_as_in_evaluation():
    net = build("dinov2", mode="frozen", neck_channels=4).train()
    assert net.training and net.neck.training
    assert not any(module.training for part in (net.embeddings, net.layers, net.norm) for module in part.modules())


# ---- names -----------------------------------------------------------------------------------------------------------


OLD = {"attention.q_proj.": "attention.attention.query.", "attention.o_proj.": "attention.output.dense."}


@pytest.mark.parametrize("mode", ["finetune", "lora"])
def test_weights_under_the_names_of_older_transformers_are_taken(mode):
    net = build("dinov2", mode=mode)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert all(name == lasting_name(name) for name in state), "checkpoints have the lasting names"
    older = {}
    for name, tensor in state.items():
        for lasting, old in OLD.items():
            name = name.replace(lasting, old)
        older[name] = tensor + 1
    assert set(older) != set(state)
    net.load_state_dict(older)
    assert all(torch.equal(tensor, state[name] + 1) for name, tensor in net.state_dict().items())


@kinds
@pytest.mark.parametrize("mode", get_args(Mode))
def test_completed_options_rebuild_the_network_where_weights_follow(kind, mode):
    net = build(kind, mode=mode)
    with weights_follow():
        again = Dino(net.config, SIZE[net.stride]).eval()
    again.load_state_dict(net.state_dict())
    assert again.config == net.config and torch.equal(again(images(net)).grid, net(images(net)).grid)


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "freeze"}, {"position": "learned"}, {"layer_decay": 0.0}, {"lora_rank": 0}, {"neck_channels": -1}],
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Dinov2Config(**wrong)
