"""The experiments that LIBERO takes part in ask for nothing that it cannot show. Needs no simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from para.experiments import EXPERIMENTS
from para.experiments.default_position import OWN_STATES
from para.experiments.family import can_be_shown, family_runs
from para.experiments.run import RunOptions, check_runs
from para.experiments.scale import SCALES
from para.worlds import WORLDS, libero_scenes


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_family_leaves_out_what_a_world_cannot_show_and_alone_it_is_refused_before_anything_is_done(
    name, world, tmp_path
):
    # the test scenes of default_position are LIBERO's own, which need its package
    options = RunOptions(name, tmp_path, world=world, validation=True)
    shown = (world, name) not in {("libero", "new_environment"), ("libero", "cross_embodiment")}
    assert can_be_shown(options) == shown
    if not shown:
        with pytest.raises(ValueError, match="has scenes that world 'libero' cannot show|has no option 'arm'"):
            check_runs([options])
        assert not list(tmp_path.iterdir())
        alone = tuple(recipe.name for recipe in EXPERIMENTS[name].recipes)
        only_here = tuple(r for r in alone if sum(r in {x.name for x in e.recipes} for e in EXPERIMENTS.values()) == 1)
        with pytest.raises(ValueError, match="can show no experiment of"):
            family_runs(replace(options, experiment=EXPERIMENTS[name].axis, recipes=only_here))
        runs = family_runs(replace(options, experiment=EXPERIMENTS[name].axis))
        assert runs and name not in {run.experiment for run in runs}


@pytest.mark.parametrize("scale", ["small", "paper"])
@pytest.mark.parametrize("name", ["left_to_right", "near_to_far", "viewpoints", "distractors", "default_position"])
def test_libero_can_show_every_scene_of_its_experiments(name, scale):
    # the test scenes of default_position are LIBERO's own, which need its package
    sets = EXPERIMENTS[name].scenes(WORLDS["libero"].workspace, SCALES[scale], name == "default_position")
    scenes = [item.scene for split in sets.evaluation.values() for item in split]
    scenes += [scene for data in sets.train.values() for scene in data.scenes]
    for scene in scenes:
        libero_scenes.check(scene)
        libero_scenes.place_distractors(scene)
    if name in ("distractors", "default_position"):
        cluttered = [scene for scene in scenes if scene.distractors]
        assert cluttered and all(set(s.distractors) == set(libero_scenes.DISTRACTORS) for s in cluttered)


@pytest.mark.libero
def test_the_default_position_is_tested_in_liberos_fifty_states_and_shown_in_none_of_them():
    pytest.importorskip("libero", reason="hf-libero is not installed (`make libero`)")
    sets = EXPERIMENTS["default_position"].scenes(WORLDS["libero"].workspace, SCALES["small"], False)
    tested = [item.scene for item in sets.evaluation[OWN_STATES]]
    assert tested == libero_scenes.official_scenes() and len(tested) == 50
    shown = sets.train["demonstrations"].scenes
    assert len(shown) == 50 and not any(scene.task for scene in shown)
    low, high = (np.array([s.object_xy for s in shown]).min(axis=0), np.array([s.object_xy for s in shown]).max(axis=0))
    middle = np.mean([scene.object_xy for scene in tested], axis=0)
    assert (low < middle).all() and (middle < high).all()
