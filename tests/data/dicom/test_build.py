# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.dicom.build import build_series
from tomobundles.data.dicom.findings import Finding
from tomobundles.data.dicom.headers import read_header

from .builder import SERIES, ct_slices, save, set_stored


def group(folder, datasets):
    save(folder, datasets)
    return [read_header(file) for file in sorted(folder.iterdir())]


def build(headers, *siblings, unreadable=()):
    return build_series(headers, siblings=siblings, shared_uids=set(), unreadable=unreadable)


def test_a_series_is_sorted_and_measured(tmp_path):
    series = build(group(tmp_path, ct_slices()[::-1]))
    assert [header.sop_uid for header in series.slices] == [f"{SERIES}.{n}" for n in range(1, 9)]
    assert (series.spacing_mm, series.thickness_mm, series.plane) == (pytest.approx(5), 5, "axial")
    assert (series.kernel, series.kernel_class, series.body_part) == ("H31s", "soft", "HEAD")
    assert series.extent_mm == pytest.approx(40)
    assert series.findings == ()


def test_siblings_of_another_plane_or_kind_do_not_matter(tmp_path):
    axial = group(tmp_path / "a", ct_slices())
    coronal = group(tmp_path / "b", ct_slices(row=(1, 0, 0), column=(0, 0, -1)))
    scout = group(tmp_path / "c", ct_slices(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    assert build(axial, coronal, scout).findings == ()
    assert build(scout, axial).codes == {"localizer", "one_slice"}


def test_a_sibling_of_another_size_spoils_both(tmp_path):
    one, other = ct_slices(), ct_slices(2)
    for dataset in other:
        set_stored(dataset, np.arange(12).reshape(4, 3))
    axial, stray = group(tmp_path / "a", one), group(tmp_path / "b", other)
    (finding,) = build(axial, stray).findings
    assert (finding.code, finding.fatal) == ("other_size", True)
    assert finding.message == "2 slices of the same SeriesInstanceUID with another matrix (4 x 3, not 6 x 5)"
    assert "other_size" in build(stray, axial).codes


def test_files_lost_in_other_folders_do_not_matter(tmp_path):
    headers = group(tmp_path / "a", ct_slices())
    lost = Finding("unreadable_file", "damaged", True, str(tmp_path / "b" / "x.dcm"))
    assert build(headers, unreadable=[lost]).findings == ()
    lost = Finding("unreadable_file", "damaged", True, str(tmp_path / "a" / "x.dcm"))
    assert [finding.code for finding in build(headers, unreadable=[lost]).fatal] == ["unreadable_file"]
