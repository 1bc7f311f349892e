# SPDX-License-Identifier: Apache-2.0
import logging

import pytest

from tomobundles.data.nodules import read_false_positives, with_false_positives
from tomobundles.utils import InputError

from .disk import write_table

COLUMNS = "seriesuid,coordX,coordY,coordZ,diameter_mm,probability\n"
ITEMS = [{"image": "train/LKDS-00001.mhd"}, {"image": "b.mhd", "seriesuid": "1.2"}, {"image": "c.mhd"}]


def table(tmp_path, *rows):
    return write_table(tmp_path / "fp.csv", *rows, header=COLUMNS)


def test_rows_are_laid_into_the_items_of_their_scans(tmp_path, caplog):
    path = table(
        tmp_path, "LKDS_00001,1,2,3,4,0.9", "1.2,5,6,7,8,0.05", "1.2,0,0,0,8,0.04", "other,1,1,1,1,1"
    )
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        found = with_false_positives(ITEMS, path)
    assert [item["false_positives"] for item in found] == [[[1, 2, 3, 4]], [[5, 6, 7, 8]], []]
    assert "2 false positives of 2 scans" in caplog.text
    assert "false_positives" not in ITEMS[0]
    found = with_false_positives(ITEMS, path, min_probability=0.5)
    assert [len(item["false_positives"]) for item in found] == [1, 0, 0]


def test_no_table_and_no_rows(tmp_path):
    assert with_false_positives(ITEMS) == ITEMS
    assert with_false_positives(ITEMS, "") == ITEMS
    assert [item["false_positives"] for item in with_false_positives(ITEMS, table(tmp_path))] == [[], [], []]
    assert read_false_positives(table(tmp_path, "a,1,2,3,4,0.5"), min_probability=0.6) == {"a": []}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1.2,1,2,3,0,0.5", "line 2: a diameter of 0 mm"),
        ("1.2,1,2,3,4,1.5", "with probability 1.5"),
        ("1.2,1,2,3,4,x", "line 2: probability is 'x'"),
        ("other,1,2,3,4,0.5", "false positives of 1 scans, none of which is in the training data"),
    ],
)
def test_tables_that_cannot_be(tmp_path, row, words):
    with pytest.raises(InputError, match=words):
        with_false_positives(ITEMS, table(tmp_path, row))
    with pytest.raises(InputError, match="no column 'probability'"):
        with_false_positives(ITEMS, write_table(tmp_path / "fp.csv", "1.2,1,2,3,4"))
