"""What records say of a world's assets: where it stands, in old files too, and which of it makes another look."""

from __future__ import annotations

from pathlib import Path

import pytest

from para.assets import in_brief, look, told_of_both, with_own_entry
from para.files import read_json
from tests.experiments.test_provenance import GENERATED, USERS

RESULTS = Path(__file__).parents[1] / "results"

IN = ", in hf-libero 0.1.4 and robosuite 1.4.0"
STAGES = "Placed: judged so. Missed: neither."


def test_committed_runs_in_libero_say_that_their_assets_were_generated_and_go_on_with_these_alone():
    configs = [read_json(path) for path in sorted(RESULTS.glob("libero/*/config.json"))]
    assert len(configs) >= 5 and in_brief(configs) == "generated assets"
    for config in map(with_own_entry, configs):
        assert config["thresholds"].endswith("Missed: neither.")
        told_of_both(config["assets"], GENERATED + IN)
        with pytest.raises(ValueError, match="generated stand-ins .* would go on with LIBERO assets from the user's"):
            told_of_both(config["assets"], USERS + IN)


def test_assets_that_stand_at_the_end_of_the_thresholds_get_their_own_entry():
    old = {"thresholds": f"{STAGES} Assets: {USERS}{IN}.", "world": "libero"}
    new = {"thresholds": STAGES, "world": "libero", "assets": USERS + IN}
    assert with_own_entry(old) == with_own_entry(new) == new


@pytest.mark.parametrize("thresholds", [STAGES, f"{STAGES} Assets: none (world 'libero' needs hf-libero)."])
def test_a_config_that_tells_no_assets_gets_no_entry(thresholds):
    assert with_own_entry({"thresholds": thresholds}) == {"thresholds": STAGES}
    assert with_own_entry({}) == {} and in_brief([{}, {"thresholds": thresholds}]) == ""


def test_versions_make_no_other_look_and_neither_does_what_generated_assets_are_generated_by():
    assert look(USERS + IN) == look(USERS + ", in hf-libero 0.1.5 and robosuite 1.4.0") == USERS
    assert look(GENERATED + IN) == look(GENERATED.replace("012345", "cdef01")) == "generated"
    assert look(USERS) != look(USERS.replace("6789ab", "cdef01"))


def test_what_goes_on_says_what_both_commands_used():
    younger = GENERATED.replace("012345", "cdef01")
    assert told_of_both(GENERATED, GENERATED) == told_of_both(GENERATED, "") == told_of_both("", GENERATED) == GENERATED
    both = told_of_both(GENERATED, younger)
    assert both == f"{GENERATED}; {younger}" and told_of_both(both, younger) == told_of_both(both, GENERATED) == both
    assert told_of_both("", "") == ""


def test_in_brief_every_look_is_named_once():
    configs = [{"assets": GENERATED}, {"assets": USERS + IN}, {"assets": GENERATED + IN}]
    assert in_brief(configs) == "LIBERO assets from the user's folder; generated assets"
