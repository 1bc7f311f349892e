# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, list_data_collate

from tomobundles.transforms import WATER, RandCandidateCropsd, cut_crops, gray_to_input
from tomobundles.utils import InputError

SHAPE = (50, 60, 70)
RNG = np.random.default_rng(0)
GRAY = torch.from_numpy(RNG.integers(0, 160, SHAPE, dtype=np.uint8))
NODULE, FALSE = [25.0, 30.0, 35.0], [30.0, 20.0, 40.0]


def _item(nodules=(), false=None, excluded=()):
    rows = [[*row, 1.0] for row in nodules] + [[*row, -1.0] for row in excluded]
    item = {"image": MetaTensor(GRAY[None]), "label": torch.tensor(rows).reshape(-1, 5)}
    return item if false is None else item | {"false_positive_points": torch.tensor(false).reshape(-1, 4)}


def _drawn(item, *, count=200, **options):
    transform = RandCandidateCropsd(num_samples=count, **({"size": 9} | options)).set_random_state(0)
    found = transform(item)
    centres = np.array([warp.source(warp.middle[None])[0] for warp, _ in transform.draws])
    return found, np.array([sample["label"].item() for sample in found]), centres


def test_cubes_lie_about_their_points():
    crops = cut_crops(GRAY, torch.tensor([[25.0, 30, 35], [10.2, 20.7, 30.4]]), size=9)
    assert crops.shape == (2, 1, 9, 9, 9)
    assert crops.dtype == torch.float32
    assert torch.equal(crops[0, 0], gray_to_input(GRAY[21:30, 26:35, 31:40]))
    assert torch.equal(crops[1, 0], gray_to_input(GRAY[6:15, 17:26, 26:35]))
    # between two voxels the upper one is the middle, of every place alike
    assert torch.equal(
        cut_crops(GRAY, torch.tensor([[25.5, 30.5, 35.5]]), 9),
        cut_crops(GRAY, torch.tensor([[26.0, 31, 36]]), 9),
    )
    # an even size has its middle between two voxels
    even = cut_crops(GRAY, torch.tensor([[25.5, 30.5, 35.5, 8.0]]), size=8)
    assert torch.equal(even[0, 0], gray_to_input(GRAY[22:30, 27:35, 32:40]))


def test_beyond_the_grid_is_water():
    crops = cut_crops(MetaTensor(GRAY), torch.tensor([[0.0, 30, 35], [-90, 0, 0]]), size=9)
    water = gray_to_input(torch.tensor(WATER))
    assert (crops[0, 0, :4] == water).all()
    assert torch.equal(crops[0, 0, 4:], gray_to_input(GRAY[:5, 26:35, 31:40]))
    assert (crops[1] == water).all()
    assert cut_crops(GRAY, torch.zeros(0, 3)).shape == (0, 1, 32, 32, 32)


@pytest.mark.parametrize("augmentation", [None, {"elastic": 0.2}])
def test_nodules_and_false_positives_by_their_share(augmentation):
    item = _item([[*NODULE, 8.0]], [[*FALSE, 5.0]])
    found, labels, centres = _drawn(item, positive_share=0.4, augmentation=augmentation)
    for sample in found:
        assert sample.keys() == {"image", "label"}
        assert sample["image"].shape == (1, 9, 9, 9)
        assert sample["label"].shape == (1,)
        assert sample["image"].dtype == sample["label"].dtype == torch.float32
    assert 55 < labels.sum() < 105
    rounding = 0 if augmentation else 0.87  # half a voxel along three axes
    for label, point in ((1, NODULE), (0, FALSE)):
        off = np.linalg.norm(centres[labels == label] - point, axis=1)
        assert off.max() <= 2 + rounding + 0.25
        assert off.max() > 1.3


def test_shifts_stay_within_the_hit_radius():
    _, labels, centres = _drawn(
        _item([[*NODULE, 3.0]]), positive_share=1.0, shift_mm=20, augmentation={"elastic": 0}
    )
    assert labels.all()
    off = np.linalg.norm(centres - NODULE, axis=1)
    assert 1.3 < off.max() < 1.5
    _, _, centres = _drawn(_item([[*NODULE, 3.0]]), positive_share=1.0, shift_mm=0)
    assert (centres == NODULE).all()


def test_without_augmentation_a_cube_is_what_cut_crops_gives():
    found, _, centres = _drawn(_item([[*NODULE, 8.0]], [[*FALSE, 5.0]]), count=10)
    for sample, centre in zip(found, centres, strict=True):
        assert torch.equal(sample["image"], cut_crops(GRAY, torch.from_numpy(centre[None]), size=9)[0])


def test_scans_that_lack_one_or_both():
    _, labels, centres = _drawn(_item(false=[[*FALSE, 5.0]]))
    assert not labels.any()
    assert np.abs(centres - FALSE).max() < 3
    for item in (_item(), _item(false=[])):
        _, labels, centres = _drawn(item)
        assert not labels.any()
        assert (centres.min(axis=0) < 5).all()
        assert (centres.max(axis=0) > np.array(SHAPE) - 6).all()


def test_random_negatives_avoid_nodules_and_findings():
    item = _item([[*NODULE, 30.0]], excluded=[[10.0, 10.0, 10.0, 20.0]])
    _, labels, centres = _drawn(item, positive_share=0.3, count=300)
    negatives = centres[labels == 0]
    assert len(negatives) > 150
    assert np.linalg.norm(negatives - NODULE, axis=1).min() > 15
    assert np.linalg.norm(negatives - [10, 10, 10], axis=1).min() > 10


def test_a_scan_full_of_nodule_still_gives_a_sample():
    found, labels, _ = _drawn(_item([[*NODULE, 400.0]]), positive_share=0.0, count=2)
    assert len(found) == 2
    assert not labels.any()


def test_seeds_repeat_and_batches_collate():
    item = _item([[*NODULE, 8.0]], [[*FALSE, 5.0]])
    one, other = (_drawn(item, count=4, augmentation={"elastic": 0})[0] for _ in range(2))
    assert all(torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a)
    transform = RandCandidateCropsd(num_samples=3)
    (batch,) = DataLoader(Dataset([item, item], transform), batch_size=2, collate_fn=list_data_collate)
    assert batch["image"].shape == (6, 1, 32, 32, 32)
    assert batch["label"].shape == (6, 1)


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"num_samples": 0}, {"positive_share": 1.1}, {"positive_share": -0.1}, {"shift_mm": -1}],
)
def test_refuses_bad_options(options):
    with pytest.raises(InputError, match=next(iter(options))):
        RandCandidateCropsd(**options)
