# SPDX-License-Identifier: Apache-2.0
import logging

import pytest

from tomobundles.data.nodules import label_of, read_annotations, read_seriesuids
from tomobundles.data.nodules.annotations import Annotation
from tomobundles.utils import InputError

from .disk import HEADER, write_table


def rows(path, **options):
    return {key: [one.row for one in found] for key, found in read_annotations(path, **options).items()}


def test_rows_by_scan_with_their_lines(tmp_path):
    path = write_table(tmp_path / "a.csv", "1.2.3,-12.5,3,4e1,5.25", "", "9,1,2,3,4", "1.2.3,0,0,0,30")
    found = read_annotations(path)
    assert list(found) == ["1.2.3", "9"]
    assert found["1.2.3"][0] == Annotation("1.2.3", -12.5, 3.0, 40.0, 5.25, 2)
    assert [one.line for one in found["1.2.3"]] == [2, 5]
    assert rows(path)["9"] == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffseriesuid,coordX,coordY,coordZ,diameter_mm\r\nLKDS_00001,-1.5,2,3,4\r\n",
        "SeriesUID, COORDX,coordy,coordz,Diameter_MM\nLKDS-00001,-1.5,2,3,4\n",
        "index,coordZ,coordY,coordX,diameter_mm,seriesuid,class\n0,3,2,-1.5,4,LKDS-00001,1\n",
        "seriesuid;coordX;coordY;coordZ;diameter_mm\nLKDS-00001;-1,5;2,0;3;4\n",
        'seriesuid,coordX,coordY,coordZ,diameter_mm\nLKDS-00001,"-1,5","2,0",3,4\n',
        "seriesuid\tcoordX\tcoordY\tcoordZ\tdiameter_mm\nLKDS-00001.mhd\t-1,5\t2\t3\t4\n",
    ],
    ids=["BOM and CRLF", "case", "order and extra", "decimal commas", "quotes", "tabs"],
)
def test_spellings_of_one_table(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert rows(tmp_path / "a.csv") == {"LKDS-00001": [[-1.5, 2, 3, 4]]}


def test_excluded_findings(tmp_path):
    path = write_table(tmp_path / "a.csv", "1,1,2,3,-1", "1,1,2,3,", "1,1,2,3,6", "1,4,5,6,-1.0")
    assert rows(path, excluded=True) == {"1": [[1, 2, 3, -1], [1, 2, 3, 6], [4, 5, 6, -1]]}
    with pytest.raises(InputError, match="line 2: a diameter of -1 mm"):
        read_annotations(path)


def test_duplicate_rows(tmp_path, caplog):
    path = write_table(tmp_path / "a.csv", "1,1,2,3,4", "2,1,2,3,4", "1,1,2,3,4.0", "1,1,2,3,4")
    with caplog.at_level(logging.WARNING, logger="tomobundles"):
        assert rows(path) == {"1": [[1, 2, 3, 4]], "2": [[1, 2, 3, 4]]}
    assert "2 rows are there twice, first line 4" in caplog.text
    write_table(path, "1,1,2,3,4", "1,1,2,3.0001,5")
    with pytest.raises(InputError, match="lines 2 and 3: one point with diameters of 4 and 5 mm"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,nan,2,3,4", "line 2: coordX is 'nan'"),
        ("1,1,inf,3,4", "line 2: coordY is 'inf'"),
        ("1,1,2,here,4", "line 2: coordZ is 'here'"),
        ("1,1,2,,4", "line 2: coordZ is ''"),
        ('1,1,2,"1.234,5",4', "line 2: coordZ is '1.234,5'"),
        ("1,1,2,3,-4", "line 2: a diameter of -4 mm"),
        ("1,1,2,3,0", "line 2: a diameter of 0 mm"),
        ("1,1,2,3,", "line 2: diameter_mm is ''"),
        (" ,1,2,3,4", "line 2: no seriesuid"),
        ("1,1,5,2,5,3,4", "(?s)line 2: 7 cells under a header of 5.*decimal commas need semicolons"),
    ],
)
def test_rows_that_cannot_be(tmp_path, row, words):
    with pytest.raises(InputError, match=words):
        read_annotations(write_table(tmp_path / "a.csv", row))


def test_excluded_diameters_are_positive_or_unknown(tmp_path):
    with pytest.raises(InputError, match="a diameter of -2 mm"):
        read_annotations(write_table(tmp_path / "a.csv", "1,1,2,3,-2"), excluded=True)


@pytest.mark.parametrize("text", ["1.2.3,1,2,3,4\n", "", "seriesuid,coordX,coordY,coordZ\n1,2,3,4\n"])
def test_no_header(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match="wrong header: no column"):
        read_annotations(tmp_path / "a.csv")


def test_a_table_without_rows_and_one_that_is_missing(tmp_path):
    assert read_annotations(write_table(tmp_path / "a.csv")) == {}
    with pytest.raises(InputError, match="No such file"):
        read_annotations(tmp_path / "b.csv")


def test_lists_of_scans(tmp_path):
    path = tmp_path / "seriesuids.csv"
    path.write_bytes(b"\xef\xbb\xbfLKDS_00001\r\n1.2.3\r\n\r\nLKDS-00001\r\n")
    assert read_seriesuids(path) == ["LKDS-00001", "1.2.3"]
    path.write_text("seriesuid\n1.2.3\n")
    assert read_seriesuids(path) == ["1.2.3"]
    path.write_text("seriesuid\n")
    with pytest.raises(InputError, match="no scan in this list"):
        read_seriesuids(path)


def test_labels(tmp_path):
    (found,) = read_annotations(write_table(tmp_path / "a.csv", "1,1,2,3,4")).values()
    assert label_of(found) == {"nodules": [[1, 2, 3, 4]], "excluded": []}
    expected = {"nodules": [[1, 2, 3, 4]], "excluded": [[1, 2, 3, 4]], "source": "a.csv", "lines": [2]}
    assert label_of(found, found, source="a.csv") == expected
    assert label_of([], source="a.csv") == {"nodules": [], "excluded": []}
    assert HEADER.startswith("seriesuid")
