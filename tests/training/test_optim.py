"""Laws of the optimiser: which parameters decay, how the rate runs, and what the average holds."""

import pytest
import torch
from torch import nn

from para.pixel_actions.heads import StepLinear
from para.training.ema import WeightAverage, averaged
from para.training.optim import OptimConfig, lr_factor, make_optimizer, named_groups, set_lr
from tests.tiny import TINY_BACKBONES, build, policy_config, policy_configs
from tests.training.stubs import make_stub

POLICIES = policy_configs()


def rates(n, **options):
    return [lr_factor(step, n, OptimConfig(**options)) for step in range(n)]


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_the_rate_stays_within_its_peak_and_is_never_zero(schedule, warmup):
    for n in (1, 2, 7, 100):
        assert all(0 < rate <= 1 for rate in rates(n, schedule=schedule, warmup_fraction=warmup))


def test_the_rate_rises_to_its_peak_and_then_falls():
    way = rates(100, warmup_fraction=0.3)
    top = way.index(max(way))
    assert 29 <= top <= 30 and max(way) > 0.99
    assert way[:top] == sorted(way[:top]) and way[top:] == sorted(way[top:], reverse=True)
    assert way[0] < 0.06 and way[-1] < 0.01


def test_a_constant_rate_is_flat_after_its_way_up():
    way = rates(50, schedule="constant", warmup_fraction=0.2)
    assert way[10:] == [1.0] * 40 and way[0] == pytest.approx(1 / 11)


def test_a_phase_that_teaches_other_tensors_has_the_whole_schedule_to_itself():
    config = OptimConfig()
    way = [lr_factor(step, 100, config, first_phase=30) for step in range(100)]
    assert way == rates(30) + rates(70)
    assert rates(20) == [lr_factor(step, 20, config, first_phase=30) for step in range(20)]


def test_biases_norms_and_embeddings_do_not_decay_and_the_backbone_has_its_own_rate():
    policy = make_stub()
    policy.norm, policy.table = nn.LayerNorm(4), nn.Embedding(3, 4)
    groups = named_groups(policy, OptimConfig(lr=1e-2, weight_decay=0.1, backbone_lr_scale=0.1))
    told = {name: (group["lr"], group["weight_decay"]) for group in groups for name in group["names"]}
    assert told == {
        "backbone.weight": (1e-3, 0.1),
        "backbone.bias": (1e-3, 0.0),
        "head.weight": (1e-2, 0.1),
        "head.bias": (1e-2, 0.0),
        "step_embedding": (1e-2, 0.0),
        "norm.weight": (1e-2, 0.0),
        "norm.bias": (1e-2, 0.0),
        "table.weight": (1e-2, 0.0),
    }


@pytest.mark.parametrize("name", POLICIES)
def test_of_every_policy_exactly_the_weights_of_layers_decay_whatever_they_are_called_or_shaped(name):
    policy = build(POLICIES[name])
    groups = named_groups(policy, OptimConfig(weight_decay=0.1))
    decayed = {name for group in groups if group["weight_decay"] for name in group["names"]}
    layers = (nn.Linear, nn.Conv2d, nn.Conv3d, StepLinear)
    assert decayed == {f"{path}.weight" for path, module in policy.named_modules() if isinstance(module, layers)} & {
        name for name, parameter in policy.named_parameters() if parameter.requires_grad
    }


def test_of_a_transformer_places_and_the_class_token_do_not_decay_and_its_embedding_of_patches_does():
    policy = build(policy_config("para", backbone=TINY_BACKBONES["vit"]))
    groups = named_groups(policy, OptimConfig(weight_decay=0.1))
    told = {name: group["weight_decay"] for group in groups for name in group["names"]}
    names = ("backbone.position", "backbone.cls", "backbone.embed.weight", "heads.height.bias")
    assert [told[name] for name in names] == [0.0, 0.0, 0.1, 0.0]


def test_frozen_parameters_are_left_out_and_nothing_to_train_is_an_error():
    policy = make_stub()
    policy.backbone.requires_grad_(False)
    assert all("backbone" not in name for group in named_groups(policy, OptimConfig()) for name in group["names"])
    with pytest.raises(ValueError, match="no trainable parameter"):
        named_groups(policy.requires_grad_(False), OptimConfig())


def test_setting_the_rate_keeps_the_ratio_of_groups():
    config = OptimConfig(lr=1e-2, backbone_lr_scale=0.1)
    optimizer = make_optimizer(make_stub(), config)
    lr = set_lr(optimizer, 3, 10, config)
    assert {round(group["lr"] / lr, 6) for group in optimizer.param_groups} == {0.1, 1.0}


def test_the_average_is_what_the_equation_says():
    layer = nn.Linear(2, 1, bias=False)
    average = WeightAverage(layer, decay=0.3)
    expected = layer.weight.detach().clone()
    for step in range(6):
        with torch.no_grad():
            layer.weight.add_(step + 1.0)
        average.update(step)
        d = min(0.3, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * layer.weight.detach()
    torch.testing.assert_close(average.average["weight"], expected)


def test_the_average_is_lent_and_given_back():
    layer = nn.Linear(2, 1)
    average = WeightAverage(layer, decay=0.9)
    own, lent = layer.weight.detach().clone(), torch.full_like(layer.weight, 5.0)
    average.average["weight"].copy_(lent)
    with averaged(average):
        assert torch.equal(layer.weight, lent)
    assert torch.equal(layer.weight, own) and torch.equal(average.average["weight"], lent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0.0},
        {"schedule": "linear"},
        {"warmup_fraction": 1.0},
        {"ema_decay": 1.0},
        {"clip_norm": -1.0},
        {"clip_norm": float("inf")},
        {"lr": float("nan")},
    ],
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OptimConfig(**wrong)
