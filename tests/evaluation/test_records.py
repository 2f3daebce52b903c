import json

import pytest

from para.evaluation.records import append_records, read_results
from para.interfaces import Scene
from tests.evaluation.made_records import outcomes, record


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


def test_a_kill_at_any_byte_loses_at_most_the_last_record(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda file: None)  # hundreds of them would keep a busy disk for minutes
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
