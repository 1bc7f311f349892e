# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from tomobundles.data import LoadVolumed, load_datalist
from tomobundles.data.nodules import LoadNodulesd, NoduleLayout
from tomobundles.data.nodules.lidc_layout import read_lidc
from tomobundles.data.nodules.lidc_nodules import Grid, lidc_label
from tomobundles.data.nodules.lidc_xml import NODULE, OTHER, SMALL, is_lidc_xml, read_lidc_xml
from tomobundles.utils import InputError

from ..dicom.builder import ct_slices, save
from .lidc import nodule, other, roi, square, write_xml

# rows go down 0.5 mm in y, columns 0.5 mm in x, slices 2 mm in z, from (0, 0, 10)
AFFINE = np.array([[0, -0.5, 0, 0], [-0.5, 0, 0, 0], [0, 0, 2.0, 10], [0, 0, 0, 1]])
GRID = Grid(AFFINE, (40, 40, 6), tuple(f"s{index}" for index in range(6)))


def label(tmp_path, *sessions, **options):
    return lidc_label(read_lidc_xml(write_xml(tmp_path / "a.xml", *sessions)), GRID, **options)


def sphere_of(voxels):
    return math.cbrt(6 * voxels * 0.5 / math.pi)  # a voxel has 0.5 mm3


def test_marks(tmp_path):
    sessions = [
        nodule(roi(12, square(2, 6), sop="s1"), roi(14, square(2, 4), inclusion="FALSE")),
        "<annotationVersion>3.12</annotationVersion>"
        + nodule(roi(12, [(7, 8)]), rated=False)
        + other(16, 3, 4),
        nodule(roi(12, square(2, 6)), rated=False) + "<unblindedReadNodule/>",
        "",
    ]
    reading = read_lidc_xml(write_xml(tmp_path / "a.xml", *sessions, uid="1.2"))
    assert (reading.series_uid, reading.readers) == ("1.2", 4)
    assert [(mark.reader, mark.kind) for mark in reading.marks] == [
        (0, NODULE),
        (1, SMALL),
        (1, OTHER),
        (2, NODULE),
    ]
    first, hole = reading.marks[0].contours
    assert (first.sop_uid, first.z_mm, first.inclusion, hole.inclusion) == ("s1", 12.0, True, False)
    np.testing.assert_array_equal(first.points, square(2, 6))
    np.testing.assert_array_equal(reading.marks[2].contours[0].points, [[3, 4]])


def test_a_nodule_is_what_lies_inside_its_contours(tmp_path):
    """Pixels 3 to 5 in slices 1 and 2: 18 voxels around column 4, row 4, between the slices."""
    marks = nodule(roi(12, square(2, 6)), roi(99, square(2, 6), sop="s2"))
    found = label(tmp_path, marks, marks, marks, "")
    np.testing.assert_allclose(found["nodules"], [[2, 2, 13, sphere_of(18)]])
    assert found["excluded"] == []


def test_holes_and_rows_that_are_not_columns(tmp_path):
    """Columns 3 to 9 and rows 3 to 5, less the pixel (4, 4) that a hole's contour surrounds."""
    rim = [(2, 2), (10, 2), (10, 6), (2, 6)]
    marks = nodule(roi(12, square(3, 5), inclusion="FALSE"), roi(12, rim))
    ((x, y, z, diameter),) = label(tmp_path, marks, min_readers=1)["nodules"]
    assert (x, y, z) == pytest.approx(((6 * 21 - 4) / 20 / 2, 2, 12))
    assert diameter == pytest.approx(sphere_of(20))


def test_a_contour_too_thin_to_hold_a_voxel(tmp_path):
    marks = nodule(roi(12, [(4, 6), (5, 6)]))
    assert label(tmp_path, marks, min_readers=1)["nodules"] == [[2.25, 3.0, 12.0, 3.0]]


def test_readers_are_merged_where_centres_are_nearer_than_the_radii(tmp_path):
    """Squares of 9 x 9 pixels, one slice: 5.4 mm, centres 1 mm apart; the last is 10 mm away."""
    near, next_to, far = (nodule(roi(12, square(low, low + 10))) for low in (2, 4, 24))
    found = label(tmp_path, near, next_to, near + far, far)
    ((x, y, z, diameter),) = found["nodules"]
    assert (x, y, z) == pytest.approx(((3.5 + 4.5 + 3.5) / 3, (3.5 + 4.5 + 3.5) / 3, 12))
    assert diameter == pytest.approx(sphere_of(81))
    assert found["excluded"] == [[14.5, 14.5, 12.0, pytest.approx(sphere_of(81))]]
    assert len(label(tmp_path, near, next_to, near + far, far, min_readers=2)["nodules"]) == 2
    assert label(tmp_path, near, next_to, near + far, far, min_readers=4)["nodules"] == []


