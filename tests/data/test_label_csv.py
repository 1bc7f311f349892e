# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.label_csv import csv_rows, parse_binary, read_label_csv, read_table, slice_stem
from tomobundles.utils import InputError


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "labels.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_rows_carry_the_lines_an_editor_shows(table):
    path = table(b'\xef\xbb\xbfA,b\r\n\r\n1,"x\r\ny"\r\n , \r\n2,z\r\n')
    assert list(csv_rows(path)) == [(1, ["A", "b"]), (4, ["1", "x\r\ny"]), (6, ["2", "z"])]
    assert list(read_table(path, needed=("a",)))[1] == (6, {"a": "2", "b": "z"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_characters_between_cells(table, delimiter):
    path = table("\ufeff\n" + delimiter.join("abc") + "\n" + delimiter.join("1x3") + "\n")
    assert list(read_table(path, needed="ab", delimiter=None)) == [(3, {"a": "1", "b": "x", "c": "3"})]
    assert next(iter(csv_rows(path, delimiter=delimiter))) == (2, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"slice,IPH\n\xff\xfe,1\n", "cannot be read as a CSV.*utf-8"),
        ('slice,IPH\n"a,1\n', "cannot be read as a CSV.*end of data"),
        ("", "wrong header: no column 'slice' in ''"),
        ("name,IPH\n", "wrong header: no column 'slice' in 'name,iph'"),
        ("slice;IPH\n", "wrong header: no column 'slice'"),
        ("slice,IPH,iph\n", "wrong header: column 'iph' twice"),
        ("slice,IPH\na,1,0\n", "line 2: 3 cells under a header of 2"),
        ("slice,IPH,subdurale\na,1,0\n", "wrong header: no class 'subdurale'"),
        ("slice,ICH\na,1\n", "wrong header: 'ich' is ambiguous"),
        ("slice,SDH,subdural\na,1,1\n", "wrong header: two columns of SDH"),
        ("slice\na\n", "wrong header: no class"),
        ("slice,IPH\n", "no slice in this table"),
        ("slice,IPH\na,1\nb,0\na,1\n", "line 4: slice a is there twice"),
        ("slice,IPH\na,1\na.PNG,1\n", "line 3: slice a is there twice"),
        ("slice,IPH\n,1\n", "line 2: no slice name"),
        ("slice,IPH\na,2\n", "line 2: iph is '2'"),
        ("slice,IPH\na,yes\n", "line 2: iph is 'yes'"),
        ("slice,IPH,any\na,1,0\n", "line 2: any is 0 but IPH is 1"),
    ],
)
def test_damaged_tables(table, text, message):
    with pytest.raises(InputError, match=rf"(?s)labels\.csv.*{message}"):
        read_label_csv(table(text))


def test_an_absent_table(tmp_path):
    with pytest.raises(InputError, match=r"(?s)none\.csv.*No such file"):
        read_label_csv(tmp_path / "none.csv")


def test_own_labels(table):
    path = table("Slice, Subdural ,any,iph\nimg_1.png,1,,0\n1.2.840.5,0.0,1.0,\n")
    assert read_label_csv(path) == {
        "slices": {
            "img_1": {"SDH": 1, "any": None, "IPH": 0},
            "1.2.840.5": {"SDH": 0, "any": 1, "IPH": None},
        }
    }


def test_stems_keep_dots_that_are_no_ending():
    assert [slice_stem(name) for name in ("a.b_1.JPG", "1.2.3.dcm", "1.2.3", "0")] == [
        "a.b_1",
        "1.2.3",
        "1.2.3",
        "0",
    ]


def test_binary_cells():
    assert [parse_binary(text, path="t", line=1, column="c") for text in ("0", "1", "")] == [0, 1, None]
    with pytest.raises(InputError, match="line 7: SDH is '-1'"):
        parse_binary("-1", path="t.csv", line=7, column="SDH")
