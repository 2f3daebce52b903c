"""A world's own scenes are asked for in place of a half: which, how many, and what is said where there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from para.commands.learning import Record
from para.experiments.single import OFFICIAL, claim_folder, scenes_to_try
from para.files import read_json, write_json
from para.interfaces import Scene
from para.rollout import RolloutConfig
from para.training.configs import config_to_dict
from para.worlds import WORLDS

OWN = [Scene((0.01 * i, 0.0), task=f"own_{i}") for i in range(5)]


@pytest.fixture
def own_world(monkeypatch):
    workspace = replace(WORLDS["tabletop"].workspace, own_scenes=lambda options: OWN[options.get("first", 0) :])
    monkeypatch.setitem(WORLDS, "tabletop", WORLDS["tabletop"]._replace(workspace=workspace))


def test_the_first_of_the_worlds_own_scenes_are_taken_as_its_options_say(own_world, tmp_path):
    assert scenes_to_try("tabletop", OFFICIAL, 3, seed=7, options={}) == OWN[:3]
    assert scenes_to_try("tabletop", OFFICIAL, 2, seed=7, options={"first": 3}) == OWN[3:]
    assert Record(tmp_path, half="official", positions=2).scenes({"first": 1}) == OWN[1:3]
    assert Record(tmp_path, half="official").scenes({}) == OWN


def test_more_than_there_are_and_other_starts_are_refused(own_world, tmp_path):
    with pytest.raises(ValueError, match="has 5 scenes of its own; asked for were 6"):
        scenes_to_try("tabletop", OFFICIAL, 6, seed=0, options={})
    with pytest.raises(ValueError, match="leave --random-starts out"):
        Record(tmp_path, half="official", random_starts=1).scenes({})
    with pytest.raises(ValueError, match="has 5 scenes of its own; asked for were 6"):
        Record(tmp_path, half="official", positions=6).scenes({})


def test_a_world_without_any_says_so(tmp_path):
    for ask in (
        lambda: scenes_to_try("tabletop", OFFICIAL, 1, 0, {}),
        lambda: Record(tmp_path, half=OFFICIAL).scenes({}),
    ):
        with pytest.raises(ValueError, match="'tabletop' has no scenes of its own; choose a half, or all"):
            ask()


@pytest.mark.parametrize(("home_view_m", "goes_on"), [(None, True), (0.02, False)])
def test_an_evaluation_older_than_an_option_goes_on_with_its_default_alone(tmp_path, home_view_m, goes_on):
    def config(**changes):
        execute, policy = config_to_dict(RolloutConfig(**changes)), {"horizon": 12, "younger": 1}
        return {"experiment": "evaluate", "policies": {"para": policy}, "execute": {"para": execute}}

    claim_folder(tmp_path / "run", config(), {}, [])
    (tmp_path / "run" / "results.jsonl").touch()
    older = read_json(tmp_path / "run" / "config.json")
    del older["execute"]["para"]["home_view_m"], older["policies"]["para"]["younger"]
    write_json(tmp_path / "run" / "config.json", older)
    if goes_on:
        claim_folder(tmp_path / "run", config(home_view_m=home_view_m), {}, [])
        return
    with pytest.raises(ValueError, match="it differs in execute"):
        claim_folder(tmp_path / "run", config(home_view_m=home_view_m), {}, [])
    assert read_json(tmp_path / "run" / "config.json") == older
