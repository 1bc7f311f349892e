# SPDX-License-Identifier: Apache-2.0
import copy

import numpy as np

from tomobundles.data.dicom import find_series
from tomobundles.data.dicom.duplicates import duplicate_findings
from tomobundles.data.dicom.headers import read_header

from .builder import ct_slices, save


def test_pairs_in_sorted_slices(tmp_path):
    datasets = ct_slices(3)
    datasets.append(copy.deepcopy(datasets[1]))
    datasets[3].SOPInstanceUID = "1.9"
    save(tmp_path, datasets)
    headers = [read_header(tmp_path / f"00{index}.dcm") for index in (0, 1, 3, 2)]
    positions = np.array([0.0, 5.0, 5.0, 10.0])
    (finding,) = duplicate_findings(headers, positions_mm=positions, shared_uids=set())
    assert (finding.code, finding.message) == (
        "duplicate_slice",
        "1 position with two slices of identical pixels",
    )
    assert finding.path.endswith("003.dcm")
    (finding,) = duplicate_findings(headers, positions_mm=np.empty(0), shared_uids={"1.9"})
    assert (finding.code, finding.message) == (
        "duplicate_sop",
        "1 file share a SOPInstanceUID with another file",
    )


def test_one_object_in_two_series(tmp_path):
    save(tmp_path / "a", ct_slices())
    twins = ct_slices()
    for twin in twins:
        twin.SeriesInstanceUID = "1.2.3.5"
    scan = find_series(save(tmp_path / "b", twins).parent)
    assert [series.fatal[0].code for series in scan.series] == ["duplicate_sop"] * 2


def test_duplicates_of_damaged_pixels_are_no_copies(tmp_path):
    datasets = ct_slices()
    datasets.append(copy.deepcopy(datasets[2]))
    datasets[-1].SOPInstanceUID = "1.9.9"
    save(tmp_path, datasets)
    file = tmp_path / "008.dcm"
    file.write_bytes(file.read_bytes()[:-10])
    (series,) = find_series(tmp_path).series
    assert {"duplicate_position", "truncated_file"} <= series.codes
