import html
import json
import re
from html.parser import HTMLParser

import pytest

from para.evaluation.results import EpisodeRecord, append_records, read_results
from para.reports import build_report
from para.reports.wording import comparison_text, percent, policy_name, rate_text
from tests.reports.synthetic_run import make_config, make_records, write_run


def text_of(page: str) -> str:
    """What a reader sees: no tags, no styles, single spaces."""
    body = re.sub(r"<(style|pre|svg)\b.*?</\1>", " ", page[page.index("<body") :], flags=re.DOTALL)
    apart = re.sub(r"</?(td|th|tr|p|li|ul|h\d|div|dt|dd|figcaption|section|header|nav|a)\b[^>]*>", " ", body)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", apart)))


class Elements(HTMLParser):
    """Collects what a browser would fetch, and ids and references between elements."""

    def __init__(self):
        super().__init__()
        self.sources, self.ids, self.references, self.open, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "srcset", "poster", "data") or (name == "href" and tag not in ("a", "use")):
                self.sources.append(value)
            if name == "id":
                self.ids.append(value)
            if value and (value.startswith("#") and name == "href"):
                self.references.append(value[1:])
            self.references += re.findall(r"url\(#([^)]+)\)", value or "")
        if tag not in ("meta", "link", "img", "br", "path", "line", "circle", "use", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in ("path", "line", "circle", "use", "rect"):
            return
        assert self.open.pop() == tag


def elements(page: str) -> Elements:
    parser = Elements()
    parser.feed(page)
    return parser


def test_every_row_of_the_summary_stands_in_the_page_with_its_count_and_interval(reported):
    folder, page = reported
    said = text_of(page)
    rows = json.loads((folder / "summary.json").read_text())["rows"]
    assert len(rows) == 24
    for row in rows:
        assert rate_text(row) in said
        assert f"({row['placed']}/{row['trials']}, 95% interval" in said


def test_every_rate_in_the_page_is_one_of_the_summary(reported):
    folder, page = reported
    summary = json.loads((folder / "summary.json").read_text())
    found = set(re.findall(r"[\d.<>]+% \(\d+/\d+, 95% interval \d+ to \d+%(?: by cluster)?\)", text_of(page)))
    assert found == {rate_text(row) for row in summary["rows"]}


def test_the_headline_holds_rates_difference_and_p_value_of_the_first_two_policies_out_of_distribution(reported):
    folder, page = reported
    summary = json.loads((folder / "summary.json").read_text())
    para, act = ([r for r in summary["rows"] if r["policy"] == p and r["split"] == "test"][0] for p in ("para", "act"))
    (comparison,) = [c for c in summary["comparisons"] if (c["a"], c["b"], c["split"]) == ("para", "act", "test")]
    head = text_of(page).split("Ours and the paper’s")[0]
    for row in (para, act):
        assert f"{percent(row['rate'])} ({row['placed']}/{row['trials']})" in head
        assert rate_text(row) in head
    assert comparison_text(comparison) in head


def test_the_papers_numbers_carry_their_source_and_a_warning_at_another_scale(reported):
    _, page = reported
    said = text_of(page)
    assert "PARA 54%: 54 of 100 trials" in said and "not comparable one to one" in said
    assert "scale is small" in said


def test_at_the_papers_scale_there_is_no_warning(tmp_path):
    config = make_config(scale={"name": "paper"})
    page = build_report(write_run(tmp_path, config=config, pictures=False)).read_text()
    assert "not comparable" not in page


def test_the_page_needs_no_network(reported):
    _, page = reported
    assert not re.search(r"https?:|//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    found = elements(page)
    assert found.sources and all(source.startswith("data:") for source in found.sources)
    assert "script" not in found.tags and "@import" not in page


def test_the_page_is_well_formed_and_its_references_lead_somewhere_within_it(reported):
    _, page = reported
    found = elements(page)
    assert not found.open
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)


def test_names_errors_and_options_from_files_are_escaped(tmp_path):
    evil = "<script>alert('x')</script>&"
    config = make_config(title=evil, question=evil, command=evil, thresholds=evil, versions={evil: evil})
    config["recipes"] = {"para+paper_form": evil}
    records = make_records(n_train=4, n_test=4, errors=1)
    append_records(tmp_path / "results.jsonl", records)
    moved = [type(r).from_dict({**r.to_dict(), "policy": evil, "split": evil, "video": None}) for r in records[:4]]
    append_records(tmp_path / "results.jsonl", moved)
    (tmp_path / "config.json").write_text(json.dumps(config))
    page = build_report(tmp_path).read_text()
    assert "<script" not in page and "<b>is not</b>" not in page
    assert page.count(html.escape(evil)) > 8
    assert not elements(page).open


@pytest.mark.parametrize("own_entry", [True, False])
def test_the_assets_of_a_run_stand_once_below_its_results(tmp_path, own_entry):
    told = (
        {"thresholds": "Missed: neither.", "assets": "a <b>"}
        if own_entry
        else {"thresholds": "Missed: neither. Assets: a <b>."}
    )
    write_run(tmp_path, config=make_config(**told))
    page = build_report(tmp_path).read_text(encoding="utf-8")
    assert page.count("Missed: neither. Assets: a &lt;b&gt;.") == page.count("a &lt;b&gt;") == 1


def test_errors_are_shown_apart_with_what_they_said(reported):
    folder, page = reported
    said = text_of(page)
    n = len(read_results(folder / "results.jsonl"))
    assert f"4 of {n} episodes raised an error" in said
    assert "4 × ACT, out of distribution: ValueError: the target <b>is not</b> finite" in said


def test_without_errors_the_page_does_not_speak_of_them(tmp_path):
    page = build_report(write_run(tmp_path, pictures=False)).read_text()
    assert "error</" not in text_of(page) and "raised" not in page and ">errors<" not in page


def test_the_table_of_executed_steps_is_in_order_and_marks_each_headline(reported):
    _, page = reported
    section = page[page.index('id="executions"') : page.index('id="variants"')]
    heads = re.findall(r'<th scope="row">(.*?)</th>', section)
    assert heads == ["1", "2", "4", "all of the chunk", "1 + temporal ensembling"]
    rows = re.findall(r"<tr>(.*?)</tr>", section, flags=re.DOTALL)[-5:]
    cells = [[">headline<" in cell for cell in re.findall(r"<td>(.*?)</td>", row)] for row in rows]
    para, act = (
        [True, False, True, False],
        [False, True, False, True],
    )  # columns: PARA and ACT, out of and in distribution
    assert cells == [[False] * 4, [False] * 4, para, [False] * 4, act]
    assert "Steps executed per prediction: PARA 4, ACT 1 + temporal ensembling." in text_of(page)


def test_without_options_the_ways_of_execution_are_known_by_their_names(tmp_path):
    page = build_report(write_run(tmp_path, everything=False)).read_text()
    section = page[page.index('id="executions"') :]
    heads = re.findall(r'<th scope="row">(.*?)</th>', section)
    assert heads == ["1", "2", "4", "as configured", "all of the chunk", "1 + temporal ensembling"]


def test_several_seeds_are_pooled_and_shown_one_by_one(reported):
    folder, page = reported
    placed = [
        sum(
            r.outcome == "placed"
            for r in read_results(folder / "results.jsonl")
            if key == (r.policy, r.split, r.train_seed)
        )
        for key in (("para", "train", 0), ("para", "train", 1))
    ]
    assert f"PARA, in distribution: {placed[0]}/12, {placed[1]}/12" in text_of(page)


def test_a_run_with_records_alone_has_a_page(tmp_path):
    folder = write_run(tmp_path, everything=False)
    page = build_report(folder).read_text()
    said = text_of(page)
    assert "PARA" in said and "95% interval" in said and "exact McNemar" in said
    for absent in ('id="rollouts"', 'id="predictions"', 'id="training"'):
        assert absent not in page
    assert {p.name for p in (folder / "figures").iterdir()} == {"rates.svg", "map.svg", "distance.svg"}


def test_the_same_files_give_the_same_bytes_wherever_the_page_goes(reported, tmp_path):
    folder, page = reported
    out = tmp_path / "site" / "index.html"
    assert build_report(folder, out) == out
    assert out.read_text() == page
    assert {p.name: p.read_bytes() for p in (out.parent / "figures").iterdir()} == {
        p.name: p.read_bytes() for p in (folder / "figures").iterdir()
    }


def test_a_summary_of_other_records_is_refused(tmp_path):
    folder = write_run(tmp_path, pictures=False)
    lines = (folder / "results.jsonl").read_text().splitlines(keepends=True)
    (folder / "results.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(ValueError, match="does not belong to the"):
        build_report(folder)


def test_a_folder_that_is_missing_or_empty_or_holds_a_broken_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder"):
        build_report(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no results"):
        build_report(tmp_path)
    (tmp_path / "results.jsonl").write_text("")
    with pytest.raises(ValueError, match="holds no records"):
        build_report(tmp_path)
    write_run(tmp_path, everything=False)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is no JSON"):
        build_report(tmp_path)
    (tmp_path / "config.json").unlink()
    bad = tmp_path / "predictions" / "para" / "train.npz"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="train.npz is no prediction"):
        build_report(tmp_path)


def test_policies_are_called_by_the_names_that_readers_know():
    assert policy_name("para+paper_form") == "PARA, paper form"
    assert policy_name("act+home_starts+execute1") == "ACT, home starts, 1 step executed"
    assert policy_name("somebody") == "somebody"


def test_a_run_of_variants_alone_has_a_page(tmp_path):
    append_records(tmp_path / "results.jsonl", [r for r in make_records(4, 4) if "+" in r.policy])
    assert "PARA, paper form" in text_of(build_report(tmp_path).read_text())


def test_a_run_in_which_everything_raised_has_a_page(tmp_path):
    failed = [
        {**r.to_dict(), "outcome": None, "error": "OSError: no"} for r in make_records(4, 4) if "+" not in r.policy
    ]
    append_records(tmp_path / "results.jsonl", [EpisodeRecord.from_dict(values) for values in failed])
    said = text_of(build_report(tmp_path).read_text())
    assert "no trial ran" in said and "16 of 16 episodes raised" in said


def test_the_table_of_trainings_gives_mean_and_range_and_says_where_nothing_was_measured(tmp_path):
    run = write_run(tmp_path)
    made = [
        {"policy": policy, "train_seed": seed, "steps": 800, "seconds": 60.0 * (seed + 1), "checkpoint": "a",
         "error_mm": error + seed, "pixel_error_px": px}
        for policy, error, px in (("para", 20.0, 1.5), ("act", 30.0, None)) for seed in (0, 1)
    ]  # fmt: skip
    (run / "trainings.json").write_text(json.dumps({"rows": made}))
    section = build_report(run).read_text().split('id="training"')[1]
    para, act = (row for row in section.split("<tr>") if row.startswith("<td>"))
    assert "20.5" in para and "(20.0 to 21.0)" in para and "1.5 " in para and "(1.0 to 2.0)" in para
    assert "30.5" in act and "–" in act
