"""The experiments that LIBERO takes part in ask for nothing that it cannot show. Needs no simulator."""

from __future__ import annotations

import pytest

from para.experiments import EXPERIMENTS
from para.experiments.scale import SCALES
from para.worlds import WORLDS, libero_scenes


@pytest.mark.parametrize("scale", ["small", "paper"])
@pytest.mark.parametrize("name", ["left_to_right", "near_to_far", "viewpoints", "distractors"])
def test_libero_can_show_every_scene_of_its_experiments(name, scale):
    sets = EXPERIMENTS[name].scenes(WORLDS["libero"].workspace, SCALES[scale], False)
    scenes = [item.scene for split in sets.evaluation.values() for item in split]
    for scene in scenes:
        libero_scenes.check(scene)
        libero_scenes.place_distractors(scene)
    if name == "distractors":
        cluttered = [scene for scene in scenes if scene.distractors]
        assert cluttered and all(set(s.distractors) == set(libero_scenes.DISTRACTORS) for s in cluttered)
