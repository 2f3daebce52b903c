"""Laws of configs: through JSON and back they are equal, and what does not fit is refused by name."""

import json
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from para.training import TrainConfig, config_from_dict, config_hash, config_to_dict
from para.training.configs import changed_options
from para.training.optim import OptimConfig


@dataclass(frozen=True)
class Conv:
    width: int = 8
    dilations: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Transformer:
    patch: int = 14
    name: str = "small"


@dataclass(frozen=True)
class Whole:
    backbone: Conv | Transformer = field(default_factory=Conv)
    size: tuple[int, int] = (48, 64)
    ranges: tuple[tuple[float, float], ...] | None = None
    form: Literal["factorised", "joint"] = "factorised"
    blocks: tuple[Conv, ...] = ()
    scales: dict[str, float] = field(default_factory=dict)
    note: str | None = None
    on: bool = False


@dataclass(frozen=True)
class Needy:
    width: int


def round_trip(config):
    return config_from_dict(type(config), json.loads(json.dumps(config_to_dict(config))))


finite = st.floats(allow_nan=False, allow_infinity=False)
convs = st.builds(Conv, st.integers(), st.lists(st.integers(), max_size=4).map(tuple))
wholes = st.builds(
    Whole,
    backbone=convs | st.builds(Transformer, st.integers(), st.text()),
    size=st.tuples(st.integers(), st.integers()),
    ranges=st.none() | st.lists(st.tuples(finite, finite), max_size=3).map(tuple),
    form=st.sampled_from(["factorised", "joint"]),
    blocks=st.lists(convs, max_size=2).map(tuple),
    scales=st.dictionaries(st.text(), finite, max_size=2),
    note=st.none() | st.text(),
    on=st.booleans(),
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(wholes)
def test_a_config_survives_json(config):
    assert round_trip(config) == config


def test_training_options_survive_json():
    config = TrainConfig(snapshot_steps=(1, 5), optim=OptimConfig(ema_decay=0.9))
    assert round_trip(config) == config


def test_absent_options_take_their_defaults():
    assert config_from_dict(Whole, {"size": [3, 4]}) == Whole(size=(3, 4))


def test_a_whole_number_fits_where_a_real_one_is_meant():
    value = config_from_dict(OptimConfig, {"lr": 1}).lr
    assert value == 1.0 and isinstance(value, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"siez": [1, 2]}, "Whole has no option 'siez'; did you mean 'size'"),
        ({"size": [1, 2, 3]}, "Whole.size must hold 2 values"),
        ({"size": 3}, "Whole.size must be a list"),
        ({"form": "jiont"}, "did you mean 'joint'"),
        ({"on": 1}, "Whole.on must be bool; got 1"),
        ({"backbone": {"widht": 1}}, "did you mean 'width'"),
        ({"backbone": 4}, "needs options by name; got 4"),
        ({"note": 4}, "Whole.note must be str; got 4"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        config_from_dict(Whole, values)


def test_a_missing_option_without_default_is_refused():
    with pytest.raises(ValueError, match="Needy needs the option 'width'"):
        config_from_dict(Needy, {})


def test_a_value_that_json_cannot_hold_is_refused_by_name():
    with pytest.raises(ValueError, match="option 'note' holds a object"):
        config_to_dict(Whole(note=object()))


def test_the_hash_ignores_the_order_of_keys_and_sees_every_value():
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1}) != config_hash({"a": 1, "b": 3})


def test_changed_options_are_those_that_differ_from_defaults_at_every_depth():
    assert changed_options(Whole()) == {}
    assert changed_options(Whole(backbone=Conv(width=4))) == {"backbone": {"": "Conv", "width": 4}}
    assert changed_options(Whole(backbone=Transformer())) == {"backbone": {"": "Transformer"}}
    assert changed_options(Whole(size=(32, 64))) == {"size": [32, 64]}
