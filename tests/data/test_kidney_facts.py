# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from tomobundles.data.kidney_facts import check_facts, read_facts
from tomobundles.utils import InputError


def test_the_contest_s_voxel_sizes(tmp_path):
    facts = read_facts(None, root=tmp_path, present=())
    assert {name: known["spacing_um"] for name, known in facts.items()} == {
        "kidney_1_dense": 50,
        "kidney_1_voi": 5.2,
        "kidney_2": 50,
        "kidney_3_dense": 50.16,
        "kidney_3_sparse": 50.16,
        "kidney_5": 50.28,
        "kidney_6": 63.08,
    }


def test_a_file_in_the_folder_or_one_that_is_named_overrides_them(tmp_path):
    mine = {"kidney_2": {"spacing_um": 25}, "pig": {"annotated_fraction": 0.4}}
    (tmp_path / "kidneys.json").write_text(json.dumps(mine))
    facts = read_facts(None, root=tmp_path, present={"pig"})
    assert facts["kidney_2"] == {"spacing_um": 25, "annotated_fraction": 0.65}
    assert facts["pig"] == {"annotated_fraction": 0.4}
    (tmp_path / "other.json").write_text('{"pig": {"spacing_um": 1.5}}')
    facts = read_facts(str(tmp_path / "other.json"), root=tmp_path, present={"pig"})
    assert facts["pig"] == {"spacing_um": 1.5}
    assert facts["kidney_2"]["spacing_um"] == 50
    assert read_facts(mine, root=tmp_path, present={"pig"})["pig"] == {"annotated_fraction": 0.4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a mapping of kidneys"),
        ('{"pig": 50}', "pig: 50 are no facts"),
        ('{"pig": {"spacing": 50}}', "are no facts of a kidney"),
        ('{"cow": {"spacing_um": 50}}', "no kidney cow in"),
        ('{"pig": {"spacing_um": 0}}', "pig: voxel size 0 um"),
        ('{"pig": {"annotated_fraction": 85}}', "pig: annotated fraction 85"),
    ],
)
def test_facts_that_cannot_be(tmp_path, text, message):
    (tmp_path / "kidneys.json").write_text(text)
    with pytest.raises(InputError, match=rf"(?s)kidneys\.json.*{message}|{message}.*kidneys\.json"):
        read_facts(None, root=tmp_path, present={"pig"})


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot read this"):
        read_facts(tmp_path / "none.json", root=tmp_path, present=())


def test_items_without_facts_and_with_sound_ones():
    check_facts({}, path="x")
    check_facts({"spacing_um": None, "slices": None}, path="x")
    check_facts({"spacing_um": [50, 25.5, 25.5], "slices": [3, 3], "annotated_fraction": 1}, path="x")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"spacing_um": -1}, "voxel size -1"),
        ({"spacing_um": True}, "voxel size True"),
        ({"spacing_um": "50"}, "voxel size 50"),
        ({"spacing_um": [50, 50]}, "voxel size"),
        ({"spacing_um": float("inf")}, "voxel size inf"),
        ({"annotated_fraction": 0}, "annotated fraction 0"),
        ({"annotated_fraction": None}, "annotated fraction None"),
        ({"slices": [3]}, r"slices \[3\]"),
        ({"slices": [4, 3]}, r"slices \[4, 3\]"),
        ({"slices": [0, 2.5]}, "slices"),
        ({"slices": [-1, 2]}, "slices"),
        ({"slices": 7}, "slices 7"),
    ],
)
def test_items_with_facts_that_cannot_be(item, message):
    with pytest.raises(InputError, match=rf"(?s)scan\.nii.*{message}|{message}.*scan\.nii"):
        check_facts(item, path="scan.nii")
