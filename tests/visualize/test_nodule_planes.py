# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.visualize.nodule_planes import PLANES

SHAPE = (40, 50, 60)
CENTRE = (22, 28, 35)


def test_planes_as_radiologists_look_at_them():
    volume = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    axial, coronal, sagittal = (plane.cut(volume, 3) for plane in PLANES)
    assert [cut.shape for cut in (axial, coronal, sagittal)] == [(40, 50), (60, 50), (60, 40)]
    assert axial[5, 7] == volume[5, 7, 3]  # rows to the back, columns to the patient's left
    assert coronal[0, 7] == volume[3, 7, 59]  # the head is up
    assert sagittal[59, 5] == volume[5, 3, 0]  # the front is at the left


@pytest.mark.parametrize("plane", PLANES)
def test_points_lie_where_their_voxels_are_shown(plane):
    volume = np.zeros(SHAPE, np.uint8)
    volume[CENTRE] = 200
    row, column = plane.place(CENTRE, SHAPE)
    assert plane.cut(volume, CENTRE[plane.axis])[row, column] == 200
