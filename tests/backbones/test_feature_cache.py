"""Laws of kept features: each image is understood once, alone, and by one network only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from para.backbones import Dino, Dinov2Config, Dinov3Config
from para.backbones.feature_cache import FeatureCache
from tests.tiny_weights import tiny_weights

SIZE = (48, 64)


def build(seed: int = 0, **changes) -> Dino:
    torch.manual_seed(0)
    options = {"mode": "frozen", "neck_channels": 4} | changes
    return Dino(Dinov3Config(weights=str(tiny_weights("dinov3_vit", 8, seed)), **options), SIZE).eval()


def images(B: int = 4) -> Tensor:
    return torch.randint(0, 256, (B, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npy"))


class Counting:
    """Tokens of images, counted."""

    def __init__(self):
        self.n = 0

    def __call__(self, image: Tensor) -> Tensor:
        self.n += len(image)
        return image.float().mean(dim=1).flatten(1).unsqueeze(-1) / 255


def test_kept_features_are_those_of_the_network_but_for_rounding(tmp_path):
    net, image = build(), images()
    start = torch.randn(4, 4, 6, 8, generator=torch.Generator().manual_seed(2))
    plain = net(image, start)
    net.keep_features(tmp_path)
    for _ in range(2):
        kept = net(image, start)
        torch.testing.assert_close(kept.grid, plain.grid, rtol=0, atol=5e-3)
        torch.testing.assert_close(kept.pooled, plain.pooled, rtol=0, atol=5e-3)
    assert len(files(tmp_path)) == 4
    net.keep_features(None)
    assert torch.equal(net(image, start).grid, plain.grid)


def test_each_image_is_computed_once_whatever_its_company(tmp_path):
    cache, compute, image = FeatureCache(tmp_path, "net"), Counting(), images()
    first = cache.tokens(image[:2], compute)
    assert compute.n == 2
    assert torch.equal(cache.tokens(image[[3, 1, 0, 1]], compute)[[2, 1]], first) and compute.n == 3
    assert torch.equal(FeatureCache(tmp_path, "net").tokens(image[:2], compute), first) and compute.n == 3


def test_an_image_of_other_pixels_or_another_shape_is_another(tmp_path):
    cache, compute, image = FeatureCache(tmp_path, "net"), Counting(), images(1)
    changed = image.clone()
    changed[0, 2, -1, -1] ^= 1
    for other in (image, changed, image.transpose(-2, -1).contiguous(), image.reshape(1, 3, 24, 128)):
        cache.tokens(other, compute)
    assert compute.n == 4


def test_a_file_cut_short_is_made_again(tmp_path):
    cache, compute, image = FeatureCache(tmp_path, "net"), Counting(), images(1)
    first = cache.tokens(image, compute)
    (path,) = files(tmp_path)
    for content in (path.read_bytes()[:-7], b""):
        path.write_bytes(content)
        assert torch.equal(cache.tokens(image, compute), first)
    assert compute.n == 3 and torch.equal(cache.tokens(image, compute), first) and compute.n == 3


def test_networks_that_differ_share_nothing_and_those_that_do_not_share_all():
    one = build().network_hash()
    others = [build(seed=1), build(position="none"), build().requires_grad_(True)]
    with torch.no_grad():
        others[2].norm.bias[0] += 1
    assert len({one, *(other.network_hash() for other in others)}) == 4
    assert one == build(neck_channels=6).network_hash(), "the neck is after what is kept"


@pytest.mark.parametrize("wrong", [{"mode": "finetune"}, {"neck_channels": 0}, {"position": "random_offset"}])
def test_features_that_do_not_stay_as_they_are_cannot_be_kept(wrong, tmp_path):
    with pytest.raises(ValueError, match="features can be kept of a backbone with mode='frozen'"):
        build(**wrong).keep_features(tmp_path)


def test_features_are_kept_for_both_backbones(tmp_path):
    weights = str(tiny_weights("dinov2_with_registers", 8))
    net = Dino(Dinov2Config(weights=weights, mode="frozen", neck_channels=4), SIZE).eval()
    net.keep_features(tmp_path)
    assert net(images(1)).grid.shape == (1, 4, 6, 8) and len(files(tmp_path)) == 1
