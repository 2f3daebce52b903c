import json

import pytest

from para.evaluation.results import (
    EpisodeRecord,
    append_records,
    count_pairs,
    read_results,
    summarise,
)
from para.evaluation.statistics import newcombe_paired_interval, wilson_interval
from para.interfaces import Scene


def record(policy="para", split="test", train_seed=0, scene_index=0, outcome="placed", **changes) -> EpisodeRecord:
    values = {
        "experiment": "left_to_right",
        "world": "tabletop",
        "policy": policy,
        "train_seed": train_seed,
        "split": split,
        "scene": Scene((0.31, -0.07)).to_dict(),
        "scene_index": scene_index,
        "outcome": outcome,
        "steps": 30,
        "seconds": 1.5,
        "checkpoint": "0123456789ab",
    }
    return EpisodeRecord(**{**values, **changes})


def outcomes(policy: str, text: str, **changes) -> list[EpisodeRecord]:
    """One record per letter: p placed, g grasped, m missed, e error; `.` leaves a scene out."""
    names = {"p": "placed", "g": "grasped", "m": "missed", "e": None}
    return [
        record(policy, scene_index=i, outcome=names[c], error="ValueError: boom" if c == "e" else None, **changes)
        for i, c in enumerate(text)
        if c != "."
    ]


def summary(records, **options):
    return summarise(records, experiment="left_to_right", world="tabletop", scale="tiny", **options)


def test_records_survive_the_file(tmp_path):
    records = [
        record(boundary_distance_m=0.12, ee_path=[[0.3, 0.1, 0.2], [0.31, 0.1, 0.05]], video="videos/para/test_0.mp4"),
        record(scene_index=1, outcome=None, error="ValueError: the target is not finite\nä"),
    ]
    path = tmp_path / "deep" / "results.jsonl"
    append_records(path, records[:1])
    append_records(path, records[1:])
    assert read_results(path) == records
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["error"] is None and lines[1]["outcome"] is None
    assert Scene.from_dict(lines[0]["scene"]) == Scene((0.31, -0.07))


def test_a_kill_at_any_byte_loses_at_most_the_last_record(tmp_path):
    records = outcomes("para", "pgm")
    whole = tmp_path / "whole.jsonl"
    append_records(whole, records)
    content = whole.read_bytes()
    start_of_last = content[:-1].rfind(b"\n") + 1
    for cut in range(start_of_last, len(content)):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(content[:cut])
        kept = read_results(torn)
        assert kept == records[:2] or kept == records
        append_records(torn, [r for r in records if r not in kept])
        assert torn.read_bytes() == content


def test_a_malformed_line_is_refused_with_its_number(tmp_path):
    path = tmp_path / "results.jsonl"
    append_records(path, outcomes("para", "pgm"))
    good = path.read_text().splitlines()
    for bad, why in [
        ('{"policy": "para"', "line 2"),
        ("[1, 2]", "line 2.*JSON object"),
        (json.dumps({**json.loads(good[1]), "colour": 1}), r"line 2.*colour"),
        (json.dumps({k: v for k, v in json.loads(good[1]).items() if k != "error"}), r"line 2.*lacks \['error'\]"),
        (json.dumps({**json.loads(good[1]), "outcome": "success"}), "line 2.*placed, grasped, missed"),
        (json.dumps({**json.loads(good[1]), "outcome": None}), "line 2.*outcome or an error"),
        (json.dumps({**json.loads(good[1]), "train_seed": "0"}), "line 2.*whole numbers"),
        (good[0], "two records of one episode.*scene 0"),
    ]:
        path.write_text("\n".join([good[0], bad, good[2]]) + "\n")
        with pytest.raises(ValueError, match=why):
            read_results(path)


def test_no_file_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="run an experiment"):
        read_results(tmp_path / "results.jsonl")


def test_a_record_with_nan_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "results.jsonl"
    with pytest.raises(ValueError):
        append_records(path, [record(), record(scene_index=1, seconds=float("nan"))])
    assert not path.exists()


def test_errors_are_counted_apart_and_never_as_misses():
    row = summary(outcomes("para", "ppgmee"))["rows"][0]
    counts = {name: row[name] for name in ("trials", "placed", "grasped", "missed", "errors")}
    assert counts == {"trials": 4, "placed": 2, "grasped": 1, "missed": 1, "errors": 2}
    assert row["rate"] == 0.5
    assert (row["ci_low"], row["ci_high"]) == wilson_interval(2, 4)


def test_a_row_in_which_everything_raised_has_no_rate():
    row = summary(outcomes("act", "eee"))["rows"][0]
    assert (row["trials"], row["errors"], row["rate"], row["ci_low"], row["ci_high"]) == (0, 3, None, None, None)


def test_seeds_are_pooled_and_named():
    records = outcomes("para", "pp", train_seed=2) + outcomes("para", "pm", train_seed=0)
    (row,) = summary(records)["rows"]
    assert row["train_seeds"] == [0, 2] and row["trials"] == 4 and row["placed"] == 3


def test_pairs_are_joined_on_seed_and_scene_and_leave_errors_out():
    records = outcomes("para", "pppmpe") + outcomes("act", "mpgp.p")[::-1]
    records += outcomes("para", "mm", train_seed=1)  # the other policy has no such seed
    records += outcomes("act", "p", split="train")
    counts = count_pairs(records, "para", "act", "test")
    assert counts == (1, 2, 1, 0)
    (comparison,) = summary(records, comparisons=[("para", "act", "test")])["comparisons"]
    assert comparison["n_pairs"] == 4 and (comparison["both"], comparison["a_only"], comparison["b_only"]) == (1, 2, 1)
    assert comparison["difference"] == 0.25
    assert (comparison["ci_low"], comparison["ci_high"]) == newcombe_paired_interval(counts)
    assert comparison["p_value"] == 1.0


def test_a_comparison_without_pairs_is_left_out():
    assert summary(outcomes("para", "pp"), comparisons=[("para", "act", "test")])["comparisons"] == []


def test_the_papers_numbers_stand_beside_their_row_only():
    records = outcomes("para", "p") + outcomes("para", "p", split="train") + outcomes("act", "m")
    rows = summary(records, paper={"para": {"test": (0.54, "table 1")}})["rows"]
    assert [(r["paper"], r["paper_source"]) for r in rows] == [(0.54, "table 1"), (None, None), (None, None)]


def test_the_summary_has_the_documented_fields_and_is_json():
    records = outcomes("para", "pm") + outcomes("act", "mm")
    made = summary(records, comparisons=[("para", "act", "test")], seconds={"train": 3.0})
    assert set(made) == {"experiment", "world", "scale", "rows", "comparisons", "seconds"}
    row = "policy split train_seeds trials placed grasped missed errors rate ci_low ci_high paper paper_source"
    assert set(made["rows"][0]) == set(row.split())
    comparison = "a b split difference ci_low ci_high p_value method n_pairs both a_only b_only"
    assert set(made["comparisons"][0]) == set(comparison.split())
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_two_records_of_one_episode_are_refused():
    with pytest.raises(ValueError, match="policy para, split test, train_seed 0, scene 0"):
        summary([record(), record(outcome="missed")])
