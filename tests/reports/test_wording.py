"""How a run says by which command it can be made again."""

from __future__ import annotations

from dataclasses import fields

import pytest

from para.commands.backbone_options import BackboneOptions
from para.reports.wording import BACKBONE_OPTIONS, commands_of, one_command
from tests.reports.synthetic_run import make_config

FIRST = "para experiment left_to_right --out runs/all/left_to_right --policies para"
LATER = "para experiment left_to_right --out runs/all/left_to_right --policies act --train-seeds 3"


def test_a_run_of_one_command_is_made_by_that_command():
    assert one_command(make_config(command=FIRST)) == FIRST


@pytest.mark.parametrize(
    ("recipes", "policies"), [(("para", "act"), ""), (("para", "act", "act+state"), " --policies para act")]
)
def test_a_run_of_several_commands_is_made_by_one_that_names_policies_where_it_lacks_some(recipes, policies):
    config = make_config(command=f"{FIRST}; {LATER}", train_seeds=3, data=dict.fromkeys(recipes, "demonstrations"))
    assert one_command(config) == "para experiment left_to_right --scale small --train-seeds 3" + policies
    assert commands_of(config) == [FIRST, LATER]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (("para", "act"), ""),
        (("para", "act", "act+long", "para+many"), " --extras"),
        (("para", "act", "act+long"), " --policies para act act+long"),
    ],
)
def test_a_run_of_several_commands_asks_for_extra_policies_where_it_has_them(run, words):
    every = ("para", "act", "act+long", "para+many")
    config = make_config(command=f"{FIRST}; {LATER}", train_seeds=1, data=dict.fromkeys(every, "demonstrations"))
    config |= {"extras": ["act+long", "para+many"], "policies": dict.fromkeys(run, {})}
    assert one_command(config) == "para experiment left_to_right --scale small --train-seeds 1" + words


def test_the_command_of_a_run_names_no_policy_that_was_given_up_before_it_had_records():
    every = ("para", "act", "act+long")
    config = make_config(command=f"{FIRST}; {LATER}", train_seeds=1, data=dict.fromkeys(every, "demonstrations"))
    config |= {"policies": dict.fromkeys(every, {}), "extras": ["act+long"]}
    assert one_command(config, {"para", "para+execute1", "act+ensemble", "act+long"}).endswith(" --extras")
    assert one_command(config, {"para", "para+execute1", "act+ensemble"}).endswith(" --train-seeds 1")
    assert one_command(config, {"para+execute1", "act+long"}).endswith(" --policies para act+long")


def test_a_run_of_several_commands_keeps_its_backbone_unless_its_policies_bring_theirs():
    chosen = "--backbone dinov2 --weights='my weights' --neck_channels 64 --mode frozen"
    config = make_config(command=f"{FIRST} {chosen}; {LATER} {chosen}", train_seeds=3)
    usual = "para experiment left_to_right --scale small --train-seeds 3"
    assert one_command(config) == usual
    words = " --backbone dinov2 '--weights=my weights' --neck_channels 64 --mode frozen"
    assert one_command(config | {"backbone": "dinov2"}) == usual + words


def test_a_run_of_several_commands_keeps_the_size_of_its_images():
    config = make_config(command=f"{FIRST} --image-size 126 98; {LATER} --image-size 126 98", train_seeds=3)
    assert one_command(config) == "para experiment left_to_right --scale small --train-seeds 3 --image-size 126 98"


def test_a_run_of_several_commands_on_validation_scenes_stays_one():
    assert one_command(make_config(command=f"{FIRST}; {LATER}", train_seeds=3, validation=True)).endswith(
        " --validation"
    )


def test_the_options_that_choose_a_backbone_are_those_of_the_command_line():
    assert {f"--{field.name.replace('_', '-')}" for field in fields(BackboneOptions)} == set(BACKBONE_OPTIONS)


def test_another_world_than_the_usual_one_is_named():
    config = make_config(command=f"{FIRST}; {LATER}", train_seeds=1, world="libero")
    assert one_command(config) == "para experiment left_to_right --scale small --world libero --train-seeds 1"


def test_a_run_without_the_first_trainings_is_made_without_them():
    commands = [f"para experiment left_to_right --train-seeds 3 --first-seed{first}" for first in ("=2", " 1")]
    made = one_command(make_config(command="; ".join(commands), train_seeds=3))
    assert made == "para experiment left_to_right --scale small --train-seeds 3 --first-seed 1"
    assert "--first-seed" not in one_command(make_config(command="; ".join([*commands, FIRST]), train_seeds=3))


@pytest.mark.parametrize("commands", [FIRST, f"{FIRST}; {LATER}"])
def test_a_run_with_generated_assets_is_made_again_with_these_also_where_the_user_has_others(commands):
    config = make_config(command=commands, train_seeds=3, assets="generated stand-ins, in hf-libero 0.1.4")
    assert one_command(config).startswith("PARA_LIBERO_ASSETS=generated para experiment")
    assert one_command(config | {"assets": "LIBERO's own (abc)"}).startswith("para experiment")
