# SPDX-License-Identifier: Apache-2.0
import logging

import pytest

from tomobundles.data.ich_tables import (
    CQ500_CLASSES,
    read_contest_csv,
    read_cq500_reads,
    read_ct_ich_csv,
    read_rsna_csv,
)
from tomobundles.data.slice_labels import CLASS_NAMES, CLASSES, check_label
from tomobundles.utils import InputError

CONTEST = "dirname,ID,ich,ivh,sah,sdh,edh\n"
CT_ICH = (
    "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural,"
    "No_Hemorrhage,Fracture_Yes_No\n"
)
RSNA_ORDER = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return path

    return write


def rsna(**slices):
    """Six rows a slice, values in the order of RSNA_ORDER."""
    rows = [
        f"ID_{name}_{subtype},{value}"
        for name, values in slices.items()
        for subtype, value in zip(RSNA_ORDER, values, strict=True)
    ]
    return "ID,Label\n" + "\n".join(rows) + "\n"


def cq500(*studies):
    """Rows of (name, votes of R1, R2, R3), each a string of 0 and 1 in the order ICH IPH IVH SDH EDH SAH."""
    columns = [f"R{reader}:{name}" for reader in (1, 2, 3) for name in CQ500_CLASSES]
    header = ",".join(["name", "Category", *columns, "R1:Fracture"])
    rows = [",".join([name, "B1", *"".join(votes), "0"]) for name, *votes in studies]
    return "\n".join([header, *rows]) + "\n"


def test_contest_ich_is_iph(table):
    path = table(CONTEST + "ID_0a,ab_0.jpg,1,0,0,1,0\nID_0a,ab_1,0,,0,0,0\nID_0b,cd_0,0,0,0,0,1\n")
    labels = read_contest_csv(path)
    assert labels == {
        "ID_0a": {
            "slices": {
                "ab_0": {"IPH": 1, "IVH": 0, "SAH": 0, "SDH": 1, "EDH": 0},
                "ab_1": {"IPH": 0, "IVH": None, "SAH": 0, "SDH": 0, "EDH": 0},
            }
        },
        "ID_0b": {"slices": {"cd_0": {"IPH": 0, "IVH": 0, "SAH": 0, "SDH": 0, "EDH": 1}}},
    }
    assert all(check_label(label) == label for label in labels.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dirname,ID,iph,ivh,sah,sdh,edh\n", "wrong header: no column 'ich'"),
        (CONTEST + "a,x_0,1,0,0,0,0\na,x_0.jpg,1,0,0,0,0\n", "line 3: slice x_0 is there twice"),
        (CONTEST + "a,,1,0,0,0,0\n", "line 2: no name of a slice"),
        (CONTEST + "a,x_0,0.5,0,0,0,0\n", r"line 2: ich is '0\.5'"),
    ],
)
def test_damaged_contest_tables(table, text, message):
    with pytest.raises(InputError, match=rf"(?s)table\.csv.*{message}"):
        read_contest_csv(table(text))


def test_rsna_rows_become_slices(table):
    labels = read_rsna_csv(table(rsna(a1="100001", b2="000000", c3="100001")))
    assert list(labels) == ["ID_a1", "ID_b2", "ID_c3"]
    assert labels["ID_a1"] == {"IPH": 0, "IVH": 0, "SAH": 0, "SDH": 0, "EDH": 1, "any": 1}
    assert labels["ID_a1"] is labels["ID_c3"]  # 752,803 slices, a few dozen mappings


def test_rsna_repeats_that_agree_are_harmless(table, caplog):
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        labels = read_rsna_csv(table(rsna(a="000011") + "ID_a_any,1\nID_a_epidural,0\n"))
    assert labels["ID_a"]["any"] == 1
    assert "repeats 2 rows" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ID,Label,x\n", "wrong header: 'id,label,x'"),
        ("", "wrong header: ''"),
        (rsna(a="000000") + "ID_a_epidural,1\n", "line 8: ID_a_epidural disagrees"),
        (rsna(a="000000") + "ID_a_edh,1\n", "line 8: 'ID_a_edh,1' is not ID_<slice>_<subtype>"),
        (rsna(a="000000") + "epidural,1\n", "line 8: 'epidural,1' is not"),
        (rsna(a="000000") + "ID_b_any\n", "line 8: 'ID_b_any' is not"),
        (rsna(a="000000") + "ID_b_any,0.5\n", r"line 8: Label is '0\.5'"),
        (rsna(a="000000") + "ID_b_any,0\nID_b_epidural,0\n", "ID_b has 2 of 6 rows"),
    ],
)
def test_damaged_rsna_tables(table, text, message):
    with pytest.raises(InputError, match=rf"(?s)table\.csv.*{message}"):
        read_rsna_csv(table(text))


