"""The page of a whole family: every number from records, every filter's mark in place, nothing from the network."""

import json
import re
import shutil
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

from para.datasets.video import write_video
from para.evaluation.family import summarise_family
from para.evaluation.numbers import recompute, recompute_difference
from para.evaluation.records import EpisodeRecord
from para.evaluation.results import interval_of, read_results, summary_row
from para.files import read_json, write_json
from para.interfaces import Scene
from para.reports import build_family_report
from para.reports.family.curves import splits_text
from para.reports.family.executions import executions_of
from para.reports.family.files import has_learnt, read_family
from para.reports.family.gallery import N_TRACES, TOGETHER, examples, find_failures, group_of
from para.reports.family.marks import filterable
from para.reports.family.polar import ring_edges, view_counts
from para.reports.family.rollouts import rollouts
from para.reports.family.sweeps import sweeps_of, swept_policies
from para.reports.family.traces import trace
from para.reports.family.views import mean_of_curve, mean_of_tilts, tilt_points
from para.reports.pictures import Pictures
from para.reports.tables import row_of
from para.reports.wording import brief, interval_text, p_text, points, rate_text
from tests.experiments.test_provenance import GENERATED, USERS
from tests.reports.synthetic_family import PAPER_CURVES, THETAS, synthetic_experiments, views, write_family
from tests.reports.test_page import elements, text_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of a family of runs."""
    return write_family(tmp_path_factory.mktemp("family"), n=6)


@pytest.fixture(scope="module")
def family(folder):
    return read_family(folder)


@pytest.fixture(scope="module")
def page(folder) -> str:
    return build_family_report(folder).read_text(encoding="utf-8")


def test_every_row_and_comparison_of_the_family_stands_in_the_page(folder, page):
    said = text_of(page)
    numbers = summarise_family(folder)
    assert len(numbers["rows"]) > 20 and len(numbers["comparisons"]) > 10
    for row in numbers["rows"]:
        assert brief(rate_text(row)) in said and rate_text({**row, "clusters": None}) in said
    for c in numbers["comparisons"]:
        low, high = map(points, interval_of(c))
        assert f"{points(c['difference'])} ({low} to {high}, {c['n_pairs']} pairs, Holm {p_text(c['p_holm'])})" in said


def test_several_comparisons_with_one_opponent_each_have_a_line_of_the_table(tmp_path):
    (made,) = [m for m in synthetic_experiments(6) if m.name == "left_to_right"]
    folder = write_family(tmp_path, experiments=[made])
    path = folder / made.name / "summary.json"
    summary = json.loads(path.read_text())
    (of_act,) = [c for c in summary["comparisons"] if c["b"] == "act"]
    path.write_text(json.dumps(summary | {"comparisons": [*summary["comparisons"], of_act | {"a": "diffusion"}]}))
    table = build_family_report(folder).read_text().partition('class="axes">')[2].partition("</table>")[0]
    found = recompute_difference(folder, "left_to_right", "diffusion", "act", "test")
    said = text_of(f"<body>{table}")
    assert table.count('<span class="verdict') == len(summary["comparisons"]) + 1
    assert f"Diffusion minus this one {points(found['difference'])} (" in said


def test_a_number_of_the_page_is_the_one_that_its_records_give(folder, page):
    assert brief(rate_text(recompute(folder, "viewpoints", "act", "test"))) in text_of(page)


def test_the_papers_numbers_carry_their_source(page):
    said = text_of(page)
    assert "draft, 54 of 100: left_to_right PARA 54%" in said
    assert "draft, figure 6" in said


def test_a_baseline_that_wins_is_said_to_win(tmp_path):
    (made,) = [m for m in synthetic_experiments(40) if m.name == "left_to_right"]
    folder = write_family(tmp_path, experiments=[made])
    config = json.loads((folder / made.name / "config.json").read_text())
    summary = json.loads((folder / made.name / "summary.json").read_text())
    turned = [{**c, "a": "act", "b": "para"} for c in summary["comparisons"] if c["b"] == "act"]
    (folder / made.name / "summary.json").write_text(json.dumps({**summary, "comparisons": turned}))
    (folder / made.name / "config.json").write_text(json.dumps({**config, "headline": ["act", "para"]}))
    said = text_of(build_family_report(folder).read_text())
    assert "the other variant, places more: 1 Left to right (out of distribution): ACT" in said
    assert "ours behind" in said and "ours ahead" not in said


def test_the_page_needs_no_network(page):
    assert not re.search(r"https?:|[\"'(]//[a-z]|@import", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert all(source.startswith("data:") for source in elements(page).sources)


def test_the_page_is_well_formed_and_its_references_lead_somewhere_within_it(page):
    found = elements(page)
    assert not found.open
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)


def test_everything_that_a_filter_offers_is_there_to_be_shown(page):
    for name in ("axis", "policy", "outcome"):
        select = re.search(rf'<select name="{name}">(.*?)</select>', page)[1]
        offered = set(re.findall(r'<option value="([^"]+)">', select))
        there = {v for found in re.findall(rf'data-{name}="([^"]+)"', page) for v in found.split()} - {TOGETHER}
        whole = {v.split("+")[0] for v in there}
        assert whole <= offered and len(offered) >= 4
        assert offered - there - whole <= ({"error"} if name == "outcome" else set())


def test_numbers_of_the_other_outcomes_are_in_the_page_and_hidden_until_asked_for(folder, page):
    episodes = [
        replace(r, outcome={"placed": "missed", "missed": "placed"}.get(r.outcome, r.outcome))
        for r in read_results(folder / "left_to_right" / "results.jsonl")
        if (r.policy, r.split) == ("act", "test")
    ]
    turned = summary_row(episodes)
    hidden = re.findall(r'<span data-asked="missed" hidden>(.*?)</span></span>', page)
    said = brief(f"({turned['placed']}/{turned['trials']}, {interval_text(*interval_of(turned))})")
    assert any(said in text for text in hidden) and turned["missed"] != turned["placed"]


def test_episodes_with_errors_are_counted_among_errors_alone():
    values = {"world": "w", "scene": Scene((0.1, 0.2)).to_dict(), "train_seed": 0, "steps": 1, "seconds": 1.0}
    ended = [("grasped", None), ("missed", None), (None, "TimeoutError: too long")]
    records = [
        EpisodeRecord(
            experiment="e",
            policy="act",
            split="test",
            scene_index=i,
            outcome=outcome,
            error=error,
            checkpoint="x",
            **values,
        )
        for i, (outcome, error) in enumerate(ended)
    ]
    counts = {what: row_of(records, what) for what in ("grasped", "missed", "errors")}
    assert [(row["placed"], row["trials"]) for row in counts.values()] == [(1, 2), (1, 2), (1, 3)]


def test_names_from_files_are_escaped(tmp_path):
    evil = "<script>alert('x')</script>&"
    (made,) = [m for m in synthetic_experiments(4) if m.name == "corner_scaling"]
    folder = write_family(tmp_path, experiments=[made])
    path = folder / made.name / "config.json"
    changed = {"title": evil, "question": evil, "command": evil, "versions": {evil: evil}, "recipes": {evil: evil}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    page = build_family_report(folder).read_text()
    assert evil not in page and escape(evil) in page


def test_the_page_is_rebuilt_from_records_alone_byte_for_byte(folder, page, tmp_path):
    assert build_family_report(folder, tmp_path / "site" / "index.html").read_text() == page
    assert {p.name for p in folder.glob("*/*")} == {"config.json", "results.jsonl", "summary.json"}


def test_runs_that_say_nothing_of_themselves_have_a_page(tmp_path):
    (made,) = [m for m in synthetic_experiments(4) if m.name == "left_to_right"]
    folder = write_family(tmp_path, experiments=[made])
    for name in ("config.json", "summary.json"):
        (folder / made.name / name).unlink()
    assert "left_to_right" in text_of(build_family_report(folder).read_text())


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no runs"):
        build_family_report(tmp_path)


def test_where_there_are_videos_their_grids_are_shown_as_far_as_the_page_can_hold_them(tmp_path, monkeypatch):
    (made,) = [m for m in synthetic_experiments(4) if m.name == "left_to_right"]
    folder = write_family(tmp_path, experiments=[made])
    still = np.zeros((3, 32, 48, 3), np.uint8)
    for policy in ("para", "act"):
        write_video(folder / made.name / "videos" / policy / "test_000.mp4", still, fps=10)
    shown = rollouts(read_family(folder), Pictures())
    assert shown.count("<video") == 2 and "Videos are not kept" not in shown
    monkeypatch.setattr("para.reports.family.rollouts.MAX_BYTES", 10)
    left_out = rollouts(read_family(folder), Pictures())
    assert "<video" not in left_out and "see the page of left_to_right alone" in left_out


def test_ways_of_execution_stand_side_by_side_for_each_trained_policy(family):
    said = text_of(f"<body>{executions_of(family.run('window'))}</body>")
    assert "steps executed per prediction 1 4 all of the chunk" in said
    for policy in ("para+t4", "act+t12"):
        for way in ("", "+execute1", "+execute_all"):
            (row,) = family.run("window").rows(policy + way, "test")
            assert rate_text(row) in said
    assert executions_of(family.run("viewpoints")) == ""


def test_missing_videos_are_named_with_the_command_that_makes_them(page):
    assert (
        "para experiment left_to_right --scale small --train-seeds 2" in text_of(page).split("Videos are not kept")[1]
    )


def test_marks_of_a_plot_keep_what_they_are_through_svg():
    svg = '<g id="mark|para+n4|placed|PARA, 3°: 1/2"><path d="M 1.23456 2"/></g><g id="line_1"/>'
    expected = '<g data-policy="para+n4" data-outcome="placed"><title>PARA, 3°: 1/2</title><path d="M 1.23 2"/></g>'
    assert filterable(svg) == f'{expected}<g id="line_1"/>'


def test_all_directions_of_no_tilt_are_one_view():
    records = [
        EpisodeRecord(
            "e",
            "w",
            "para",
            0,
            "test",
            Scene((0, 0), view_theta_deg=t, view_phi_deg=p).to_dict(),
            i,
            "placed",
            1,
            1.0,
            "x",
        )
        for i, (t, p) in enumerate([(0, 0), (0, 45), (0, 90), (3.57, 0), (3.57, 360), (3.57, 45)])
    ]
    assert {view: count.trials for view, count in view_counts(records).items()} == {
        (0, 0): 3,
        (3.57, 0): 2,
        (3.57, 45): 1,
    }


def test_the_cap_of_eight_by_eight_has_57_distinct_views():
    scenes = views([0.0, *(25 * k / 7 for k in range(1, 8))], 1)
    records = [
        EpisodeRecord("e", "w", "para", 0, "test", scene.to_dict(), i, "missed", 1, 1.0, "x")
        for i, (scene, _) in enumerate(scenes)
    ]
    assert len(scenes) == 64 and len(view_counts(records)) == 57


def test_rings_touch_and_the_first_is_a_disc():
    assert ring_edges([0.0, 10.0, 25.0]) == {0.0: (0.0, 5.0), 10.0: (5.0, 17.5), 25.0: (17.5, 32.5)}


def test_means_over_tilts_weigh_each_tilt_alike_and_leave_out_what_is_beyond_the_cap(family):
    run = family.run("viewpoints")
    of_tilt = {}
    for r in run.records:
        if r.policy == "act" and r.split != "beyond" and r.scene["view_theta_deg"] > 0:
            of_tilt.setdefault(r.scene["view_theta_deg"], []).append(r.outcome == "placed")
    mean = sum(sum(placed) / len(placed) for placed in of_tilt.values()) / 7
    assert mean_of_tilts(run, "act", with_default=False).startswith(f"{100 * mean:.0f}% (7 tilts, ")
    # the paper's own means, with the training view and without it: 61 and 57, 24 and 18
    means = [[mean_of_curve(PAPER_CURVES[p], with_default) for with_default in (True, False)] for p in ("para", "act")]
    assert means == [["61%", "57%"], ["24%", "18%"]]


@pytest.fixture
def both_sides(tmp_path) -> Path:
    """A family of one run: demonstrations from many views on one side, tests there and on the other."""
    (made,) = [m for m in synthetic_experiments(4) if m.name == "viewpoints"]
    sides = {
        split: [item for item in views([0.0, *THETAS], 2) if (item[0].view_phi_deg < 180) == (split == "train")]
        for split in ("train", "test")
    }
    trained = sorted({(scene.view_theta_deg, scene.view_phi_deg) for scene, _ in sides["train"]})
    sides["test"] = [item for item in sides["test"] if item[0].view_theta_deg > 0]
    extra = {"training": {"train": {"n": len(trained), "views": trained}}}
    made = replace(made, name="hemispheres", title="Both sides", scenes=sides, headline_splits=("test",), extra=extra)
    return write_family(tmp_path / "tabletop", experiments=[made])


def test_curves_and_points_of_a_tilt_leave_out_the_views_that_were_demonstrated(both_sides):
    family = read_family(both_sides)
    run = family.run("hemispheres")
    points = tilt_points(run, "act")
    on_the_other_side = [r for r in run.records if (r.policy, r.split) == ("act", "test")]
    assert sum(point.trials for point in points) == len(on_the_other_side) == family.fit("hemispheres", "act").n_trials
    assert all(point.x > 0 for point in points)
    said = text_of(build_family_report(both_sides).read_text())
    assert (
        "Points, and lines where there are any, are of these splits: out of distribution. Others are left out" in said
    )
    assert "default view included" not in said  # it is not among them


def test_where_all_was_demonstrated_in_the_default_view_every_split_is_on_the_curve(family, page):
    run = family.run("viewpoints")
    trials = sum(r.policy == "act" for r in run.records)
    assert trials == sum(point.trials for point in tilt_points(run, "act"))
    assert trials == family.fit("viewpoints", "act").n_trials
    said = text_of(page)
    assert "are of these splits: out of distribution, in distribution, beyond the paper's cap." in said
    assert "Others are left out" not in said


def test_policies_that_were_trained_apart_each_have_their_own_splits_named():
    used = {"para+from_inner": ["outer"], "act+from_inner": ["outer"], "para+from_outer": ["inner"]}
    there = dict.fromkeys(used, ["inner", "outer"])
    said = text_of(f"<body>{splits_text(used, there)}</body>")
    assert "outer (PARA, from inner and ACT, from inner); inner (PARA, from outer)" in said


def test_sweeps_are_read_from_the_configuration_or_from_numbers_of_demonstrations(family):
    corners = {(s.base, s.value) for s in swept_policies(family.run("corner_scaling")) if s.quantity == "n"}
    assert corners == {(base, n) for base in ("para", "act") for n in (4.0, 8.0, 16.0, 32.0, 64.0)}
    wrong = swept_policies(family.run("calibration_error"))
    assert {s.quantity for s in wrong} == {"rotation_deg", "translation_mm", "focal_percent"} and len(wrong) == 9


def test_a_caption_speaks_of_unchanged_policies_only_where_a_sweep_has_one(family):
    said = {name: sweeps_of(family.run(name), Pictures()) for name in ("corner_scaling", "calibration_error")}
    assert {name: "nothing was done" in text for name, text in said.items()} == {
        "corner_scaling": False,
        "calibration_error": True,
    }


def test_a_variant_on_so_many_demonstrations_is_a_point_of_its_own_curve(tmp_path):
    (made,) = [m for m in synthetic_experiments(4) if m.name == "corner_scaling"]
    names = (*made.policies, "act+n32+long", "act+n64+long")
    folder = write_family(tmp_path, experiments=[replace(made, policies=names, headline=names)])
    swept = swept_policies(read_family(folder).run("corner_scaling"))
    assert {(s.policy, s.value) for s in swept if s.base == "act+long"} == {("act+n32+long", 32), ("act+n64+long", 64)}
    assert {s.base for s in swept} == {"para", "act", "act+long"}


def test_failures_are_counted_once_each_and_none_is_lost(family):
    for policy, by_axis in find_failures(family).items():
        for axis, ways in by_axis.items():
            expected = sum(
                r.outcome != "placed"
                for run in family.of_axis(axis)
                for r in run.records
                if r.policy in run.headline and r.split in run.headline_splits and group_of(r.policy) == policy
                if has_learnt(run, r.policy)
            )
            assert sum(map(len, ways.values())) == expected
            assert [len(found) for found in ways.values()] == sorted(map(len, ways.values()), reverse=True)
            assert all(record.outcome == way.outcome for way, found in ways.items() for record in found)


@pytest.mark.parametrize(
    ("policy", "group"),
    [("para", "para"), ("act+n32", "act"), ("para+execute1", "para"), ("para+long+n32", "para+variants")],
)
def test_failures_of_other_recipes_are_not_counted_as_the_policys_own(policy, group):
    assert group_of(policy) == group


def test_examples_come_from_different_experiments_where_they_can(family):
    found = [ways[way] for by_axis in find_failures(family).values() for ways in by_axis.values() for way in ways]
    there = [{record.experiment for record in records} for records in found]
    assert max(map(len, there)) >= N_TRACES
    for records, experiments in zip(found, there):
        shown = {record.experiment for record in examples(records)}
        assert len(shown) == min(N_TRACES, len(experiments))


def test_a_trace_names_its_line_of_the_records_and_marks_each_event_of_the_gripper(family):
    record = next(
        r
        for r in family.run("left_to_right").records
        if r.policy == "act" and r.outcome == "missed" and r.gripper_events
    )
    drawn = trace(record, "position")
    assert (
        f"left_to_right, {'in' if record.split == 'train' else 'out of'} distribution, scene {record.scene_index}, "
        in drawn
    )
    closes = sum(event[1] < 0.5 for event in record.gripper_events)
    assert drawn.count("l-4.5 -7.5h9z") == 2 * closes  # once on the table, once over time
    x, y = record.scene["object_xy"]
    assert f"object at ({x:g}, {y:g}) m" in drawn and 'data-outcome="missed"' in drawn


def test_the_page_names_the_assets_of_all_runs_beside_the_world_and_of_each_where_it_was_made(folder, page, tmp_path):
    assert "Assets" not in text_of(page)
    family = Path(shutil.copytree(folder, tmp_path / "family"))
    older = {"thresholds": f"Missed: neither. Assets: {USERS}."}
    for name, told in (("viewpoints", {"assets": GENERATED}), ("left_to_right", older)):
        path = family / name / "config.json"
        write_json(path, read_json(path) | told)
    said = text_of(build_family_report(family).read_text(encoding="utf-8"))
    assert "world tabletop (LIBERO assets from the user's folder; generated assets) · scale small" in said
    assert said.count(GENERATED) == said.count(USERS) == 1


def test_the_ablation_names_every_factor_of_every_policy(family, page):
    config = family.run("action_heads").config
    table = text_of(page).split("Where the advantage comes from")[-1].split("Sweeps")[0]
    assert len(config["factors"]) == 6
    for values in config["factors"].values():
        for value in values.values():
            assert value in table
