"""A number that is computed anew is the one of the tables, and what is no number is refused with what there is."""

from dataclasses import replace
from pathlib import Path

import pytest

from para.evaluation.family import summarise_family
from para.evaluation.numbers import look_up, number_text, parse_number, recompute, recompute_difference
from para.evaluation.records import EpisodeRecord, append_records, read_results
from para.evaluation.results import summarise
from para.experiments import EXPERIMENTS
from para.files import write_json
from para.interfaces import Scene
from para.policies import POLICIES
from tests.evaluation.made_records import outcomes, seeds_that_agree


@pytest.fixture
def folder(tmp_path) -> Path:
    """One run, in which some of ACT's episodes raised."""
    records = seeds_that_agree("para", 20, 15) + outcomes("act", "pgmme") + outcomes("act", "ee", split="train")
    append_records(tmp_path / "viewpoints" / "results.jsonl", records)
    return tmp_path


def in_scenes(policy: str, text: str) -> list[EpisodeRecord]:
    """One record per letter, each in a scene of its own."""
    return [replace(r, scene=Scene((0.01 * r.scene_index, 0.0)).to_dict()) for r in outcomes(policy, text)]


@pytest.fixture
def family(tmp_path) -> Path:
    """Two runs: three comparisons of headline policies between them, and a variant outside of the table."""
    near = in_scenes("para", "ppppppgmpppp") + in_scenes("act", "pgmmmmpemmmm") + in_scenes("act+n4", "mmmmmmmm")
    near += in_scenes("diffusion", "pppmmmmmmmmm")
    far = in_scenes("para", "ppppm") + in_scenes("act", "mmmmp")
    for name, records in (("near", near), ("far", far)):
        made = [replace(record, experiment=name) for record in records]
        append_records(tmp_path / name / "results.jsonl", made)
    write_json(tmp_path / "near" / "config.json", {"experiment": "near", "headline": ["para", "act", "diffusion"]})
    return tmp_path


def test_a_number_is_that_of_the_summary_without_reading_it(folder):
    row = recompute(folder, "viewpoints", "para", "test")
    records = read_results(folder / "viewpoints" / "results.jsonl")
    rows = summarise(records, experiment="viewpoints", world="tabletop", scale="tiny")["rows"]
    assert {**row, "paper": None, "paper_source": None}.items() >= rows[0].items()
    assert row["experiment"] == "viewpoints" and row["records"].endswith("results.jsonl")


def test_the_text_shows_count_rate_both_intervals_and_the_file(folder):
    text = number_text(recompute(folder, "viewpoints", "para", "test"))
    for part in ("45 of 60 trials (training seeds 0, 1, 2)", "75.0%", "20 positions", "results.jsonl", "15 missed"):
        assert part in text, text
    assert "Wilson, 95%" in text and "clusters, 95%" in text


def test_a_run_s_own_folder_will_do_by_the_name_of_the_folder_or_of_the_experiment(folder):
    run = (folder / "viewpoints").rename(folder / "mine")
    assert look_up(run, "mine/para/test") == look_up(folder, "mine/para/test")
    experiment = read_results(run / "results.jsonl")[0].experiment
    assert recompute(run, experiment, "para", "test")["placed"] == 45
    with pytest.raises(ValueError, match="no experiment with records in .* is called 'yours'"):
        look_up(run, "yours/para/test")


def test_each_training_by_itself_adds_up_to_all(folder):
    row = recompute(folder, "viewpoints", "para", "test")
    each = row["by_training"]
    assert list(each) == row["train_seeds"] == [0, 1, 2]
    assert sum(one["placed"] for one in each.values()) == row["placed"]
    assert ", ".join(f"{one['placed']} of {one['trials']}" for one in each.values()) in number_text(row)


def test_where_nothing_ran_there_is_no_rate(folder):
    text = number_text(recompute(folder, "viewpoints", "act", "train"))
    assert "0 of 0 trials" in text and "2 errors" in text and "%" not in text


def test_what_is_not_there_is_refused_with_what_is(folder):
    with pytest.raises(FileNotFoundError, match="no results at"):
        recompute(folder / "elsewhere", "hemispheres", "para", "test")
    with pytest.raises(ValueError, match="'hemispheres' .known: viewpoints"):
        recompute(folder, "hemispheres", "para", "test")
    with pytest.raises(ValueError, match="did you mean 'para'.*known: act, para"):
        recompute(folder, "viewpoints", "parra", "test")
    with pytest.raises(ValueError, match="known: test"):
        recompute(folder, "viewpoints", "para", "train")  # the other policy has that split, this one has not


def test_a_difference_is_that_of_the_family_with_its_holm_p(family):
    for c in summarise_family(family)["comparisons"]:
        found = recompute_difference(family, c["experiment"], c["a"], c["b"], c["split"])
        assert c.items() <= found.items() and found["family"] == 3
        assert found["p_holm"] > found["p_cluster"] or found["p_holm"] == 0.375  # the largest p is not adjusted
        turned = recompute_difference(family, c["experiment"], c["b"], c["a"], c["split"])
        assert (turned["difference"], turned["p_holm"]) == (-c["difference"], c["p_holm"])


def test_the_text_of_a_difference_shows_the_pairs_and_every_p(family):
    text = look_up(family, "near/para-act/test")
    holm = recompute_difference(family, "near", "para", "act", "test")["p_holm"]
    for part in (
        "11: 1 both placed, 9 only para, 1 only act, 0 neither", "+72.7 points, para minus act",
        "Newcombe, 95%", "McNemar, exact    p = 0.0215", "clusters, exact   p = 0.0215 (11 positions)",
        f"p = {holm:.3g}", "the family's 3 comparisons",
    ):  # fmt: skip
        assert part in text, text


def test_a_difference_outside_of_the_family_says_so_and_has_no_holm_p(family):
    assert recompute_difference(family, "near", "act", "act+n4", "test")["p_holm"] is None
    text = look_up(family, "near/act-act+n4/test")
    assert (
        "not one of the 3 comparisons of the family" in text
        and "not adjusted" in text
        and "McNemar, exact    p = 0.5" in text
    )


def test_the_name_of_a_number_has_one_policy_or_two():
    assert parse_number("viewpoints/para/test") == ("viewpoints", ("para",), "test")
    assert parse_number("a_1/act+n4-para_2+n4/beyond") == ("a_1", ("act+n4", "para_2+n4"), "beyond")
    for wrong in ("viewpoints/para", "viewpoints//test", "a/b/c/d", "a/b-c-d/e", "a/-b/c", "a/b-/c", "a/b c/d"):
        with pytest.raises(ValueError, match="viewpoints/para/test.*viewpoints/para-act/test.*got"):
            parse_number(wrong)


def test_every_policy_of_an_experiment_has_a_name_that_a_number_can_ask_for():
    policies = {
        recipe.name + suffix for e in EXPERIMENTS.values() for recipe in e.recipes for suffix in recipe.executions
    }
    for policy in {*policies, *POLICIES}:
        assert parse_number(f"viewpoints/{policy}-{policy}/test")[1] == (policy, policy)


def test_of_a_difference_too_what_is_not_there_is_refused_with_what_is(folder, family):
    with pytest.raises(ValueError, match="did you mean 'act'"):
        recompute_difference(family, "near", "para", "acd", "test")
    with pytest.raises(ValueError, match="known: test"):
        recompute_difference(folder, "viewpoints", "act", "para", "train")
    with pytest.raises(ValueError, match="no scene of train .* ran with both act and act"):
        recompute_difference(folder, "viewpoints", "act", "act", "train")  # both of its episodes there raised