def test_one_reader_counts_once(tmp_path):
    twice = nodule(roi(12, square(2, 12))) + nodule(roi(12, square(4, 14)))
    found = label(tmp_path, twice, nodule(roi(12, square(2, 12))), "", "")
    assert found["nodules"] == []
    assert len(found["excluded"]) == 2


def test_small_nodules_and_other_marks_are_excluded_unless_they_lie_in_a_nodule(tmp_path):
    marks = nodule(roi(12, square(2, 12)))
    small = nodule(roi(14, [(30, 20)]), rated=False)
    found = label(tmp_path, marks, marks, marks + small, other(12, 7, 8) + other(18, 1, 2))
    assert len(found["nodules"]) == 1
    assert found["excluded"] == [[15.0, 10.0, 14.0, -1.0], [0.5, 1.0, 18.0, -1.0]]


def test_contours_in_no_slice_and_readers_that_did_not_read(tmp_path):
    with pytest.raises(InputError, match="a contour at z = 40 mm, where the series has no slice"):
        label(tmp_path, nodule(roi(40, square(2, 6))), min_readers=1)
    for count in (0, 3):
        with pytest.raises(InputError, match=f"{count} readers are asked for, 2 have read"):
            label(tmp_path, "", "", min_readers=count)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<LidcReadMessage>", "cannot be read as XML"),
        ("<LidcReadMessage/>", "not a reading of LIDC's CTs: <LidcReadMessage>"),
        ("<IdriReadMessage><SeriesInstanceUid>1</SeriesInstanceUid></IdriReadMessage>", "<IdriReadMessage>"),
    ],
)
def test_other_files(tmp_path, text, words):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_lidc_xml(tmp_path / "a.xml")


@pytest.mark.parametrize("mark", [nodule(roi("", [(1, 2)])), nodule(roi(12, [])), other("nan", 1, 2)])
def test_marks_without_place(tmp_path, mark):
    with pytest.raises(InputError, match="a mark without its place"):
        read_lidc_xml(write_xml(tmp_path / "a.xml", mark))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read as XML: No such file"):
        read_lidc_xml(tmp_path / "a.xml")
    assert not is_lidc_xml(tmp_path / "a.xml")


def download(root, *, uid="1.2.3.4"):
    """A series of 6 x 5 pixels of 0.75 x 0.5 mm from (-60, -70, 12.5), slices of 5 mm, and its reading."""
    save(root / "LIDC-IDRI-0001" / "series", ct_slices())
    marks = nodule(roi(22.5, square(0, 4)))
    write_xml(root / "LIDC-IDRI-0001" / "series" / "069.xml", marks, marks, marks, "", uid=uid)
    (root / "chest_film.xml").write_text("<IdriReadMessage/>")
    return root


def test_a_download_of_lidc(tmp_path, caplog):
    """Columns and rows 1 to 3 of slice 2: centre x -60 + 2 * 0.5, y -70 + 2 * 0.75, z 22.5."""
    root = download(tmp_path)
    layout = NoduleLayout()
    assert layout.matches(root)
    assert not NoduleLayout(section="test").matches(root)
    (item,) = load_datalist(dataset_dir=root, layout=layout, sections=("training",))["training"]
    expected = [[-59, -68.5, 22.5, math.cbrt(6 * 9 * 0.5 * 0.75 * 5 / math.pi)]]
    np.testing.assert_allclose(item["label"]["nodules"], expected, atol=1e-6)
    assert (item["series_uid"], item["seriesuid"], len(item["files"])) == ("1.2.3.4", "1.2.3.4", 8)
    assert item["image"] == str(root / "LIDC-IDRI-0001" / "series")
    found = LoadNodulesd()(LoadVolumed("image")(item))
    np.testing.assert_allclose(found["nodules"], expected, atol=1e-6)
    write_xml(root / "absent.xml", "", uid="9.9")
    assert len(layout(root)["training"]) == 1
    assert "1 of 2 readings have no DICOM series here" in caplog.text
    with pytest.raises(InputError, match="5 readers are asked for"):
        NoduleLayout(min_readers=5)(root)


def test_downloads_that_cannot_be_paired(tmp_path):
    with pytest.raises(InputError, match="1 readings of LIDC, and none of their DICOM series"):
        read_lidc(download(tmp_path / "a", uid="9.9"))
    root = download(tmp_path / "b")
    write_xml(root / "again.xml", "")
    with pytest.raises(InputError, match="a reading of the same series as"):
        read_lidc(root)
    with pytest.raises(InputError, match="no XML file of LIDC's readings"):
        read_lidc(save(tmp_path / "c", ct_slices()))


def test_a_series_of_faulty_geometry(tmp_path):
    datasets = ct_slices()
    for dataset in datasets:
        del dataset.ImagePositionPatient
    save(tmp_path / "series", datasets)
    write_xml(tmp_path / "a.xml", "", "", "", "")
    with pytest.raises(InputError, match="without ImagePositionPatient"):
        read_lidc(tmp_path)
