# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.nodules import seriesuid_of, uid_key


@pytest.mark.parametrize(
    "name", ["LKDS-00012", "LKDS_00012", " lkds-00012 ", "train/LKDS_00012.mhd", "LKDS 00012.nii.gz"]
)
def test_spellings_of_a_scan_of_tianchi(name):
    assert uid_key(name) == "LKDS-00012"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("1.3.6.1.4.1", "1.3.6.1.4.1"),
        ("1.3.6.1/1.3.6.1.nii.gz", "1.3.6.1"),
        ("a.mha", "a"),
        ("", ""),
        ("LKDS", "LKDS"),
    ],
)
def test_other_names(name, key):
    assert uid_key(name) == key


def test_name_of_an_item():
    item = {"image": "a/1.2.3.mhd"}
    assert seriesuid_of(item) == "1.2.3"
    assert seriesuid_of(item | {"series_uid": "9.8"}) == "9.8"
    assert seriesuid_of(item | {"series_uid": "9.8", "seriesuid": "x"}) == "x"
