import json

import pytest

from para.evaluation.results import adjusted, interval_of, p_of, shares_clusters, summarise
from para.evaluation.statistics import PairedCounts, newcombe_paired_interval, wilson_interval
from para.interfaces import Scene
from tests.evaluation.made_records import outcomes, record, seeds_that_agree


def summary(records, **options):
    return summarise(records, experiment="left_to_right", world="tabletop", scale="tiny", **options)


def test_errors_are_counted_apart_and_never_as_misses():
    row = summary(outcomes("para", "ppgmee"))["rows"][0]
    counts = {name: row[name] for name in ("trials", "placed", "grasped", "missed", "errors")}
    assert counts == {"trials": 4, "placed": 2, "grasped": 1, "missed": 1, "errors": 2}
    assert row["rate"] == 0.5
    assert (row["ci_low"], row["ci_high"]) == wilson_interval(2, 4)


def test_a_row_in_which_everything_raised_has_no_rate():
    row = summary(outcomes("act", "eee"))["rows"][0]
    assert (row["trials"], row["errors"], row["rate"], row["ci_low"], row["ci_high"]) == (0, 3, None, None, None)
    assert (row["clusters"], row["cluster_ci_low"], row["cluster_ci_high"]) == (0, None, None)


def test_seeds_are_pooled_and_named():
    records = outcomes("para", "pp", train_seed=2) + outcomes("para", "pm", train_seed=0)
    (row,) = summary(records)["rows"]
    assert row["train_seeds"] == [0, 2] and row["trials"] == 4 and row["placed"] == 3


def test_pairs_are_joined_on_seed_and_scene_and_leave_errors_out():
    records = outcomes("para", "pppmpe") + outcomes("act", "mpgp.p")[::-1]
    records += outcomes("para", "mm", train_seed=1)  # the other policy has no such seed
    records += outcomes("act", "p", split="train")
    (comparison,) = summary(records, comparisons=[("para", "act", "test")])["comparisons"]
    assert comparison["n_pairs"] == 4 and (comparison["both"], comparison["a_only"], comparison["b_only"]) == (1, 2, 1)
    assert comparison["difference"] == 0.25
    assert (comparison["ci_low"], comparison["ci_high"]) == newcombe_paired_interval(PairedCounts(1, 2, 1, 0))
    assert comparison["p_value"] == 1.0


def test_the_interval_to_show_is_widened_to_that_by_cluster_where_several_trainings_meet_one_scene():
    for seeds in (1, 2):
        records = seeds_that_agree("para", 12, 9, seeds) + seeds_that_agree("act", 12, 3, seeds)
        told = summary(records, comparisons=[("para", "act", "test")])
        for numbers in (*told["rows"], *told["comparisons"]):
            (low, high), kinds = interval_of(numbers), ("ci", "cluster_ci") if seeds > 1 else ("ci",)
            assert shares_clusters(numbers) is (seeds > 1)
            assert low == min(numbers[f"{kind}_low"] for kind in kinds)
            assert high == max(numbers[f"{kind}_high"] for kind in kinds)


def test_a_comparison_without_pairs_is_left_out():
    assert summary(outcomes("para", "pp"), comparisons=[("para", "act", "test")])["comparisons"] == []


def test_the_papers_numbers_stand_beside_their_row_only():
    records = outcomes("para", "p") + outcomes("para", "p", split="train") + outcomes("act", "m")
    rows = summary(records, paper={"para": {"test": (0.54, "table 1")}})["rows"]
    assert [(r["paper"], r["paper_source"]) for r in rows] == [(0.54, "table 1"), (None, None), (None, None)]


def test_a_summary_repeats_all_of_the_papers_numbers_those_of_policies_that_were_not_run_too():
    paper = {"para": {"test": (0.54, "table 1")}, "act": {"test": (0.01, "table 1"), "train": (0.9, "table 2")}}
    told = summary(outcomes("para", "p"), paper=paper)["paper"]
    numbers = {(p, s): (n["rate"], n["source"]) for p, of_splits in told.items() for s, n in of_splits.items()}
    assert numbers == {(p, s): number for p, of_splits in paper.items() for s, number in of_splits.items()}


