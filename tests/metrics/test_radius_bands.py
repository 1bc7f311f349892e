# SPDX-License-Identifier: Apache-2.0
"""Scores by vessel radius."""

import math

import numpy as np
import pytest

from tomobundles.metrics.radius_bands import BandScores, band_edges, encode_bands
from tomobundles.utils import InputError

from .vessels import line


def test_edges_cover_all_radii():
    assert band_edges((0, 2, 4, math.inf)) == band_edges([2, 4]) == (0, 2, 4, math.inf)
    assert band_edges([]) == (0, math.inf)


@pytest.mark.parametrize("bounds", [(2, 2), (4, 2), (-1, 2), (0, math.nan), range(1, 200)])
def test_bad_edges_are_refused(bounds):
    with pytest.raises(InputError, match="radius bands"):
        band_edges(bounds)


def test_codes_by_hand():
    # single voxels have radius 1 (one voxel to the next outside), 2 um along their closest axis
    prediction = line((1, 1, 1), (1, 1, 5), shape=(3, 3, 7))
    reference = line((1, 1, 1), shape=(3, 3, 7))
    options = {"lines": (prediction > 0, reference > 0), "core": slice(1, 2)}
    codes = encode_bands(prediction, reference, edges=(0, 1, 2, math.inf), **options)
    expected = np.zeros((1, 3, 7), np.uint8)
    expected[0, 1, [1, 5]] = 3 + 2, 2  # on the edge 1: the band above
    np.testing.assert_array_equal(codes, expected)
    codes = encode_bands(prediction, reference, edges=(0, 1, 2, math.inf), spacing=(5, 2, 3), **options)
    assert codes[0, 1, [1, 5]].tolist() == [3 + 3, 3]


def test_a_mask_without_outside_is_thick():
    mask = np.ones((2, 2, 2), np.uint8)
    line_ = line((0, 0, 0), shape=(2, 2, 2)) > 0
    codes = encode_bands(mask, mask, lines=(line_, line_), core=slice(0, 2), edges=(0, 4, math.inf))
    assert (codes == 4).all()


def test_rows_by_hand():
    scores = BandScores((0, 2, math.inf), unit="um")
    # of two bands: codes 1, 2 of the prediction alone, 3, 4 of the reference
    codes = np.array([[[3, 3, 3, 1, 0, 4]]], np.uint8)
    prediction = np.array([[[1, 0, 1, 1, 0, 0]]], np.uint8)
    on_line = np.array([[[1, 1, 0, 0, 0, 1]]], bool)
    for part in (slice(0, 2), slice(2, 6)):
        scores.update(prediction[..., part], codes[..., part], on_line[..., part])
    thin, thick = scores.rows(np.array([0.5, math.nan]))
    assert thin == {
        "band": "0-2 um",
        "radius_from": 0.0,
        "radius_to": 2.0,
        "radius_unit": "um",
        "surface_dice": 0.5,
        "dice": pytest.approx(4 / 6),
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "centre_line_recall": 0.5,
        "reference_voxels": 3,
        "predicted_voxels": 3,
    }
    assert thick["band"] == "2 um and more"
    assert thick["radius_to"] == math.inf
    assert (thick["recall"], thick["centre_line_recall"], thick["reference_voxels"]) == (0, 0, 1)


def test_an_empty_band_is_nan():
    (row,) = BandScores((0, math.inf)).rows(np.array([math.nan]))
    assert row["band"] == "0 voxels and more"
    for key in ("surface_dice", "dice", "precision", "recall", "centre_line_recall"):
        assert math.isnan(row[key])
