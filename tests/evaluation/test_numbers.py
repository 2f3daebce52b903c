import pytest

from para.evaluation.numbers import number_text, parse_number, recompute
from para.evaluation.records import append_records, read_results
from para.evaluation.results import summarise
from tests.evaluation.made_records import outcomes, seeds_that_agree


@pytest.fixture
def folder(tmp_path):
    records = seeds_that_agree("para", 20, 15) + outcomes("act", "pgmme") + outcomes("act", "ee", split="train")
    append_records(tmp_path / "viewpoints" / "results.jsonl", records)
    return tmp_path


def test_a_number_is_that_of_the_summary_without_reading_it(folder):
    row = recompute(folder, *parse_number("viewpoints/para/test"))
    records = read_results(folder / "viewpoints" / "results.jsonl")
    rows = summarise(records, experiment="viewpoints", world="tabletop", scale="tiny")["rows"]
    assert {**row, "paper": None, "paper_source": None}.items() >= rows[0].items()
    assert row["experiment"] == "viewpoints" and row["records"].endswith("results.jsonl")


def test_the_text_shows_count_rate_both_intervals_and_the_file(folder):
    text = number_text(recompute(folder, "viewpoints", "para", "test"))
    for part in ("45 of 60 trials (training seeds 0, 1, 2)", "75.0%", "20 positions", "results.jsonl", "15 missed"):
        assert part in text, text
    assert "Wilson, 95%" in text and "clusters, 95%" in text


def test_where_nothing_ran_there_is_no_rate(folder):
    text = number_text(recompute(folder, "viewpoints", "act", "train"))
    assert "0 of 0 trials" in text and "2 errors" in text and "%" not in text


def test_what_is_not_there_is_refused_with_what_is(folder):
    with pytest.raises(FileNotFoundError, match="no results at"):
        recompute(folder, "hemispheres", "para", "test")
    with pytest.raises(ValueError, match="did you mean 'para'.*known: act, para"):
        recompute(folder, "viewpoints", "parra", "test")
    with pytest.raises(ValueError, match="known: test"):
        recompute(folder, "viewpoints", "para", "train")  # the other policy has that split, this one has not
    for wrong in ("viewpoints/para", "viewpoints//test", "a/b/c/d"):
        with pytest.raises(ValueError, match="viewpoints/para/test"):
            parse_number(wrong)
