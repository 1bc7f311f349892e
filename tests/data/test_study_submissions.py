# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.study_submissions import write_contest_labels, write_contest_table, write_rsna_labels
from tomobundles.utils import InputError

from .study_results import NAMES, make_study, probabilities


def two_studies(**changes):
    return [make_study(**changes), make_study(patient="P2", slice_names=["c", "d", "e", "f"], slice_files=())]


def test_contest(tmp_path):
    lines = write_contest_labels(tmp_path / "a.csv", two_studies()).read_text().splitlines()
    assert lines[:6] == [
        "ID,prediction",
        "ab_0_ich,0",
        "ab_0_ivh,0",
        "ab_0_sah,0",
        "ab_0_sdh,0",
        "ab_0_edh,0",
    ]
    assert [line for line in lines if line.endswith(",1")] == [
        "ab_1_sdh,1",
        "ab_2_sdh,1",
        "d_sdh,1",
        "e_sdh,1",
    ]
    assert len(lines) == 1 + 2 * 4 * 5


def test_contest_cut_elsewhere(tmp_path):
    path = write_contest_labels(
        tmp_path / "a.csv", [make_study()], kind="raw", thresholds=[1, 1, 1, 1, 0.6, 1]
    )
    assert [line for line in path.read_text().splitlines() if line.endswith(",1")] == ["ab_3_edh,1"]


def test_contest_table(tmp_path):
    lines = write_contest_table(tmp_path / "a.csv", two_studies()).read_text().splitlines()
    assert lines[:3] == ["dirname,ID,ich,ivh,sah,sdh,edh", "P1,ab_0.jpg,0,0,0,0,0", "P1,ab_1.jpg,0,0,0,1,0"]
    assert lines[6] == "P2,d,0,0,0,1,0"
    assert len(lines) == 9


def test_ich_is_the_column_of_iph(tmp_path):
    values = probabilities()
    values["calibrated"][0, 0] = 0.9
    text = write_contest_table(tmp_path / "a.csv", [make_study(probabilities=values)]).read_text()
    assert text.splitlines()[1] == "P1,ab_0.jpg,1,0,0,0,0"


def test_rsna(tmp_path):
    study = make_study(slice_names=["ID_0", "1.2.3", "b", "c"])
    lines = write_rsna_labels(tmp_path / "a.csv", [study], kind="raw").read_text().splitlines()
    assert lines[:7] == [
        "ID,Label",
        "ID_0_epidural,0.125",
        "ID_0_intraparenchymal,0.125",
        "ID_0_intraventricular,0.125",
        "ID_0_subarachnoid,0.125",
        "ID_0_subdural,0.25",
        "ID_0_any,0.25",
    ]
    assert lines[7] == "ID_1.2.3_epidural,0.125"
    assert lines[19] == "ID_c_epidural,0.625"
    assert len(lines) == 25


@pytest.mark.parametrize("write", [write_contest_labels, write_contest_table, write_rsna_labels])
def test_wrong_input(tmp_path, write):
    twice = [make_study(), make_study()]
    with pytest.raises(InputError, match="two rows are called"):
        write(tmp_path / "a.csv", twice)
    with pytest.raises(InputError, match="no 'patient' probabilities of slices"):
        write(tmp_path / "a.csv", twice, kind="patient")
    with pytest.raises(InputError, match="no 'best' probabilities of slices"):
        write(tmp_path / "a.csv", twice, kind="best")
    renamed = make_study(class_names=["other", *NAMES[1:]])
    with pytest.raises(InputError, match="study case1 has no class IPH"):
        write(tmp_path / "a.csv", [renamed])
    assert not list(tmp_path.iterdir())


def test_thresholds_may_be_an_array(tmp_path):
    path = write_contest_table(tmp_path / "a.csv", [make_study()], thresholds=np.zeros(6))
    assert path.read_text().count(",1,1,1,1,1\n") == 4
