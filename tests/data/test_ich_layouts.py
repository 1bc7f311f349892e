# SPDX-License-Identifier: Apache-2.0
import json
import logging
import shutil

import nibabel as nib
import numpy as np
import pytest

from tomobundles.data import find_volumes, load_datalist, save_datalist
from tomobundles.data.ich_layouts import CT_ICH_CSV, HaemorrhageLayout
from tomobundles.data.slice_labels import CLASS_NAMES
from tomobundles.utils import InputError

from .conftest import write_slices
from .test_ich_tables import CONTEST, CT_ICH, cq500

LAYOUT = HaemorrhageLayout()


@pytest.fixture
def root(tmp_path):
    return tmp_path


def write_contest(root, *, section="train", patients=("ID_0a", "ID_0b", "ID_0c")):
    """Three slices a patient, the middle one with an epidural bleed."""
    lines = []
    for patient in patients:
        stem = patient.removeprefix("ID_")
        folder = root / section / patient
        folder.mkdir(parents=True)
        for index, image in enumerate(np.zeros((3, 4, 4), np.uint8)):
            write_slices(folder / "x", image[None])
            shutil.move(folder / "x" / "1.bmp", folder / f"{stem}_{index}.bmp")
            lines.append(f"{patient},{stem}_{index}.bmp,0,0,0,0,{index % 2}\n")
        (folder / "x").rmdir()
    (root / f"{section}.csv").write_text(CONTEST + "".join(lines))
    return root


def load(root, **kwargs):
    return load_datalist(dataset_dir=root, layout=LAYOUT, **{"sections": ("training",)} | kwargs)


def test_contest_folders(root):
    write_contest(write_contest(root), section="test", patients=("ID_1a",))
    assert LAYOUT.matches(root)
    data = load(root, sections=("training", "validation", "test"), validation_fraction=0.34)
    assert sorted(item["patient"] for item in data["training"] + data["validation"]) == [
        "ID_0a",
        "ID_0b",
        "ID_0c",
    ]
    (test,) = data["test"]
    assert test["image"] == str(root / "test" / "ID_1a")
    assert test["label"]["slices"]["1a_1"] == {"IPH": 0, "IVH": 0, "SAH": 0, "SDH": 0, "EDH": 1}


def test_contest_test_folder_without_table_or_absent(root):
    write_contest(write_contest(root), section="test", patients=("ID_1a",))
    (root / "test.csv").unlink()
    assert load(root)["test"] == [{"image": str(root / "test" / "ID_1a"), "patient": "ID_1a"}]
    assert [item["patient"] for item in find_volumes(dataset_dir=root, layout=LAYOUT)] == ["ID_1a"]
    shutil.rmtree(root / "test")
    assert load(root)["test"] == []


def test_contest_slices_without_label_are_counted(root, caplog):
    write_contest(root)
    table = root / "train.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-2]))
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        data = load(root)
    assert "2 slices are not in" in caplog.text
    assert len(data["training"][2]["label"]["slices"]) == 1


def test_contest_patient_on_both_sides(root):
    write_contest(write_contest(root), section="test", patients=("ID_0a",))
    with pytest.raises(InputError, match="patient ID_0a is in both training and test"):
        load(root)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("ID_9,9_0,0,0,0,0,0\n", "label for a missing folder: 'ID_9'"),
        ("..,9_0,0,0,0,0,0\n", r"label for a missing folder: '\.\.'"),
        (",9_0,0,0,0,0,0\n", "label for a missing folder: ''"),
        ("ID_0a,0a_3,0,0,0,0,0\n", "label for a missing slice: '0a_3'"),
    ],
)
def test_contest_label_without_its_slice(root, row, message):
    write_contest(root)
    with (root / "train.csv").open("a") as table:
        table.write(row)
    with pytest.raises(InputError, match=rf"(?s)train\.csv.*{message}"):
        load(root)


def test_contest_patient_without_rows(root):
    write_contest(root)
    (root / "train" / ".cache").mkdir()  # not a patient
    shutil.copytree(root / "train" / "ID_0a", root / "train" / "ID_0d")
    with pytest.raises(InputError, match=r"(?s)ID_0d.*without a label in the training section"):
        load(root)
    (root / "train.csv").write_text("dirname,ID\n")
    with pytest.raises(InputError, match=r"(?s)train\.csv.*wrong header"):
        load(root)


def test_contest_table_of_test_without_its_folder(root):
    write_contest(root)
    (root / "test.csv").write_text(CONTEST + "ID_1a,1a_0,0,0,0,0,0\n")
    with pytest.raises(InputError, match=r"(?s)test\.csv.*missing folder: 'ID_1a'"):
        load(root)


def write_ct_ich(root, rows, scans=("049.nii", "050.nii.gz")):
    (root / "ct_scans").mkdir()
    for name in scans:
        nib.save(nib.Nifti1Image(np.zeros((4, 5, 2), np.int16), np.eye(4)), root / "ct_scans" / name)
    (root / CT_ICH_CSV).write_text(CT_ICH + rows)
    return root


