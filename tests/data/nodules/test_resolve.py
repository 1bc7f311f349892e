# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from tomobundles.data import load_datalist, save_datalist
from tomobundles.data.nodules import LabelResolver
from tomobundles.utils import InputError

from .disk import write_mhd, write_nifti, write_table

NODULE = {"nodules": [[1, 2, 3, 4]], "excluded": []}


def load(root, *items, section="training", **extra):
    (root / "list.json").write_text(json.dumps({section: list(items)} | extra))
    return load_datalist(dataset_dir=root, datalist=root / "list.json", sections=(section,))[section]


def test_labels_written_into_the_list(tmp_path):
    write_mhd(tmp_path / "a.mhd")
    write_mhd(tmp_path / "b.mhd")
    write_nifti(tmp_path / "masks" / "a.nii.gz")
    items = [
        {"image": "a.mhd", "label": NODULE, "mask": "masks/a.nii.gz"},
        {"image": "b.mhd", "label": {"nodules": []}},
    ]
    first, second = load(tmp_path, *items)
    assert first["label"] == NODULE
    assert first["mask"] == str(tmp_path / "masks" / "a.nii.gz")
    assert second["label"] == {"nodules": []}
    save_datalist(tmp_path / "again.json", {"training": [first, second]}, dataset_dir=tmp_path)
    again = json.loads((tmp_path / "again.json").read_text())["training"]
    assert [{key: item[key] for key in old} for item, old in zip(again, items, strict=True)] == items


def test_rows_of_a_table(tmp_path):
    for name in ("LKDS-00001", "b", "c"):
        write_mhd(tmp_path / f"{name}.mhd")
    write_table(tmp_path / "annotations.csv", "LKDS_00001,1,2,3,4", "other,1,2,3,5")
    write_table(tmp_path / "annotations_excluded.csv", "b,1,2,3,-1")
    items = [{"image": name, "label": "annotations.csv"} for name in ("LKDS-00001.mhd", "b.mhd")]
    first, second, third = load(
        tmp_path, *items, {"image": "c.mhd", "label": "annotations.csv", "seriesuid": "other"}
    )
    assert first["label"] == NODULE | {"source": "annotations.csv", "lines": [2]}
    assert second["label"] == {"nodules": [], "excluded": [[1, 2, 3, -1]]}
    assert third["label"]["nodules"] == [[1, 2, 3, 5]]


def test_a_table_of_excluded_findings_alone_is_read_strictly(tmp_path):
    write_mhd(tmp_path / "b.mhd")
    write_table(tmp_path / "annotations_excluded.csv", "b,1,2,3,4")
    (item,) = load(tmp_path, {"image": "b.mhd", "label": "annotations_excluded.csv"})
    assert item["label"]["nodules"] == [[1, 2, 3, 4]]
    assert item["label"]["excluded"] == []


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1.2.3.nii.gz", "1.2.3.nii.gz"),
        ("1.2.3/1.2.3.nii.gz", "1.2.3.nii.gz"),
        ("1.2.3/1.2.3.nii.gz", "subset0/1.2.3.mhd"),
        ("subset0/1.2.3.mhd", "images/LUNA/subset0/1.2.3.nii.gz"),
    ],
)
def test_lists_of_monai(tmp_path, written, stored):
    (write_mhd if stored.endswith(".mhd") else write_nifti)(tmp_path / stored)
    write_nifti(tmp_path / "masks" / "1.2.3.nii.gz")
    box = {"box": [[1, 2, 3, 4, 4, 4]], "label": [0]}
    (item,) = load(tmp_path, {"image": written, **box}, section="validation")
    assert item["image"] == str(tmp_path / stored)
    assert item["label"] == NODULE
    (item,) = load(tmp_path, {"image": written, "box": [], "label": []})
    assert item["label"] == {"nodules": [], "excluded": []}


def test_modes_of_boxes(tmp_path):
    write_mhd(tmp_path / "a.mhd")
    boxes = {"image": "a.mhd", "box": [[-1, 0, 1, 3, 4, 5]]}
    assert load(tmp_path, boxes, box_mode="xyzxyz")[0]["label"] == NODULE
    assert load(tmp_path, boxes | {"box_mode": "xyzxyz"})[0]["label"] == NODULE
    with pytest.raises(InputError, match="box mode 'abc'") as caught:
        load(tmp_path, boxes, box_mode="abc")
    assert caught.value.path == str(tmp_path / "list.json")


def test_images_that_are_not_there_or_twice(tmp_path):
    write_mhd(tmp_path / "a" / "x.mhd")
    with pytest.raises(InputError, match="this image is in the datalist but not on disk"):
        load(tmp_path, {"image": "y.nii.gz", "box": []})
    write_nifti(tmp_path / "b" / "x.nii.gz")
    with pytest.raises(InputError, match=r"image x.nii.gz of the datalist may be x.mhd or x.nii.gz"):
        load(tmp_path, {"image": "x.nii.gz", "box": []})


def test_labels_and_masks_that_cannot_be(tmp_path):
    write_mhd(tmp_path / "a.mhd")
    with pytest.raises(InputError, match=r"nodules\[0\] is"):
        load(tmp_path, {"image": "a.mhd", "label": {"nodules": [[1, 2]]}})
    with pytest.raises(InputError, match="this mask is in the datalist but not on disk"):
        load(tmp_path, {"image": "a.mhd", "label": NODULE, "mask": "b.nii.gz"})
    with pytest.raises(InputError, match="this label is in the datalist but not on disk"):
        load(tmp_path, {"image": "a.mhd", "label": "annotations.csv"})


def test_other_labels_are_left_alone(tmp_path):
    (tmp_path / "slices.csv").write_text("slice,IPH\n0,1\n")
    (tmp_path / "empty.csv").write_text("")
    resolve = LabelResolver(tmp_path, source="list.json")
    for label in ("slices.csv", "empty.csv", "absent.csv", "mask.nii.gz", {"slices": {}}, None):
        assert resolve({"image": "a", "label": label}) == {"image": "a", "label": label}