def test_ct_ich_counts_slices_from_one_and_says_when_there_is_none(table):
    labels = read_ct_ich_csv(table(CT_ICH + "49,1,0,0,0,0,0,1,0\n49,2,1,0,0,1,0,0,1\n101,1,0,1,0,0,0,,0\n"))
    assert labels == {
        "049": {
            "slices": {
                "0": {"IVH": 0, "IPH": 0, "SAH": 0, "EDH": 0, "SDH": 0, "any": 0},
                "1": {"IVH": 1, "IPH": 0, "SAH": 0, "EDH": 1, "SDH": 0, "any": 1},
            }
        },
        "101": {"slices": {"0": {"IVH": 0, "IPH": 1, "SAH": 0, "EDH": 0, "SDH": 0, "any": None}}},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CT_ICH.replace("Subdural", "SDH"), "wrong header: no column 'Subdural'"),
        (CT_ICH + "49,1,0,0,0,0,0,1,0\n49,1,0,0,0,0,0,1,0\n", "line 3: slice 0 is there twice"),
        (CT_ICH + "49,0,0,0,0,0,0,1,0\n", "line 2: SliceNumber is '0'"),
        (CT_ICH + "x,1,0,0,0,0,0,1,0\n", "line 2: PatientNumber is 'x'"),
        (CT_ICH + "49,1,0,0,0,0,0,2,0\n", "line 2: No_Hemorrhage is '2'"),
        (CT_ICH + "49,1,0,0,0,0,1,1,0\n", "line 2: any is 0 but SDH is 1"),
    ],
)
def test_damaged_ct_ich_tables(table, text, message):
    with pytest.raises(InputError, match=rf"(?s)table\.csv.*{message}"):
        read_ct_ich_csv(table(text))


def test_cq500_two_of_three_readers_decide_and_ich_is_any(table):
    labels = read_cq500_reads(
        table(
            cq500(
                ("CQ500-CT-0", "110000", "110100", "000000"),  # IPH: R1 and R2; SDH: R2 alone
                ("CQ500-CT-1", "000000", "100010", "000000"),  # one reader alone
                ("CQ500-CT-2", "110000", "100100", "000000"),  # a bleed, but of which class?
            )
        )
    )
    assert list(labels["CQ500-CT-0"]["study"]) == list(CLASS_NAMES)
    assert labels["CQ500-CT-0"]["study"] == dict.fromkeys(CLASS_NAMES, 0) | {"IPH": 1, "any": 1}
    assert labels["CQ500-CT-1"]["study"] == dict.fromkeys(CLASS_NAMES, 0)
    assert labels["CQ500-CT-2"]["study"] == dict.fromkeys(CLASSES) | {"any": 1}
    assert all(check_label(label) == label for label in labels.values())


def test_cq500_without_a_majority_is_unknown(table):
    text = cq500(("CQ500-CT-0", "1" * 6, "0" * 6, "0" * 6))
    head, row = text.splitlines()
    cells = row.split(",")
    cells[-2] = ""  # R3 did not say of SAH: one vote each way
    study = read_cq500_reads(table(f"{head}\n{','.join(cells)}\n"))["CQ500-CT-0"]["study"]
    assert study == dict.fromkeys(CLASS_NAMES, 0) | {"SAH": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,R1:ICH\n", "wrong header: no column 'R1:IPH'"),
        (cq500(("a", *["0" * 6] * 3), ("a", *["0" * 6] * 3)), "line 3: study a is there twice"),
        (cq500(("a", "000000", "000000", "200000")), "line 2: R3:ICH is '2'"),
    ],
)
def test_damaged_cq500_tables(table, text, message):
    with pytest.raises(InputError, match=rf"(?s)table\.csv.*{message}"):
        read_cq500_reads(table(text))
