"""A second command on a folder: what it may add, and what it may not change."""

import pytest

from para.experiments.provenance import agrees, continued

OLD = {
    "command": "para experiment a", "started": "then", "seconds": {"record": 1.0}, "recipes": {"para": "ours"},
    "policies": {"para": {"horizon": 12, "backbone": {"channels": 48}}}, "execute": {"para": {"execute_steps": 4}},
    "learning_rates": {"para": 3e-3}, "train_steps": {"para": 800},
}  # fmt: skip

GENERATED = "generated stand-ins for LIBERO's assets, none of its files (sha256 of the scene's descriptions 012345)"
USERS = "LIBERO assets from the user's folder (sha256 of the scene's descriptions 6789ab)"


def made(**changes):
    return OLD | {"command": "para experiment b", "started": "now", "seconds": {"record": 0.0}} | changes


def test_options_that_are_younger_than_the_record_do_not_make_it_another_run():
    policies = {"para": {"horizon": 12, "backbone": {"channels": 48, "padding": "zeros"}, "third": "height"}}
    result = continued(made(policies=policies), OLD)
    assert result["command"] == "para experiment a; para experiment b" and result["started"] == "then"


@pytest.mark.parametrize(
    "changes",
    [
        {"policies": {"para": {"horizon": 6, "backbone": {"channels": 48}}}},
        {"policies": {"para": {"horizon": 12, "backbone": {"channels": 8}}}},
        {"policies": {"para": {"horizon": 12}}},
        {"execute": {"para": {"execute_steps": 1}}},
        {"learning_rates": {"para": 1e-3}},
        {"train_steps": {"para": 400}},
    ],
)
def test_what_differs_or_is_gone_makes_it_another_run(changes):
    with pytest.raises(ValueError, match="choose another --out"):
        continued(made(**changes), OLD)


@pytest.mark.parametrize("told", [{"assets": USERS}, {"thresholds": f"Missed: neither. Assets: {USERS}."}])
def test_other_assets_make_it_another_run_and_both_are_named(told):
    assert continued(made(assets=USERS), OLD | told)["assets"] == continued(made(), OLD | told)["assets"] == USERS
    with pytest.raises(ValueError, match="made with LIBERO assets from the user's.*would go on with generated"):
        continued(made(assets=GENERATED), OLD | told)


def test_a_record_that_tells_no_assets_gains_them_and_one_of_a_world_without_has_none():
    assert continued(made(assets=GENERATED), OLD)["assets"] == GENERATED
    assert "assets" not in continued(made(), OLD)


def test_a_further_policy_is_added_and_none_is_lost():
    result = continued(made(policies={"act": {"horizon": 12}}, recipes={"act": "theirs"}, execute={"act": {}}), OLD)
    assert set(result["policies"]) == set(result["recipes"]) == set(result["execute"]) == {"para", "act"}


def test_versions_of_earlier_commands_stay_each_once():
    first, second, third = ({"torch": version, "precision": "bfloat16"} for version in "123")
    record = continued(made(versions=first), OLD)
    assert record["versions"] == first and "earlier_versions" not in record
    for now, earlier in ((first, None), (second, [first]), (third, [first, second]), (second, [first, third])):
        record = continued(made(versions=now), record)
        assert record["versions"] == now and record.get("earlier_versions") == earlier


def test_agreement_is_about_what_the_old_one_tells():
    assert agrees({}, {"a": 1}) and not agrees({"a": 1}, {}) and not agrees({"a": {"b": 1}}, {"a": 2})
