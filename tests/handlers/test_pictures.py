# SPDX-License-Identifier: Apache-2.0
"""What is shown of a volume of classes, of vessels on disk and of a head CT."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.data.volumes import ArrayVolume
from tomobundles.handlers import SegmentationPicture, SliceScoresPicture, VesselPicture
from tomobundles.visualize import CLASS_COLORS
from tomobundles.visualize.agreement import AGREEMENT_COLORS

CLASSES = ["REA", "SRF"]


def has(picture, color):
    """Pixels of a colour."""
    return int((picture == np.array(color)).all(axis=-1).sum())


def volume(label, *, depth=5):
    """A volume (1, 8, 10, depth) that predicts class 2 in one square of slice 3."""
    found = torch.zeros(1, 8, 10, depth, dtype=torch.uint8)
    found[0, 4:8, 4:8, 3] = 2
    image = torch.arange(80 * depth, dtype=torch.float32).reshape(1, 8, 10, depth)
    return {"image": image, "label": label, "pred": {"label": found}}


def test_each_class_counts_by_its_own_largest_area():
    """Slice 1 has most pixels, slice 3 nearly as many of class 1 and all of class 2."""
    label = torch.zeros(1, 8, 10, 5, dtype=torch.uint8)
    label[0, :5, :, 1], label[0, :4, :, 3], label[0, 6, 0, 3] = 1, 1, 2
    label[0, 7, :, 2] = 255  # not annotated, no class
    assert SegmentationPicture(CLASSES).choose(volume(label), {}) == ([3], True)


@pytest.mark.parametrize("label", [None, torch.zeros(1, 8, 10, 5, dtype=torch.uint8)])
def test_without_a_finding_the_middle_slice(label):
    assert SegmentationPicture(CLASSES).choose(volume(label), {}) == ([2], False)


def test_reference_and_prediction_in_the_classes_colours():
    label = torch.zeros(1, 8, 10, 5, dtype=torch.uint8)
    label[0, :3, :3, 3] = 1
    picture = SegmentationPicture(CLASSES, panel_pixels=40)
    drawn, bare = (picture.draw(volume(one), {}, [3]) for one in (label, None))
    assert drawn.dtype == np.uint8
    # three panels of 40 pixels with gaps of 6, two without a reference
    assert (drawn.shape[1], bare.shape[1]) == (3 * 46 + 6, 2 * 46 + 6)
    legend = has(bare, CLASS_COLORS[0])
    assert has(drawn, CLASS_COLORS[0]) > legend > 0
    assert has(drawn, CLASS_COLORS[1]) == has(bare, CLASS_COLORS[1]) > legend


def test_presence_alone_is_told_in_numbers():
    scan = volume(None) | {"pred": {"presence": torch.rand(2, 5)}}
    drawn = SegmentationPicture(CLASSES, panel_pixels=80).draw(scan, {}, [3])
    assert drawn.shape[1] == 2 * 86 + 6
    assert has(drawn, CLASS_COLORS[1]) == has(drawn, CLASS_COLORS[0]) > 0  # the legend's


def vessels(label, probability):
    return {
        "pred": ArrayVolume(probability),
        "label": None if label is None else ArrayVolume(label),
    }


LABEL = np.zeros((4, 8, 10), np.uint8)
LABEL[:, 2:4, 2:4] = 1
LABEL[2, 2:4] = 1
NATIVE = {"native": ArrayVolume(np.random.default_rng(0).random((4, 8, 10), dtype=np.float32))}


def test_the_slice_with_most_vessels():
    picture = VesselPicture()
    assert picture.choose(vessels(LABEL, LABEL / 2.0), {}) == ([2], True)
    assert picture.choose(vessels(LABEL * 0, LABEL / 2.0), {}) == ([2], False)
    assert picture.choose(vessels(None, LABEL[:3] / 2.0), {}) == ([1], False)


def test_vessels_found_missed_and_made_up():
    probability = np.zeros(LABEL.shape, np.float32)
    probability[2, 2:4, :5], probability[2, 6, 6], probability[2, 0, 0] = 0.6, 0.6, 0.4
    counts = {}
    for threshold in (0.5, 0.7):
        picture = VesselPicture(threshold=threshold, panel_pixels=80)
        drawn = picture.draw(vessels(LABEL, probability), NATIVE, [2])
        counts[threshold] = [has(drawn, color) for color in AGREEMENT_COLORS]
    legend = counts[0.7][0]  # nothing is found there: what is left of a colour is the legend's
    assert counts[0.7][:2] == [legend, legend]
    assert all(count > legend for count in (*counts[0.5], counts[0.7][2]))
    alone = VesselPicture(panel_pixels=80).draw(vessels(None, probability), NATIVE, [2])
    assert has(alone, AGREEMENT_COLORS[0]) > 0
    assert has(alone, AGREEMENT_COLORS[1]) == has(alone, AGREEMENT_COLORS[2]) == 0


def head(label, *, known=False, calibrated=None):
    """A head CT of six slices and two classes."""
    image = MetaTensor(torch.zeros(1, 8, 8, 6), affine=torch.eye(4), meta={"spacing_known": known})
    scores = torch.full((3, 6), 0.25) if calibrated is None else calibrated
    return {"image": image, "label": label, "pred": {"calibrated": scores}}


def test_slices_with_the_rarest_classes():
    label = torch.full((3, 6), float("nan"))
    label[0, 1:5], label[1, 4], label[2, 1:5], label[1, 0] = 1, 1, 1, 0
    picture = SliceScoresPicture(CLASSES, num_slices=2)
    slices, finding = picture.choose(head(label), {})
    assert finding
    assert 4 in slices
    assert len(slices) == 2


@pytest.mark.parametrize("label", [None, torch.zeros(3, 6), torch.full((3, 6), float("nan"))])
def test_evenly_spaced_slices_without_a_finding(label):
    assert SliceScoresPicture(CLASSES).choose(head(label), {}) == ([1, 3, 5], False)


def test_the_reference_is_marked_and_numbers_may_be_missing():
    picture, nothing = SliceScoresPicture(CLASSES), torch.zeros(3, 6)
    marked = nothing.clone()
    marked[0, 1] = 1
    plain, starred, unknown, undefined = (
        picture.draw(one, {}, [1, 2])
        for one in (
            head(nothing),
            head(marked),
            head(None),
            head(nothing, calibrated=torch.full((3, 6), float("nan"))),
        )
    )
    assert plain.shape == starred.shape
    differs = np.argwhere((plain != starred).any(axis=-1))
    assert len(differs)
    assert differs[:, 1].max() < plain.shape[1] / 2  # beside the first slice's first class alone
    assert not np.array_equal(plain, undefined)
    assert not np.array_equal(plain, unknown)  # the note says so


def test_sides_are_marked_where_the_geometry_is_known():
    picture = SliceScoresPicture(CLASSES, panel_pixels=64)
    known, not_known = (picture.draw(head(None, known=one), {}, [1]) for one in (True, False))
    differs = np.argwhere((known != not_known).any(axis=-1))
    assert len(differs)
    assert (differs.max(axis=0) < 80).all()  # on the slice of 64 pixels
