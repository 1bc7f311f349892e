# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.dicom.geometry import measure, plane_of, same_positions, tilt, unit_axes

AXIAL = (1, 0, 0, 0, 1, 0)


def stack(*z, y=0.0, thickness=5.0):
    positions = np.array([[0.0, y, place] for place in z])
    return measure(positions=positions, axes=unit_axes(AXIAL), pixel_spacing=(0.5, 0.5), thickness=thickness)


def test_axes_are_row_column_normal():
    np.testing.assert_allclose(unit_axes(AXIAL), np.eye(3))
    np.testing.assert_allclose(unit_axes((0, 1.005, 0, 0, 0, -1))[2], [-1, 0, 0])  # y x -z, made unit


@pytest.mark.parametrize(
    "orientation", [(1, 0, 0, 0.1, 1, 0), (0, 0, 0, 0, 1, 0), (2, 0, 0, 0, 1, 0), (1, 0, 0, 1, 0, 0)]
)
def test_directions_that_are_none(orientation):
    assert unit_axes(orientation) is None
    assert plane_of(orientation) == "unknown"


def test_planes():
    assert plane_of(AXIAL) == "axial"
    assert plane_of((1, 0, 0, 0, 0, -1)) == "coronal"
    assert plane_of((0, 1, 0, 0, 0, -1)) == "sagittal"
    assert plane_of((1, 0, 0, 0, 0.866, -0.5)) == "axial"  # 30 degrees
    assert plane_of(None) == "unknown"


def test_tilt_by_hand():
    axes = np.eye(3)
    assert tilt(np.array([0, 0, 5.0]), axes) == 0
    assert tilt(np.array([0, -5.0, 5.0]), axes) == pytest.approx(45)
    assert tilt(np.array([0, 5.0, 5.0]), axes) == pytest.approx(-45)
    assert tilt(np.array([3.0, -4.0, 5.0]), axes) == pytest.approx(45)  # 5 mm across, 5 along


def test_order_spacing_affine():
    geometry = stack(20, 10, 15)
    assert geometry.order == (1, 2, 0)
    assert geometry.spacing_mm == 5
    np.testing.assert_allclose(geometry.positions_mm, [10, 15, 20])
    np.testing.assert_allclose(
        geometry.affine, [[0, -0.5, 0, 0], [-0.5, 0, 0, 0], [0, 0, 5, 10], [0, 0, 0, 1]]
    )
    assert geometry.findings == ()


def test_one_slice_and_one_place():
    geometry = stack(7, thickness=None)
    assert (geometry.spacing_mm, geometry.tilt_deg) == (None, 0)
    np.testing.assert_allclose(geometry.affine[:3, 2], [0, 0, 1])
    assert stack(7, 7).spacing_mm is None
    assert same_positions(np.array([1.0, 1.005, 2.0, 2.0])) == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    ("places", "codes"),
    [
        ((0, 5, 10, 15.2), []),
        ((0, 5, 10, 20), ["missing_slice"]),
        ((0, 5, 10, 15, 30), ["missing_slice"]),
        ((0, 5, 10, 15, 22.5), ["uneven_spacing"]),  # half a slice is no missing slice
        ((0, 5, 10, 15, 18), ["uneven_spacing"]),
        ((0, 5, 10, 20, 23), ["uneven_spacing"]),  # a gap and an odd step
        ((0, 5, 5, 10, 15), []),  # duplicates are found elsewhere
        (
            (0, 10, 20),
            ["spacing_unlike_thickness"],
        ),  # every second slice is lost, or gaps: the user's to know
    ],
)
def test_spacing(places, codes):
    assert [finding.code for finding in stack(*places).findings] == codes


def test_spacing_of_thin_slices_written_with_one_decimal():
    """0.625 mm steps are written as 0.6 or 0.7."""
    places = np.round(np.arange(40) * 0.625, 1)
    assert stack(*places, thickness=0.625).findings == ()
    del_one = np.delete(places, 20)
    assert [finding.code for finding in stack(*del_one, thickness=0.625).findings] == ["missing_slice"]
