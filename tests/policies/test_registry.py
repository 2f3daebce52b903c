"""How policies are asked for."""

import pytest

from para.policies import POLICIES, make_policy, policy_entry


def test_an_unknown_policy_gets_a_suggestion():
    with pytest.raises(ValueError, match=r"no policy 'prra'; did you mean 'para'\? \(known: act, "):
        policy_entry("prra")


def test_a_config_of_no_policy_is_refused():
    with pytest.raises(ValueError, match="no policy takes a dict"):
        make_policy({})


def test_every_entry_is_found_by_its_name():
    assert all(policy_entry(name) is entry for name, entry in POLICIES.items())