def test_the_summary_has_the_documented_fields_and_is_json():
    records = outcomes("para", "pm") + outcomes("act", "mm")
    made = summary(records, comparisons=[("para", "act", "test")], seconds={"train": 3.0})
    assert set(made) == {"experiment", "world", "scale", "rows", "comparisons", "paper", "seconds"}
    row = "policy split train_seeds trials placed grasped missed errors rate ci_low ci_high paper paper_source"
    clusters = "cluster_by clusters cluster_ci_low cluster_ci_high"
    assert set(made["rows"][0]) == set(f"{row} {clusters}".split())
    comparison = "a b split difference ci_low ci_high p_value method n_pairs both a_only b_only p_cluster p_holm"
    assert set(made["comparisons"][0]) == set(f"{comparison} {clusters}".split())
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_two_records_of_one_episode_are_refused():
    with pytest.raises(ValueError, match="policy para, split test, train_seed 0, scene 0"):
        summary([record(), record(outcome="missed")])


def test_training_seeds_that_agree_in_every_scene_do_not_shorten_the_cluster_interval():
    (one,) = summary(seeds_that_agree("para", 40, 30, seeds=1))["rows"]
    (three,) = summary(seeds_that_agree("para", 40, 30))["rows"]
    ends = ["cluster_ci_low", "cluster_ci_high"]
    assert one["clusters"] == three["clusters"] == 40 and three["cluster_by"] == "position"
    assert [three[end] for end in ends] == pytest.approx([one[end] for end in ends])
    assert three["ci_high"] - three["ci_low"] < 0.7 * (three["cluster_ci_high"] - three["cluster_ci_low"])


def test_seeds_that_agree_are_no_further_evidence_for_a_difference():
    def comparison(seeds: int) -> dict:
        records = seeds_that_agree("para", 12, 12, seeds) + seeds_that_agree("act", 12, 5, seeds)
        return summary(records, comparisons=[("para", "act", "test")])["comparisons"][0]

    one, three = comparison(1), comparison(3)
    assert one["p_cluster"] == pytest.approx(one["p_value"]) and three["p_value"] < 0.01 * one["p_value"]
    assert three["p_cluster"] == pytest.approx(one["p_cluster"]) and three["clusters"] == 12


def test_p_values_are_adjusted_over_the_comparisons_that_were_made():
    records = seeds_that_agree("para", 12, 12, 1) + seeds_that_agree("act", 12, 5, 1) + seeds_that_agree("b", 12, 9, 1)
    asked = [("para", "act", "test"), ("para", "b", "test"), ("para", "absent", "test")]
    first, second = summary(records, comparisons=asked)["comparisons"]
    assert first["p_holm"] == pytest.approx(2 * first["p_cluster"])
    assert second["p_holm"] == pytest.approx(max(first["p_holm"], second["p_cluster"]))
    (alone,) = summary(records, comparisons=asked[:1])["comparisons"]
    assert alone["p_holm"] == alone["p_cluster"]


def test_that_pairs_share_clusters_makes_no_p_smaller():
    shared = {"clusters": 4, "n_pairs": 12}
    by_cluster, by_pair = shared | {"p_value": 0.04, "p_cluster": 0.01}, shared | {"p_value": 0.01, "p_cluster": 0.03}
    assert (p_of(by_cluster), p_of(by_pair)) == (0.04, 0.03)
    assert [c["p_holm"] for c in adjusted([by_cluster, by_pair])] == pytest.approx([0.06, 0.06])


@pytest.mark.parametrize(
    ("scenes", "kind", "n"),
    [
        (
            [Scene((0.01 * i, 0.0), view_theta_deg=5.0 * (i % 12), view_phi_deg=90.0) for i in range(24)],
            "viewpoint",
            12,
        ),
        ([Scene((0.01 * (i % 10), 0.0), distractors=("mug",), seed=i) for i in range(20)], "position", 10),
        ([Scene((0.0, 0.0), distractors=("mug",), seed=i) for i in range(20)], "scene", 20),
        ([Scene((0.0, 0.0), view_phi_deg=10.0 * i, seed=i) for i in range(20)], "scene", 20),  # untilted: one view
        ([Scene((0.01 * (i % 3), 0.0), seed=i) for i in range(6)], "scene", 6),
    ],
)
def test_episodes_are_taken_together_by_the_coarsest_thing_that_they_differ_in(scenes, kind, n):
    records = [record(scene_index=i, scene=scene.to_dict()) for i, scene in enumerate(scenes)]
    (row,) = summary(records)["rows"]
    assert (row["cluster_by"], row["clusters"]) == (kind, n)


def test_the_order_of_the_records_changes_no_number():
    records = seeds_that_agree("para", 30, 20) + seeds_that_agree("act", 30, 11)
    ways = [summary(order, comparisons=[("para", "act", "test")]) for order in (records, records[::-1])]
    assert ways[0]["comparisons"] == ways[1]["comparisons"]
    assert sorted(ways[0]["rows"], key=lambda row: row["policy"]) == sorted(
        ways[1]["rows"], key=lambda row: row["policy"]
    )
