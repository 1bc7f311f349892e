# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from tomobundles.data import load_datalist, save_datalist
from tomobundles.data.datalist_checks import is_label_table
from tomobundles.utils import InputError

SLICES = {"slices": {"0": {"IPH": 1}, "1": {"IPH": None}}}
STUDY = {"study": {"any": 1}}


@pytest.fixture
def root(tmp_path):
    for name in "abcd":
        np.save(tmp_path / f"{name}.npy", np.zeros((2, 3, 3), np.uint8))
    (tmp_path / "a.csv").write_text("slice,IPH\n0,1\n1,\n")
    (tmp_path / "unknown.csv").write_text("slice,IPH\n0,\n")
    return tmp_path


def item(name, label=None, **more):
    return {"image": f"{name}.npy", "patient": name, "label": label} | more


def load(root, *, sections=("training",), **data):
    path = root / "datalist.json"
    path.write_text(json.dumps(data))
    return load_datalist(dataset_dir=root, datalist=path, sections=sections)


def test_mappings_are_kept_and_tables_are_paths(root):
    data = load(root, training=[item("a", "a.csv", series_uid="1.2"), item("b", SLICES), item("c", STUDY)])
    assert [entry["label"] for entry in data["training"]] == [str(root / "a.csv"), SLICES, STUDY]
    assert data["training"][0]["series_uid"] == "1.2"
    save_datalist(root / "again.json", data, dataset_dir=root)
    assert json.loads((root / "again.json").read_text())["training"][0]["label"] == "a.csv"
    assert load_datalist(dataset_dir=root, datalist=root / "again.json", sections=("training",)) == data


def test_labels_of_nodules_are_checked_as_such_and_do_for_training(root):
    label = {"nodules": [[1, 2, 3, 4]], "excluded": []}
    assert load(root, training=[item("a", label)])["training"][0]["label"] == label
    with pytest.raises(InputError, match="not a label of nodules"):
        load(root, training=[item("a", label | SLICES)])


def test_a_table_is_no_mask_beside_a_folder_of_slices(root):
    (root / "scan").mkdir()
    (root / "scan" / "1.png").touch()
    assert load(root, training=[item("a", "a.csv") | {"image": "scan"}])
    assert load(root, training=[item("a", "b.npy")])  # a mask
    assert [is_label_table(label) for label in (SLICES, "x.CSV", "mask.nii.gz")] == [True, True, False]


def test_study_labels_do_for_validation_and_test(root):
    data = load(
        root,
        sections=("training", "validation", "test"),
        training=[item("a", SLICES)],
        validation=[item("b", STUDY)],
        test=[item("c", STUDY), item("d")],
    )
    assert data["validation"][0]["label"] == STUDY


@pytest.mark.parametrize("label", [STUDY, "unknown.csv", {"slices": {}}, {"slices": {"0": {"IPH": None}}}])
def test_training_needs_the_label_of_a_slice(root, label):
    with pytest.raises(InputError, match=r"(?s)datalist\.json.*no slice in the training section has a label"):
        load(root, training=[item("a", label)])
    assert load(root, training=[item("a", label), item("b", "a.csv")])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("none.csv", r"none\.csv.*not on disk"),
        ({"mask": "a.nii"}, r"a\.npy.*not a label"),
        ({"slices": {"0": {"IPH": 1, "any": 0}}}, r"a\.npy.*slice 0: any is 0 but IPH is 1"),
        ("bad.csv", r"bad\.csv.*wrong header"),
    ],
)
def test_damaged_labels_are_found_before_training(root, label, message):
    (root / "bad.csv").write_text("name,IPH\n")
    with pytest.raises(InputError, match=rf"(?s){message}"):
        load(root, training=[item("a", label)])


def test_one_patient_in_two_sections(root):
    with pytest.raises(InputError, match="patient p is in both training and test"):
        load(root, training=[item("a", SLICES, patient="p")], test=[item("b", patient="p")])


def test_one_volume_in_two_sections_under_two_patients(root):
    with pytest.raises(InputError, match=r"(?s)datalist\.json.*a\.npy is in both training and test"):
        load(root, training=[item("a", SLICES)], test=[item("a", patient="q") | {"image": "./a.npy"}])


def test_one_item_twice(root):
    with pytest.raises(InputError, match=r"a\.npy is in training twice"):
        load(root, training=[item("a", SLICES), item("a", SLICES)])


def test_two_readers_or_two_series_are_no_duplicates(root):
    assert load(root, training=[item("a", SLICES), item("a", "a.csv")])
    assert load(root, training=[item("a", SLICES, series_uid=uid) for uid in ("1.2", "1.3")])


@pytest.fixture
def stacks(root):
    """A volume of slices 0..5 without 5's neighbour 4, and labels of 1..3."""
    for folder, numbers in {"scan": (0, 1, 2, 3, 5), "mask": (1, 2, 3)}.items():
        (root / folder).mkdir()
        for number in numbers:
            (root / folder / f"{number:04d}.tif").touch()
    return root


def part(*slices, **more):
    return {"image": "scan", "label": "mask", "patient": "p", "slices": list(slices)} | more


def test_a_label_of_some_slices_does_where_they_are_named(stacks):
    assert load(stacks, training=[part(1, 3)])["training"][0]["slices"] == [1, 3]
    assert load(stacks, training=[part(2, 2)])


@pytest.mark.parametrize(
    ("slices", "folder", "message"),
    [
        ((3, 5), "scan", r"slice 4 of 3\.\.5"),
        ((0, 2), "mask", r"slice 0 of 0\.\.2"),
        ((2, 9), "scan", "slice 4"),
    ],
)
def test_slices_that_are_named_but_not_there(stacks, slices, folder, message):
    with pytest.raises(InputError, match=rf"(?s){folder}.*{message}.*not here"):
        load(stacks, training=[part(*slices)])


def test_parts_of_a_volume_are_volumes_of_their_own_unless_they_share_slices(stacks):
    assert load(stacks, training=[part(1, 2), part(3, 3)])
    with pytest.raises(InputError, match=r"scan is in training twice"):
        load(stacks, training=[part(1, 2), part(2, 3)])
    with pytest.raises(InputError, match=r"scan is in both training and validation"):
        load(stacks, training=[part(1, 2)], validation=[part(2, 3, patient="q")])
    assert load(stacks, training=[part(1, 2)], validation=[part(3, 3, patient="q")])


def test_items_with_facts_that_cannot_be(root):
    with pytest.raises(InputError, match=r"(?s)a\.npy.*voxel size 0 um"):
        load(root, training=[item("a", "b.npy", spacing_um=0)])
