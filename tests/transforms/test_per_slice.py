# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.data.utils import set_rnd
from monai.transforms import Compose, RandAffined, RandFlip, RandFlipd, RandShiftIntensity

from tomobundles.transforms import PerSliced
from tomobundles.utils import InputError

FLIP = {"prob": 0.5, "spatial_axis": 1}


def stack(slices: int = 16, channels: int = 1) -> torch.Tensor:
    """Every channel of every slice is the same picture, darker on the left."""
    return torch.arange(6.0).expand(slices * channels, 4, 6).clone()


def flipped(result: torch.Tensor, channels: int = 1) -> list[bool]:
    """Which slices are mirrored; a slice's channels must agree."""
    marks = (result[:, 0, 0] > result[:, 0, -1]).reshape(-1, channels)
    assert torch.equal(marks.all(1), marks.any(1))
    return marks[:, 0].tolist()


def test_monai_shares_one_draw_among_the_slices_of_a_stack() -> None:
    flip, affine = (
        RandFlipd("image", **FLIP),
        RandAffined("image", prob=1, translate_range=2, rotate_range=0.2),
    )
    flip.set_random_state(seed=0)
    affine.set_random_state(seed=0)
    seen = set()
    for _ in range(20):
        marks = flipped(flip({"image": stack()})["image"])
        assert len(set(marks)) == 1
        seen.add(marks[0])
        moved = affine({"image": stack()})["image"].as_tensor()
        assert torch.equal(moved, moved[:1].expand_as(moved))
        assert not torch.equal(moved, stack())
    assert seen == {False, True}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "transform",
    [RandFlip(**FLIP), RandFlipd("image", **FLIP), Compose([RandFlipd("image", **FLIP)])],
    ids=["array", "dictionary", "compose"],
)
def test_each_slice_has_its_own_draw(transform, channels: int) -> None:
    apply = PerSliced("image", transform=transform, channels=channels)
    apply.set_random_state(seed=0)
    result = apply({"image": stack(100, channels), "patient": "P1"})
    assert result["patient"] == "P1"
    assert result["image"].shape == (100 * channels, 4, 6)
    assert sum(flipped(result["image"], channels)) == pytest.approx(50, abs=15)  # deviation 5


def test_keys_of_a_sample_share_the_draws_of_a_dictionary_transform() -> None:
    keys = ["image", "mask"]
    apply = PerSliced(keys, transform=RandFlipd(keys, **FLIP)).set_random_state(seed=0)
    result = apply({"image": stack(), "mask": stack()})
    assert torch.equal(result["image"], result["mask"])
    assert 0 < sum(flipped(result["image"])) < 16


def test_same_seed_same_draw() -> None:
    def draw(seed: int) -> torch.Tensor:
        inside = Compose([RandFlipd("image", **FLIP)])
        apply = PerSliced("image", transform=inside).set_random_state(seed=seed)
        return apply({"image": stack()})["image"]

    assert torch.equal(draw(3), draw(3))
    assert len({tuple(flipped(draw(seed))) for seed in range(5)}) == 5


def test_state_and_workers_seed_the_transform() -> None:
    apply = PerSliced("image", transform=RandFlipd("image", **FLIP))
    apply.set_random_state(state=np.random.RandomState(1))
    first = apply({"image": stack()})["image"]
    apply.set_random_state(state=np.random.RandomState(1))
    assert torch.equal(apply({"image": stack()})["image"], first)
    set_rnd(Compose([apply]), 7)  # what MONAI's DataLoader does in each worker
    first = apply({"image": stack()})["image"]
    set_rnd(Compose([apply]), 7)
    assert torch.equal(apply({"image": stack()})["image"], first)


def test_transforms_without_randomness_and_metatensors() -> None:
    apply = PerSliced("image", transform=torch.neg).set_random_state(seed=0)
    result = apply({"image": MetaTensor(stack(2))})["image"]
    assert type(result) is torch.Tensor
    assert torch.equal(result, -stack(2))
    shift = PerSliced("image", transform=RandShiftIntensity(5.0, prob=1)).set_random_state(seed=0)
    assert len(shift({"image": stack(4)})["image"][:, 0, 0].unique()) == 4


def test_missing_keys() -> None:
    apply = PerSliced(["image", "mask"], transform=torch.neg, allow_missing_keys=True)
    assert apply({"image": stack(1)}).keys() == {"image"}


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="channels is 0"):
        PerSliced("image", transform=torch.neg, channels=0)
    with pytest.raises(InputError, match="image has 4 channels, slices have 3"):
        PerSliced("image", transform=torch.neg, channels=3)({"image": stack(4)})
    with pytest.raises(InputError, match="image and mask differ in their number of slices"):
        PerSliced(["image", "mask"], transform=torch.neg)({"image": stack(4), "mask": stack(3)})
