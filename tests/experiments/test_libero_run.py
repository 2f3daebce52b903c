"""An experiment in LIBERO from the command line, with its simulator: what it leaves behind says what it was made of."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from para.evaluation.protocol import cached_world
from para.evaluation.results import read_results
from para.experiments.scale import SCALES
from para.files import read_json
from para.reports import build_family_report
from para.worlds import libero_assets
from tests.test_cli import para
from tests.tiny_weights import tiny_weights
from tests.worlds.needs_libero import require_libero

require_libero()

pytestmark = pytest.mark.libero

WORDS = "generated stand-ins for LIBERO's assets, none of its files"


@pytest.fixture
def smallest(monkeypatch):
    """The scale tiny with a demonstration per position and an episode per split."""
    scale = replace(SCALES["tiny"], random_starts=0, n_in_distribution=1, n_test=1, videos_per_split=0)
    monkeypatch.setitem(SCALES, "tiny", scale)
    yield
    cached_world.cache_clear()


def test_an_experiment_says_in_records_and_pages_that_its_assets_were_generated_and_takes_no_others(
    smallest, monkeypatch, tmp_path
):
    monkeypatch.setenv(libero_assets.VARIABLE, "generated")
    run = tmp_path / "libero" / "left_to_right"
    command = ["experiment", "left_to_right", "--world", "libero", "--scale", "tiny", "--policies", "para"]
    said = para(*command, "--workers", "0", "--out", run)
    assert said.code == 0, said
    config = read_json(run / "config.json")
    assert config["assets"].startswith(WORDS) and "hf-libero" in config["assets"]
    assert "_check_success" in config["thresholds"] and "Assets" not in config["thresholds"]
    for folder in ("demonstrations", "demonstrations_heldout"):
        assert read_json(run / folder / "meta" / "para_recording.json")["assets"] == config["assets"]
    assert all(r.error is None and r.world == "libero" for r in read_results(run / "results.jsonl"))
    assert "Assets: generated stand-ins for LIBERO" in (run / "report.html").read_text(encoding="utf-8")
    family = build_family_report(run.parent).read_text(encoding="utf-8")
    assert "world libero (generated assets)" in family and "generated stand-ins for LIBERO" in family

    users = shutil.copytree(libero_assets.generated_folder(), tmp_path / "assets")
    monkeypatch.setenv(libero_assets.VARIABLE, str(users))
    refused = para(*command, "--workers", "0", "--out", run)
    assert refused.code == 2 and WORDS in refused.err and "LIBERO assets from the user's folder" in refused.err
    assert read_json(run / "config.json") == config


def test_an_experiment_runs_on_dino_in_libero(smallest, monkeypatch, tmp_path):
    monkeypatch.setenv(libero_assets.VARIABLE, "generated")
    weights = str(tiny_weights("dinov3_vit", 16))
    said = para(
        "experiment", "left_to_right", "--world", "libero", "--scale", "tiny", "--policies", "para", "--workers", "0",
        "--out", tmp_path, "--backbone", "dinov3", "--weights", weights,
    )  # fmt: skip
    assert said.code == 0 and "backbone dinov3 with weights" in said.out, said
    records = read_results(tmp_path / "results.jsonl")
    assert records and all(r.error is None for r in records)
