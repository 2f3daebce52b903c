"""Runs in a world that can be made of several assets: none goes on with others, and each says which it used."""

from __future__ import annotations

import pytest

from para.datasets import describe_dataset
from para.evaluation.protocol import WorldSpec
from para.experiments.experiment import TrainingSet
from para.experiments.run import RunOptions, check_runs, config_of, plan_run, record_demonstrations
from para.experiments.single import evaluate_checkpoint
from para.experiments.store import demonstrations_key
from para.files import read_json, write_json
from para.interfaces import Scene
from para.rollout import RolloutConfig
from para.training.checkpoint import save_policy
from para.worlds import WORLDS
from tests import sized_world
from tests.experiments.test_provenance import GENERATED, USERS
from tests.test_cli import para
from tests.tiny import build, policy_config


class World(sized_world.SizedFakeWorld):
    """Looks the same with any assets."""

    def __init__(self, image_size: tuple[int, int] = (128, 128), *, dwell_frames: int = 3, assets: str = ""):
        super().__init__(image_size, dwell_frames=dwell_frames)


@pytest.fixture
def at_hand(monkeypatch) -> dict[str, str]:
    """What the world is made of where no option says it, as "assets"."""
    found = {"assets": GENERATED}
    sized_world.register(monkeypatch)
    entry = WORLDS["fake"]._replace(build=World, describe_assets=lambda options: (found | dict(options))["assets"])
    monkeypatch.setitem(WORLDS, "fake", entry)
    return found


def options(out, **changes) -> RunOptions:
    return RunOptions("left_to_right", out, world="fake", scale="tiny", recipes=("para",), workers=0, **changes)


def test_a_run_goes_on_with_the_assets_that_it_was_begun_with_and_no_others(tmp_path, at_hand):
    config = config_of(plan_run(options(tmp_path)))
    assert config["assets"] == GENERATED
    write_json(tmp_path / "config.json", config)
    at_hand["assets"] = USERS
    with pytest.raises(ValueError, match="made with generated stand-ins.*go on with LIBERO assets from the user's"):
        check_runs([options(tmp_path)])
    assert read_json(tmp_path / "config.json")["assets"] == GENERATED
    at_hand["assets"] = GENERATED.replace("012345", "cdef01")
    check_runs([options(tmp_path)])


def test_a_run_of_when_assets_had_no_entry_of_their_own_is_known_by_its_thresholds(tmp_path, at_hand):
    old = config_of(plan_run(options(tmp_path)))
    old["thresholds"] += f" Assets: {old.pop('assets')}."
    write_json(tmp_path / "config.json", old)
    assert config_of(plan_run(options(tmp_path)))["assets"] == GENERATED
    at_hand["assets"] = USERS
    with pytest.raises(ValueError, match="made with generated stand-ins.*user's folder"):
        config_of(plan_run(options(tmp_path)))
    at_hand["assets"] = ""  # where hf-libero is not installed
    assert config_of(plan_run(options(tmp_path)))["assets"] == GENERATED


def test_shared_demonstrations_and_policies_are_apart_for_each_look(tmp_path, at_hand):
    plan = plan_run(options(tmp_path / "run", shared=tmp_path / "shared"))

    def folders():
        return {*map(plan.folder_of, plan.sets), *(plan.checkpoint(recipe, 0) for recipe in plan.recipes)}

    generated = folders()
    at_hand["assets"] = ""
    assert folders() == generated
    at_hand["assets"] = USERS
    users = folders()
    at_hand["assets"] = USERS.replace("6789ab", "cdef01")
    assert not generated & users and not (generated | users) & folders()


@pytest.mark.parametrize("world, key", [("libero", "6a5e0e2d19d8"), ("tabletop", "afa1518da668")])
def test_demonstrations_with_generated_assets_keep_the_folder_that_they_had_before_assets_counted(
    monkeypatch, world, key
):
    scenes = TrainingSet([Scene((0.1, 0.2))])
    for assets in ("", GENERATED):
        monkeypatch.setitem(WORLDS, world, WORLDS[world]._replace(describe_assets=lambda options, a=assets: a))
        assert demonstrations_key(WorldSpec(world, (64, 64)), scenes) == key


def test_the_demonstrations_of_a_run_say_what_they_show(tmp_path, at_hand):
    plan = plan_run(options(tmp_path))
    record_demonstrations(plan, config_of(plan))
    assert {describe_dataset(plan.folder_of(name))["assets"] for name in plan.sets} == {GENERATED}


def test_an_evaluation_says_which_assets_its_options_chose_and_is_not_gone_on_with_others(tmp_path, at_hand):
    checkpoint = save_policy(build(policy_config("para")), tmp_path / "policy")

    def evaluate(**world_options):
        evaluate_checkpoint(
            checkpoint, tmp_path / "run", world="fake", half=None, n=1, seed=0, rollout=RolloutConfig(), n_videos=0,
            workers=0, world_options=world_options,
        )  # fmt: skip
        return read_json(tmp_path / "run" / "config.json")["assets"]

    assert evaluate(assets=USERS) == evaluate(assets=USERS) == USERS
    with pytest.raises(ValueError, match="run: .*user's folder.*go on with generated stand-ins"):
        evaluate()


def test_an_evaluation_of_when_assets_had_no_entry_of_their_own_goes_on(tmp_path, at_hand):
    checkpoint, out = save_policy(build(policy_config("para")), tmp_path / "policy"), tmp_path / "run"
    how = {"world": "fake", "half": None, "n": 1, "seed": 0, "rollout": RolloutConfig(), "n_videos": 0, "workers": 0}
    evaluate_checkpoint(checkpoint, out, **how, world_options={})
    old = read_json(out / "config.json")
    old["thresholds"] += f" Assets: {old.pop('assets')}."
    write_json(out / "config.json", old)
    evaluate_checkpoint(checkpoint, out, **how, world_options={})
    assert read_json(out / "config.json")["assets"] == GENERATED


def test_recorded_demonstrations_say_which_assets_their_options_chose(tmp_path, at_hand):
    command = ["record", "--world", "fake", "--image-size", "48", "64", "--workers", "0", "--out", tmp_path / "data"]
    chosen = ["--world-options", f"assets={USERS}"]
    assert para(*command, *chosen).code == para(*command, *chosen).code == 0
    assert f"assets: {USERS}" in para("dataset", "info", tmp_path / "data").out
    refused = para(*command)
    assert refused.code == 2 and "user's folder" in refused.err and "generated stand-ins" in refused.err
