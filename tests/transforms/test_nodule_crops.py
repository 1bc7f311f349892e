# SPDX-License-Identifier: Apache-2.0
import copy

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor, list_data_collate
from monai.transforms import Compose

from tomobundles.transforms import (
    WATER,
    RandNoduleCropsd,
    draw_spheres,
    gray_to_input,
)
from tomobundles.utils import InputError

SHAPE = (80, 90, 100)
PLACES = np.stack(np.indices(SHAPE), axis=-1)
# gray tells its own place: i + 2 j, which is never water's 170 where it matters
GRAY = torch.from_numpy((PLACES[..., 0] // 2 + PLACES[..., 1] // 2).astype(np.uint8))[None]
FIRST, SECOND = [40.0, 45.0, 50.0, 6.0, 1.0], [20.0, 70.0, 30.0, 20.0, 1.0]
STRONG = {"rotate_deg": 180, "tilt_deg": 20, "elastic": 1.0}


def _item(*rows, **extra):
    return {"image": MetaTensor(GRAY), "label": torch.tensor(rows).reshape(-1, 5), "patient": "p"} | extra


def _drawn(item, *, count=200, seed=0, **options):
    options = {"crop_size": 32, "nodule_share": 1.0} | options
    transform = RandNoduleCropsd(num_samples=count, **options).set_random_state(seed)
    return transform(item), transform


def test_a_crop_is_a_box_of_the_image_and_knows_where():
    found, _ = _drawn(_item(FIRST), count=20)
    for sample in found:
        assert sample.keys() == {"image", "label", "box"}
        assert not any(isinstance(value, MetaTensor) for value in sample.values())
        assert sample["image"].dtype == sample["label"].dtype == sample["box"].dtype == torch.float32
        assert sample["label"].shape == (16, 5)
        ends = (sample["box"].reshape(2, 3).double() + 0.5) * (torch.tensor(SHAPE) - 1)
        low, high = ends.round().int().tolist()
        assert (np.array(high) - low == 31).all()
        box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
        assert torch.equal(sample["image"][0], gray_to_input(GRAY[0][box]))
        expected = [place - start for place, start in zip(FIRST[:3], low, strict=True)]
        assert sample["label"][0].tolist() == [*expected, 6, 1]


@pytest.mark.parametrize("augmentation", [None, {}, STRONG], ids=["straight", "default", "strong"])
@pytest.mark.parametrize("margin", [5.0, 12.0, 99.0])
def test_nodules_lie_anywhere_off_the_border(augmentation, margin):
    found, _ = _drawn(_item(FIRST), count=60, margin=margin, augmentation=augmentation)
    rows = torch.stack([sample["label"][0] for sample in found])
    assert (rows[:, 4] == 1).all()
    free = max(15.5 - margin, 0)
    off = (rows[:, :3] - 15.5).abs()
    rounding = 0.5 if augmentation is None else 1e-3
    assert off.max() <= free + rounding
    if free:
        assert (off.max(dim=0).values > 0.8 * free).all()
        assert (rows[:, :3].std(dim=0) > 0.3 * free).all()


def test_crops_stay_in_the_box_where_they_can():
    for row in ([2.0, 88, 50, 6, 1], [40.0, 3, 97, 6, 1]):
        found, _ = _drawn(_item(row), count=60)
        box = torch.stack([sample["box"] for sample in found])
        # the margin of 12 binds first: a nodule at 2 may lie at 12, so that 10 planes lie outside
        place = np.array(row[:3])
        outside_low = np.maximum(12 - place, 0) / (np.array(SHAPE) - 1)
        outside_high = np.maximum(place + 12 - (np.array(SHAPE) - 1), 0) / (np.array(SHAPE) - 1)
        assert (box[:, :3].numpy() >= -0.5 - outside_low - 0.01).all()
        assert (box[:, 3:].numpy() <= 0.5 + outside_high + 0.01).all()
        assert ((box[:, :3] >= -0.51) | torch.tensor(outside_low > 0)).all()
    small = {
        "image": torch.full((1, 10, 10, 10), 20, dtype=torch.uint8),
        "label": torch.tensor([[5.0, 5, 5, 4, 1]]),
    }
    found, _ = _drawn(small, count=5, margin=2.0)
    for sample in found:
        assert (sample["image"] == gray_to_input(torch.tensor(20))).sum() == 1000
        assert (sample["image"] == gray_to_input(torch.tensor(WATER))).sum() == 32**3 - 1000


def test_nodules_are_drawn_by_their_size():
    def share_of_second(**options):
        found, _ = _drawn(_item(FIRST, SECOND), count=300, **options)
        return sum(
            (sample["label"][:, 3:] == torch.tensor([20.0, 1])).all(dim=1).any().item() for sample in found
        )

    assert 120 < share_of_second() < 180
    assert 200 < share_of_second(size_bins=[[0, 1], [10, 3]]) < 250
    assert share_of_second(size_bins=[[0, 0], [10, 1]]) == 300
    assert share_of_second(size_bins=[[0, 1], [10, 0]]) == 0


def _kinds(item, **options):
    """How many of 400 crops show the nodule in their middle, the false positive, neither."""
    found, transform = _drawn(item, count=400, crop_size=9, margin=4.0, **options)
    centres = np.array([warp.centre for warp in transform.warps])
    nodule = (np.abs(centres - FIRST[:3]) <= 0.5).all(axis=1)
    false = (np.abs(centres - [60, 20, 80]) <= 0.5).all(axis=1)
    assert len(found) == 400
    return nodule.sum(), false.sum(), 400 - nodule.sum() - false.sum()


def test_shares():
    points = {"false_positive_points": torch.tensor([[60.0, 20, 80, 5]])}
    nodule, false, rest = _kinds(_item(FIRST, **points), nodule_share=0.5, false_positive_share=0.3)
    assert 160 < nodule < 240
    assert 85 < false < 155
    assert 50 < rest < 110
    # what a scan lacks leaves its share to the others
    nodule, false, rest = _kinds(_item(FIRST), nodule_share=0.5, false_positive_share=0.3)
    assert false == 0
    assert 245 < nodule < 325  # 5 / 7
    nodule, false, rest = _kinds(_item(**points), nodule_share=0.5, false_positive_share=0.3)
    assert nodule == 0
    assert 195 < false < 285  # 3 / 5
    for item in (_item(), _item([*FIRST[:4], -1.0]), _item([-9.0, 45, 50, 6, 1])):
        assert _kinds(item, nodule_share=1.0)[2] == 400


def test_a_nodule_just_outside_the_box_still_counts():
    found, _ = _drawn(_item([-2.5, 45, 50, 6, 1]), count=3)
    assert all(sample["label"][0, 4] == 1 for sample in found)


def test_other_places_show_lung():
    gray = torch.full((1, *SHAPE), WATER, dtype=torch.uint8)
    gray[0, 50:, :, :40] = 20
    _, transform = _drawn({"image": gray, "label": torch.zeros(0, 5)}, crop_size=8, nodule_share=0.7)
    centres = np.array([warp.centre for warp in transform.warps])
    assert (centres[:, 0] >= 49.5).all()
    assert (centres[:, 2] < 40).all()
    assert centres[:, 1].min() < 10
    assert centres[:, 1].max() > 80


def test_masks_follow_the_image():
    spheres = draw_spheres(torch.tensor([SECOND]), SHAPE)
    item = _item(SECOND, mask=MetaTensor(spheres))
    for augmentation in (None, STRONG):
        options = {"masks": True, "augmentation": augmentation, "count": 10}
        for sample in _drawn(item, **options)[0]:
            assert sample["label"].shape == (1, 32, 32, 32)
            assert set(sample["label"].unique().tolist()) == {0.0, 1.0}
        drawn, transform = _drawn({key: item[key] for key in ("image", "label")}, **options)
        for sample, other in zip(drawn, _drawn(item, **options)[0], strict=True):
            both = (
                (sample["label"] * other["label"]).sum() * 2 / (sample["label"].sum() + other["label"].sum())
            )
            assert both > 0.85  # balls drawn in the crop against the warped mask
            assert sample["label"].dtype == torch.float32
            assert torch.equal(sample["image"], other["image"])
        assert len(transform.warps) == 10


def test_a_mask_shows_nodules_that_are_cut():
    # the second's centre lies beyond the crop of 9 voxels about the first, which would only ignore it
    found, _ = _drawn(_item(FIRST, [46.0, 45, 50, 20, 1]), count=60, masks=True, crop_size=9, margin=4.0)
    shown = [sample["label"][0, 8].sum().item() for sample in found]
    assert max(shown) == 81
    assert min(shown) > 60


def test_a_mask_is_none_where_there_is_no_nodule():
    (sample,) = _drawn(_item(), count=1, masks=True)[0]
    assert not sample["label"].any()


@pytest.mark.parametrize("augmentation", [None, {"elastic": 1.0}])
def test_planar_crops(augmentation):
    found, transform = _drawn(_item(SECOND), masks=True, planar=True, count=60, augmentation=augmentation)
    heights = set()
    for sample, warp in zip(found, transform.warps, strict=True):
        assert sample.keys() == {"image", "label"}
        assert sample["image"].shape == sample["label"].shape == (1, 32, 32)
        area = sample["label"].sum().item()
        # between the middle of a ball of 20 voxels and a third of its radius off, at scales of 0.75 to 1.25
        assert np.pi * 100 * (8 / 9) * 0.5 < area < np.pi * 100 * 1.7
        heights.add(round(warp.centre[2]))
    assert heights >= {27, 28, 29, 30, 31, 32, 33}


def test_seeds_repeat():
    for augmentation in (None, STRONG):
        one, other = (
            _drawn(_item(FIRST, SECOND), count=4, seed=3, augmentation=augmentation)[0] for _ in range(2)
        )
        assert all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a)
    assert not torch.equal(one[0]["image"], _drawn(_item(FIRST, SECOND), count=1, seed=4)[0][0]["image"])


def test_the_cache_is_not_touched():
    item = _item(FIRST, SECOND)
    before = copy.deepcopy(item)
    _drawn(item, count=5, augmentation=STRONG)
    assert torch.equal(item["image"], before["image"])
    assert torch.equal(item["label"], before["label"])
    assert item.keys() == before.keys()


def test_through_monais_cache_and_loader():
    transform = Compose([RandNoduleCropsd(crop_size=16, num_samples=2, augmentation={"elastic": 1.0})])
    data = CacheDataset([_item(FIRST), _item()], transform, copy_cache=False, progress=False)
    (batch,) = DataLoader(data, batch_size=2, collate_fn=list_data_collate)
    assert batch["image"].shape == (4, 1, 16, 16, 16)
    assert batch["label"].shape == (4, 16, 5)
    assert batch["box"].shape == (4, 6)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"crop_size": 0}, "crop_size 0"),
        ({"num_samples": 0}, "num_samples 0"),
        ({"margin": -1}, "margin -1"),
        ({"nodule_share": 1.2}, "nodule_share"),
        ({"nodule_share": 0.8, "false_positive_share": 0.3}, "nodule_share"),
        ({"false_positive_share": -0.1}, "nodule_share"),
        ({"size_bins": [[1, 1]]}, "size_bins"),
        ({"planar": True}, "planar"),
        ({"augmentation": {"zoom": 2}}, "augmentation zoom"),
        ({"augmentation": {"elastic": 6.0}, "crop_size": 32}, "could fold"),
    ],
)
def test_refuses_bad_options(options, problem):
    with pytest.raises(InputError, match=problem):
        RandNoduleCropsd(**options)


def test_refuses_a_scan_that_is_not_on_a_grid():
    with pytest.raises(InputError, match="LungGridd"):
        RandNoduleCropsd()({"image": GRAY.float(), "label": torch.zeros(0, 5)})
