# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.transforms import Compose, ConcatItemsd, RandGridDistortiond, RandRotated, RandZoomd
from scipy import ndimage

from tomobundles.transforms import RandReverseStackd, vessel_augmentation
from tomobundles.utils import InputError

NAMES = ("image", "label", "weight")


def _sample(size=64):
    """A tube with a smooth profile, its label where the profile passes a half, trusted everywhere."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    distance = (rows - columns * 0.6 - 8).abs() / 1.17
    image = torch.exp(-0.5 * (distance / 5) ** 2).expand(3, size, size).contiguous()
    return {"image": image, "label": (image > 0.5).float(), "weight": torch.ones(3, size, size)}


def _only(kind, **options):
    """The augmentation with every other transform switched off, this one always on."""
    chain = vessel_augmentation(probability=1.0, rotate_probability=1.0, flip_probability=0.0, **options)
    kept = [transform for transform in chain.transforms if isinstance(transform, kind)]
    return Compose([*kept, chain.transforms[-1]])


def test_no_probability_changes_nothing():
    sample = _sample()
    found = vessel_augmentation(probability=0, rotate_probability=0, flip_probability=0)(sample)
    for name in NAMES:
        assert torch.equal(found[name], sample[name])
        assert type(found[name]) is torch.Tensor


@pytest.mark.parametrize("seed", range(6))
def test_labels_stay_binary_and_shapes_stay(seed):
    sample = _sample()
    found = vessel_augmentation(probability=1.0).set_random_state(seed=seed)(sample)
    assert found["image"].shape == found["label"].shape == found["weight"].shape == (3, 64, 64)
    assert set(found["label"].unique().tolist()) <= {0.0, 1.0}
    assert set(found["weight"].unique().tolist()) <= {0.0, 1.0}
    assert torch.isfinite(found["image"]).all()
    assert {value.dtype for value in found.values()} == {torch.float32}
    assert not torch.equal(found["image"], sample["image"])


@pytest.mark.parametrize("kind", [RandRotated, RandZoomd, RandGridDistortiond])
def test_geometry_moves_image_and_label_alike(kind):
    for seed in range(8):
        found = _only(kind).set_random_state(seed=seed)(_sample())
        trusted = found["weight"] == 1
        assert trusted.float().mean() > 0.4
        differ = ((found["image"] > 0.5) != (found["label"] == 1)) & trusted
        # nearest against linear: only pixels beside the rim of the tube may differ, 2 where it is spread
        label = found["label"][0].numpy()
        to_rim = ndimage.distance_transform_edt(label == 0) + ndimage.distance_transform_edt(label)
        assert not differ[0].numpy()[to_rim > 2].any()
        assert differ.float().mean() < 0.03


@pytest.mark.parametrize("kind", [RandRotated, RandZoomd])
def test_where_the_patch_was_left_nothing_is_trusted(kind):
    options = {"zoom": (0.8, 0.8)} if kind is RandZoomd else {}
    found = _only(kind, **options).set_random_state(seed=1)(_sample())
    share = found["weight"].mean().item()
    if kind is RandZoomd:
        assert share == pytest.approx((51 / 64) ** 2)  # floor(64 * 0.8) = 51
    else:
        assert 0.6 < share < 0.99
        assert found["weight"][0, 32, 32] == 1
    assert found["image"].min() >= 0


def test_grays_alone_change_with_the_intensity_transforms():
    chain = vessel_augmentation(probability=1.0, rotate_probability=0, flip_probability=0)
    intensity = Compose([*chain.transforms[-6:]]).set_random_state(seed=0)
    sample = _sample()
    found = intensity(sample)
    assert not torch.equal(found["image"], sample["image"])
    assert torch.equal(found["label"], sample["label"])
    assert torch.equal(found["weight"], sample["weight"])


def test_probabilities_reach_each_transform():
    chain = vessel_augmentation(probability=0.3, rotate_probability=0.4, flip_probability=0.5)
    found = {}
    for transform in chain.transforms[:-1]:
        found.setdefault(type(transform).__name__, []).append(round(transform.prob, 6))
    assert found == {
        "RandReverseStackd": [0.5],
        "RandFlipd": [0.5, 0.5],
        "RandRotate90d": [0.75],
        "RandRotated": [0.4],
        "RandZoomd": [0.3],
        "RandGridDistortiond": [0.3],
        "RandAdjustContrastd": [0.2],
        "RandScaleIntensityd": [0.3],
        "RandShiftIntensityd": [0.3],
        "RandGaussianSmoothd": [0.3],
        "RandMotionBlurd": [0.3],
    }


def test_reversing_takes_all_keys():
    stack = torch.arange(3.0).reshape(3, 1, 1)
    found = RandReverseStackd(NAMES[:2], prob=1.0)({"image": stack, "label": stack, "weight": stack})
    assert found["image"].ravel().tolist() == found["label"].ravel().tolist() == [2, 1, 0]
    assert found["weight"] is stack
    assert RandReverseStackd("image", prob=0.0)({"image": stack})["image"] is stack


def test_flips_lose_nothing():
    sample = {name: torch.rand(3, 8, 8) for name in NAMES}
    chain = vessel_augmentation(probability=0, rotate_probability=0, flip_probability=0.5)
    seen = set()
    for seed in range(40):
        found = chain.set_random_state(seed=seed)(sample)
        for name in NAMES:
            assert torch.equal(found[name].flatten().sort().values, sample[name].flatten().sort().values)
        seen.add(tuple(found["image"].flatten()[:3].tolist()))
    assert len(seen) == 16  # 8 in plane, times 2 across


def test_seeds_repeat():
    found = [vessel_augmentation(probability=0.5).set_random_state(seed=4)(_sample()) for _ in range(2)]
    assert all(torch.equal(found[0][name], found[1][name]) for name in NAMES)


def test_label_and_weight_go_together_into_the_loss():
    chain = Compose([vessel_augmentation(probability=0.5), ConcatItemsd(["label", "weight"], name="label")])
    assert chain(_sample())["label"].shape == (6, 64, 64)


@pytest.mark.parametrize(
    "options",
    [{"probability": 1.2}, {"probability": 0, "rotate_probability": -1}, {"probability": float("nan")}],
)
def test_refuses_bad_probabilities(options):
    with pytest.raises(InputError, match="probabilities"):
        vessel_augmentation(**options)


def test_refuses_other_than_three_keys():
    with pytest.raises(InputError, match="keys are"):
        vessel_augmentation(probability=0, keys=("image", "label"))
