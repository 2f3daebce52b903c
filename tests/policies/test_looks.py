"""Laws of varied looks: nothing moves, nothing is hidden for good, every picture by itself, and the same again."""

import pytest
import torch

from para.policies.looks import LookConfig, random_texture, vary_look

EVERYTHING = LookConfig(brightness=0.2, colour=0.1, colour_mix=0.1, texture=0.5, patches=4)
EACH = [
    LookConfig(brightness=0.3),
    LookConfig(colour=0.3),
    LookConfig(colour_mix=0.3),
    LookConfig(texture=0.6),
    LookConfig(patches=6),
]


def pictures(B: int = 6) -> torch.Tensor:
    """Grey pictures that are not square, with a dark disc."""
    v, u = torch.meshgrid(torch.arange(48.0), torch.arange(80.0), indexing="ij")
    disc = ((v - 20) ** 2 + (u - 50) ** 2 < 64).float()
    image = 150 - 130 * disc
    return image.expand(B, 3, 48, 80).to(torch.uint8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_off_means_untouched():
    image = pictures()
    assert not LookConfig().changes_anything and torch.equal(vary_look(image, LookConfig(), seeded()), image)


@pytest.mark.parametrize("config", [*EACH, EVERYTHING])
def test_every_variation_changes_pictures_each_otherwise_and_again_alike(config):
    image = pictures()
    varied = vary_look(image, config, seeded())
    assert varied.shape == image.shape and varied.dtype == torch.uint8
    assert torch.equal(varied, vary_look(image, config, seeded()))
    changed = [not torch.equal(a, b) for a, b in zip(varied, image)]
    assert sum(changed) >= 4 and len({tuple(v.flatten().tolist()) for v in varied}) >= 4


@pytest.mark.parametrize("config", EACH[:3])
def test_light_and_colour_keep_equal_pixels_equal(config):
    varied = vary_look(pictures(), config, seeded())
    assert (varied[:, :, 0, 0] == varied[:, :, 47, 79]).all() and (varied[:, :, 20, 50] == varied[:, :, 22, 48]).all()


def test_under_a_texture_the_disc_stays_where_it_is():
    varied = vary_look(pictures(B=200), LookConfig(texture=0.6), seeded()).float().mean(dim=(0, 1))
    inside, outside = varied[16:25, 46:55].mean(), varied[30:40, 10:30].mean()
    assert inside < outside - 50  # on average over textures it is as dark against its surroundings as before


def test_patches_cover_a_part_of_the_picture_and_never_all():
    image = pictures(B=50)
    covered = (vary_look(image, LookConfig(patches=4), seeded()) != image).any(dim=1).float().mean(dim=(1, 2))
    assert 0.01 < float(covered.mean()) < 0.25 and float(covered.max()) < 0.6


def test_textures_differ_in_colour_and_grain():
    textures = random_texture(20, (48, 80), seeded(), torch.device("cpu"))
    assert textures.shape == (20, 3, 48, 80) and torch.isfinite(textures).all()
    assert float(textures.mean(dim=(2, 3)).std()) > 30 and float(textures.std(dim=(2, 3)).min()) > 1


@pytest.mark.parametrize("options", [{"texture": 1.0}, {"patches": -1}, {"brightness": -0.1}])
def test_strengths_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        LookConfig(**options)
