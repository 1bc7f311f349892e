# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.dicom import resolve_series
from tomobundles.data.dicom.findings import ACCEPTABLE, Finding, check_accept, count
from tomobundles.utils import InputError

from .builder import ct_slices, save


def test_count():
    assert (count(0), count(1), count(2, "file")) == ("0 slices", "1 slice", "2 files")


def test_remedies():
    assert Finding("missing_slice", "x").remedy == (
        'complete the series, or take the risk with accept=["missing_slice"]'
    )
    assert "folder of one acquisition" in Finding("mixed_kernel", "x").remedy
    assert "folder of its own" in Finding("mixed_patients", "x").remedy
    assert "emf2sf" in Finding("multi_frame", "x").remedy
    assert "scanner or PACS" in Finding("missing_position", "x").remedy


def test_accepted_codes():
    assert check_accept("missing_slice") == ("missing_slice",)
    assert check_accept(list(ACCEPTABLE)) == ACCEPTABLE
    assert check_accept(()) == ()


@pytest.mark.parametrize("code", ["duplicate_sop", "nonsense"])
def test_other_faults_cannot_be_accepted(tmp_path, code):
    with pytest.raises(InputError, match=f"'{code}' cannot be accepted"):
        resolve_series(save(tmp_path, ct_slices()), accept=code)
