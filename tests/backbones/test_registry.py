"""Laws of the registry: one line in it is all that makes a backbone's options known, to checkpoints and to commands."""

from __future__ import annotations

import typing

import pytest

from para.backbones import BACKBONES, BackboneConfig, default_config
from para.policies import ParaConfig
from para.training.configs import config_from_dict, config_to_dict


def test_the_options_of_every_registered_backbone_are_options_of_a_policys_backbone():
    assert set(typing.get_args(BackboneConfig)) == {entry.config_type for entry in BACKBONES.values()}


@pytest.mark.parametrize("name", BACKBONES)
def test_a_saved_policy_finds_the_backbone_again_that_its_options_are_of(name):
    config = ParaConfig(backbone=default_config(name))
    assert config_from_dict(ParaConfig, config_to_dict(config)) == config


def test_an_unknown_option_of_a_backbone_is_refused():
    values = config_to_dict(ParaConfig()) | {"backbone": {"chanels": 8}}
    with pytest.raises(ValueError, match="did you mean 'channels'"):
        config_from_dict(ParaConfig, values)
