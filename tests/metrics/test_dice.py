# SPDX-License-Identifier: Apache-2.0
"""Voxel counts and Dice of a volume."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.metrics import dice as dice_module
from tomobundles.metrics import dice_from_counts, volume_dice_counts
from tomobundles.utils import InputError

# one channel, 2 x 2 pixels, 2 slices; written slice by slice, slices lie along the last axis
LABEL = torch.stack([torch.tensor([[1, 1], [0, 2]]), torch.tensor([[1, 255], [0, 2]])], dim=-1)[None].byte()
PREDICTION = torch.stack([torch.tensor([[1, 0], [1, 2]]), torch.tensor([[1, 1], [2, 0]])], dim=-1)[
    None
].byte()
# class 1: label 3 voxels; prediction 4, one of them under 255, so 3; both: 2
# class 2: label 2; prediction 2; both: 1
# class 3: nowhere
COUNTS = ([2, 1, 0], [3, 2, 0], [3, 2, 0])


def counts_as_lists(prediction, label, **options):
    return tuple(counts.tolist() for counts in volume_dice_counts(prediction, label, **options))


def naive(prediction, label, num_classes, ignore=255):
    """One whole boolean map a class: what the pieces must add up to."""
    valid = label != ignore
    maps = [((prediction == k) & valid, (label == k) & valid) for k in range(1, num_classes + 1)]
    return tuple(
        [int(count) for count in column]
        for column in zip(*[((p & g).sum(), p.sum(), g.sum()) for p, g in maps], strict=True)
    )


def test_counts_by_hand():
    counts = volume_dice_counts(PREDICTION, LABEL, num_classes=3)
    assert tuple(part.tolist() for part in counts) == COUNTS
    assert all(part.dtype == torch.int64 for part in counts)


def test_another_ignore_label():
    # with 2 ignored, class 1 alone counts: label 3 (255 replaced by 0), prediction 4 - 0 under a 2
    label = LABEL.where(LABEL != 255, 0)
    assert counts_as_lists(PREDICTION, label, num_classes=1, ignore_label=2) == ([2], [4], [3])


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_pieces_add_up(monkeypatch, chunk):
    monkeypatch.setattr(dice_module, "_CHUNK", chunk)
    generator = torch.Generator().manual_seed(chunk)
    label = torch.randint(0, 5, (1, 7, 5, 3), generator=generator)
    label[torch.rand(label.shape, generator=generator) < 0.1] = 255
    prediction = torch.randint(0, 5, (1, 7, 5, 3), generator=generator)
    assert counts_as_lists(prediction, label, num_classes=4) == naive(prediction, label, 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.float(),
        lambda t: MetaTensor(t.float()),
        lambda t: t.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0),  # slices apart in memory
        lambda t: t.int(),
    ],
    ids=["float", "meta", "slices_first", "int"],
)
def test_type_and_memory_order_do_not_matter(change):
    assert counts_as_lists(PREDICTION, change(LABEL), num_classes=3) == COUNTS
    assert counts_as_lists(change(PREDICTION), LABEL, num_classes=3) == COUNTS
    assert counts_as_lists(change(PREDICTION), change(LABEL), num_classes=3) == COUNTS


def test_no_copy_of_the_volume():
    label = torch.zeros((1, 256, 256, 64), dtype=torch.uint8)  # 4 MiB
    tracemalloc.start()
    volume_dice_counts(label, label.clone().permute(0, 1, 2, 3), num_classes=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20  # an int64 copy would be 32 MiB; a few masks of 128 KiB are all there should be


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(1, 2, 2, 2\) and label \(2, 2, 2\) differ"):
        volume_dice_counts(PREDICTION, LABEL[0], num_classes=3)


def test_unmapped_grey_values_are_named():
    label = LABEL.clone()
    label[0, 0, 0] = 191
    with pytest.raises(InputError, match="the label holds the values 2, 191"):
        volume_dice_counts(PREDICTION, label, num_classes=1)
    many = torch.arange(8.0).reshape(1, 2, 2, 2) + 0.5
    with pytest.raises(InputError, match=r"0\.5, 1\.5, 2\.5, 3\.5, 4\.5, \.\.\."):
        volume_dice_counts(PREDICTION, many, num_classes=1)


def test_dice_by_hand():
    # 2*2/(3+3), present but missed, absent but predicted, absent
    intersection, predicted, reference = torch.tensor([[2, 0, 0, 0], [3, 0, 5, 0], [3, 4, 0, 0]])
    dice = dice_from_counts(intersection, predicted, reference)
    assert dice.dtype == torch.float64
    np.testing.assert_allclose(dice, [2 / 3, 0, np.nan, np.nan], rtol=1e-15)


def test_dice_of_identical_maps_is_one():
    intersection, predicted, reference = volume_dice_counts(LABEL, LABEL, num_classes=2)
    assert dice_from_counts(intersection, predicted, reference).tolist() == [1.0, 1.0]