def test_ct_ich(root, caplog):
    write_ct_ich(root, "49,1,0,0,0,0,0,1,0\n49,2,0,0,0,1,0,0,1\n50,2,0,0,0,0,0,1,0\n")
    (root / "ct_scans" / "readme.txt").touch()
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        items = load(root)["training"]
    assert [(item["patient"], item["image"]) for item in items] == [
        ("049", str(root / "ct_scans" / "049.nii")),
        ("050", str(root / "ct_scans" / "050.nii.gz")),
    ]
    assert items[0]["label"]["slices"]["1"]["EDH"] == 1
    assert list(items[1]["label"]["slices"]) == ["1"]
    assert "1 slices are not in" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("49,3,0,0,0,0,0,1,0\n", r"label for a missing slice \(from 0\): '2' is not in .*049\.nii"),
        ("51,1,0,0,0,0,0,1,0\n", "label for a missing scan: '051'"),
        ("49,1,0,0,0,0,0,1,0\n", r"050\.nii\.gz.*without a label"),
    ],
)
def test_ct_ich_tables_that_do_not_fit(root, rows, message):
    with pytest.raises(InputError, match=rf"(?s){message}"):
        load(write_ct_ich(root, rows))


def test_ct_ich_same_scan_twice(root):
    with pytest.raises(InputError, match=r"(?s)049\.nii\.gz.*same scan as 049\.nii"):
        load(write_ct_ich(root, "", scans=("049.nii", "049.nii.gz")))


ALL_ONE, ALL_ZERO = ["1" * 6] * 3, ["0" * 6] * 3


def write_cq500(root, *studies, folders):
    (root / "reads.csv").write_text(cq500(*studies))
    for folder in folders:
        (root / folder).mkdir()
    return root


def test_cq500(root, caplog):
    write_cq500(
        root,
        ("CQ500-CT-2", *ALL_ZERO),
        ("CQ500-CT-10", *ALL_ONE),
        ("CQ500-CT-11", *ALL_ONE),
        folders=("CQ500CT10 CQ500CT10", "CQ500CT2", "CQ500-CT-3", "notes"),
    )
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        data = load(root, sections=("test",))
    assert [item["patient"] for item in data["test"]] == ["CQ500-CT-2", "CQ500-CT-3", "CQ500-CT-10"]
    assert "label" not in data["test"][1]
    assert data["test"][2]["label"] == {"study": dict.fromkeys(CLASS_NAMES, 1)}
    assert "lists 1 studies whose folders are not here" in caplog.text
    assert "1 studies are not in" in caplog.text
    with pytest.raises(InputError, match="training section is empty"):
        load(root)


def test_whole_cq500(root, caplog):
    write_cq500(root, ("CQ500-CT-2", *ALL_ZERO), folders=("CQ500CT2",))
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        assert len(load(root, sections=("test",))["test"]) == 1
    assert caplog.text == ""


def test_cq500_names(root):
    write_cq500(root, ("Q-1", *ALL_ZERO), folders=("CQ500CT1",))
    with pytest.raises(InputError, match=r"(?s)reads\.csv.*'Q-1' is no study of CQ500"):
        load(root, sections=("test",))
    write_cq500(root, ("CQ500-CT-1", *ALL_ZERO), folders=("CQ500-CT-1",))
    with pytest.raises(InputError, match=r"(?s)CQ500CT1.*same scan as CQ500-CT-1"):
        load(root, sections=("test",))


def test_two_rows_of_one_cq500_study(root):
    write_cq500(root, ("CQ500-CT-1", *ALL_ZERO), ("CQ500CT1", *ALL_ONE), folders=("CQ500CT1",))
    with pytest.raises(InputError, match=r"(?s)reads\.csv.*CQ500CT1 and CQ500-CT-1 are one study"):
        load(root, sections=("test",))


def test_none_or_several_layouts(root):
    assert not LAYOUT.matches(root / "absent")
    (root / "reads.csv").touch()
    assert not LAYOUT.matches(root)  # no study beside it
    with pytest.raises(InputError, match="neither a datalist nor a known layout"):
        load(root)
    write_contest(root)
    (root / "CQ500CT1").mkdir()
    with pytest.raises(InputError, match="several layouts in one folder: contest, CQ500"):
        load(root)


def test_labels_survive_a_saved_datalist(root):
    data = load(write_contest(root))
    save_datalist(root / "lists" / "all.json", data, dataset_dir=root)
    stored = json.loads((root / "lists" / "all.json").read_text())
    assert stored["training"][0]["image"] == "train/ID_0a"
    again = load_datalist(dataset_dir=root, datalist=root / "lists" / "all.json", sections=("training",))
    assert again == data
