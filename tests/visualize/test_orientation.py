# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.orientation import AxialView


def test_a_slice_as_scanned_is_not_turned():
    # DICOM's usual axial slice: rows go to the back, columns to the patient's left; RAS steps are negative.
    affine = np.array([[0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1.0]])
    assert AxialView.of(affine) == AxialView(known=True)
    pixels = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(AxialView.of(affine).apply(pixels), pixels)


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=2)))
def test_any_storage_looks_the_same(order, signs):
    """World coordinates stand for the image: after the turn, R falls along columns and A along rows."""
    affine = np.zeros((4, 4))
    affine[order[0], 0], affine[order[1], 1], affine[2, 2], affine[3, 3] = signs[0], signs[1], 5, 1
    affine[1, 2] = 0.4  # a shear does not matter
    rows, columns = np.indices((4, 3))
    index = np.stack([rows, columns, 0 * rows, 0 * rows + 1], axis=-1)
    world = AxialView.of(affine).apply(index @ affine.T)
    assert (np.diff(world[..., 0], axis=1) == -1).all()
    assert (np.diff(world[..., 1], axis=0) == -1).all()


def test_slightly_rotated_head():
    angle = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[-np.sin(angle), -np.cos(angle)], [-np.cos(angle), np.sin(angle)]]
    assert AxialView.of(affine) == AxialView(known=True)


def test_what_is_not_known_is_shown_as_stored():
    assert AxialView.of(None) == AxialView()
    coronal = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    assert AxialView.of(coronal) == AxialView()


def test_wrong_affine():
    with pytest.raises(InputError, match=r"affine of shape \(3, 3\)"):
        AxialView.of(np.eye(3))
