# SPDX-License-Identifier: Apache-2.0
import logging

import pytest

from tomobundles.data import find_volumes, load_datalist
from tomobundles.data.nodules import NoduleLayout
from tomobundles.data.nodules.label_tables import find_tables, has_tables
from tomobundles.data.nodules.scans import find_scans, section_of
from tomobundles.data.nodules.table_layout import read_table_layout
from tomobundles.utils import InputError

from ..dicom.builder import ct_slices, save
from .disk import write_mhd, write_nifti, write_table

LAYOUT = NoduleLayout()
EMPTY = {"nodules": [], "excluded": []}


def names(items):
    return [item["seriesuid"] for item in items]


def labels(items):
    return {item["seriesuid"]: item["label"]["nodules"] for item in items if "label" in item}


def test_one_table_for_all_sections(tmp_path, caplog):
    for place in ("train/LKDS-00001", "train/b", "val/c", "test/d", "loose"):
        write_mhd(tmp_path / f"{place}.mhd")
    write_nifti(tmp_path / "masks" / "b.nii.gz")
    write_table(tmp_path / "annotations.csv", "LKDS_00001,1,2,3,4", "c,1,1,1,5")
    write_table(tmp_path / "annotations_excluded.csv", "b,4,5,6,-1")
    assert LAYOUT.matches(tmp_path)
    data = load_datalist(dataset_dir=tmp_path, layout=LAYOUT)
    assert names(data["training"]) == ["LKDS-00001", "b", "loose"]
    first, second, third = data["training"]
    expected = {"nodules": [[1, 2, 3, 4]], "excluded": [], "source": "annotations.csv", "lines": [2]}
    assert first == {
        "image": str(tmp_path / "train" / "LKDS-00001.mhd"),
        "patient": "LKDS-00001",
        "seriesuid": "LKDS-00001",
        "label": expected,
    }
    assert second["label"] == {"nodules": [], "excluded": [[4, 5, 6, -1]]}
    assert second["mask"] == str(tmp_path / "masks" / "b.nii.gz")
    assert third["label"] == EMPTY
    assert labels(data["validation"]) == {"c": [[1, 1, 1, 5]]}
    assert names(data["test"]) == ["d"]
    assert "label" not in data["test"][0]  # the table has no row of the test section
    assert [item["patient"] for item in find_volumes(dataset_dir=tmp_path, layout=LAYOUT)] == ["d"]


def test_the_test_section_has_labels_where_the_table_has_rows_of_it(tmp_path):
    for place in ("train/a", "test/b", "test/c"):
        write_mhd(tmp_path / f"{place}.mhd")
    write_table(tmp_path / "annotations.csv", "a,1,2,3,4", "c,1,1,1,5")
    assert labels(read_table_layout(tmp_path)["test"]) == {"b": [], "c": [[1, 1, 1, 5]]}


def test_tables_in_the_sections_own_folders(tmp_path):
    write_mhd(tmp_path / "train" / "a.mhd")
    write_mhd(tmp_path / "val" / "b.mhd")
    write_mhd(tmp_path / "test" / "c.mhd")
    write_table(tmp_path / "train" / "annotations.csv", "a,1,2,3,4")
    write_table(tmp_path / "test" / "annotations.csv")
    data = read_table_layout(tmp_path)
    assert labels(data["training"]) == {"a": [[1, 2, 3, 4]]}
    assert labels(data["test"]) == {"c": []}
    assert "label" not in data["validation"][0]
    assert names(read_table_layout(tmp_path / "train")["training"]) == ["a"]


def test_tianchi(tmp_path):
    """Sections in numbered parts, tables in csv/<section>, seriesuids.csv without header."""
    for place in ("train_subset00/LKDS-00001", "train_subset01/LKDS-00003", "val_subset00/LKDS-00002"):
        write_mhd(tmp_path / f"{place}.mhd")
    write_mhd(tmp_path / "test" / "subset0" / "LKDS-00009.mhd")
    write_table(tmp_path / "csv" / "train" / "annotations.csv", "LKDS_00001,1,2,3,4")
    write_table(tmp_path / "csv" / "train" / "seriesuids.csv", "LKDS_00001", header="")
    write_table(tmp_path / "csv" / "val" / "annotations.csv", "LKDS_00002,1,2,3,5")
    data = LAYOUT(tmp_path)
    assert labels(data["training"]) == {"LKDS-00001": [[1, 2, 3, 4]]}
    assert labels(data["validation"]) == {"LKDS-00002": [[1, 2, 3, 5]]}
    assert names(data["test"]) == ["LKDS-00009"]
    assert "label" not in data["test"][0]


@pytest.mark.parametrize("place", ["", "CSVFILES", "evaluationScript/annotations"])
def test_luna16_with_a_part_of_its_subsets(tmp_path, place, caplog):
    for number, scan in ((0, "1.2.3"), (9, "1.2.4")):
        write_mhd(tmp_path / f"subset{number}" / f"{scan}.mhd")
    write_table(tmp_path / place / "annotations.csv", "1.2.3,1,2,3,4", "1.2.5,1,2,3,4", "1.2.6,0,0,0,4")
    write_table(tmp_path / place / "seriesuids.csv", "1.2.3", "1.2.4", "1.2.5", "1.2.6", "1.2.7", header="")
    with caplog.at_level(logging.WARNING, logger="tomobundles"):
        assert labels(LAYOUT(tmp_path)["training"]) == {"1.2.3": [[1, 2, 3, 4]], "1.2.4": []}
    assert "3 of its scans are not here, e.g. 1.2.5" in caplog.text
    with pytest.raises(InputError, match=r"unknown seriesuid: '1.2.5' is no scan here \(2 such of 3\)"):
        NoduleLayout(partial=False)(tmp_path)


def test_an_unknown_seriesuid(tmp_path, caplog):
    write_mhd(tmp_path / "train" / "a.mhd")
    table = write_table(tmp_path / "annotations.csv", "a,1,2,3,4", "b,1,2,3,4")
    with pytest.raises(InputError, match="unknown seriesuid: 'b' is no scan here") as caught:
        LAYOUT(tmp_path)
    assert caught.value.path == str(table)
    assert names(NoduleLayout(partial=True)(tmp_path)["training"]) == ["a"]
    write_table(tmp_path / "seriesuids.csv", "a", header="")
    assert names(LAYOUT(tmp_path)["training"]) == ["a"]  # the row of b is not meant
    write_table(table, "b,1,2,3,4", "c,1,2,3,4")
    (tmp_path / "seriesuids.csv").unlink()
    for layout in (LAYOUT, NoduleLayout(partial=True)):
        with pytest.raises(InputError, match=r"none of its 2 scans is here, e.g. 'b'"):
            layout(tmp_path)


def test_a_shared_table_may_name_scans_of_a_section_with_its_own(tmp_path):
    write_mhd(tmp_path / "train" / "a.mhd")
    write_mhd(tmp_path / "val" / "b.mhd")
    write_table(tmp_path / "annotations.csv", "a,1,2,3,4", "b,1,2,3,4")
    write_table(tmp_path / "val" / "annotations.csv", "b,1,2,3,9")
    assert labels(LAYOUT(tmp_path)["validation"]) == {"b": [[1, 2, 3, 9]]}


def test_images_and_masks_in_folders_or_side_by_side(tmp_path):
    write_nifti(tmp_path / "train" / "images" / "a.nii.gz")
    write_nifti(tmp_path / "train" / "masks" / "a.nii.gz")
    write_mhd(tmp_path / "train" / "b.mhd")
    write_nifti(tmp_path / "train" / "b_tumour.nii.gz")
    write_nifti(tmp_path / "train" / "b_lungmask.nii.gz")
    write_nifti(tmp_path / "train" / "c_mask.nii.gz")  # of no scan: a scan itself
    (tmp_path / "train" / ".hidden.mhd").write_text("")
    (tmp_path / "train" / "boxes.csv").write_text("")
    found = {scan.name: scan.mask and scan.mask.name for scan in find_scans(tmp_path)}
    assert found == {"b": "b_tumour.nii.gz", "c_mask": None, "a": "a.nii.gz"}


def test_dicom_folders(tmp_path):
    """A folder of the table's name, and one whose series is in the table."""
    save(tmp_path / "train" / "1.2.3.4", ct_slices())
    save(tmp_path / "train" / "patient", ct_slices(series="1.2.3.5"))
    save(tmp_path / "loose", ct_slices(series="1.2.3.6"))
    save(tmp_path / "docs", ct_slices(series="1.2.3.7"))
    (tmp_path / "train" / "notes").mkdir()
    write_table(tmp_path / "annotations.csv", "1.2.3.4,1,2,3,4", "1.2.3.5,5,6,7,8", "loose,0,0,0,3")
    data = LAYOUT(tmp_path)["training"]
    found = {item["patient"]: (item["seriesuid"], item.get("series_uid")) for item in data}
    assert found == {
        "1.2.3.4": ("1.2.3.4", None),
        "patient": ("1.2.3.5", "1.2.3.5"),
        "loose": ("loose", None),
    }
    assert labels(data)["1.2.3.5"] == [[5, 6, 7, 8]]
    save(tmp_path / "train" / "patient" / "second", ct_slices(series="1.2.3.8"))
    write_table(tmp_path / "annotations.csv", "1.2.3.4,1,2,3,4", "1.2.3.5,5,6,7,8", "1.2.3.8,0,0,0,3")
    with pytest.raises(InputError, match=r"2 series of this folder are in annotations.csv"):
        LAYOUT(tmp_path)


def test_folders_that_are_no_layout(tmp_path):
    assert not LAYOUT.matches(tmp_path)
    assert not LAYOUT.matches(tmp_path / "absent")
    assert not has_tables(tmp_path / "absent")
    with pytest.raises(InputError, match="neither a datalist nor a known layout here"):
        LAYOUT(tmp_path)
    write_table(tmp_path / "annotations.csv", "a,1,2,3,4")
    with pytest.raises(InputError, match="tables of nodules, but no scan"):
        LAYOUT(tmp_path)
    (tmp_path / "train").mkdir()
    assert [table.path.name for table in find_tables(tmp_path)] == ["annotations.csv"]


def test_inference_takes_a_folder_of_training_scans_as_it_is(tmp_path):
    layout = NoduleLayout(section="test")
    write_mhd(tmp_path / "train" / "a.mhd")
    write_table(tmp_path / "train" / "annotations.csv", "a,1,2,3,4")
    for root in (tmp_path, tmp_path / "train", tmp_path / "absent"):
        assert not layout.matches(root)
    items = find_volumes(dataset_dir=tmp_path / "train", layout=layout)
    assert [item["patient"] for item in items] == ["a.mhd"]
    assert NoduleLayout(section="training").matches(tmp_path)
    write_mhd(tmp_path / "test" / "b.mhd")
    assert layout.matches(tmp_path)


def test_one_scan_in_two_files(tmp_path):
    write_mhd(tmp_path / "train" / "LKDS-00001.mhd")
    write_nifti(tmp_path / "train" / "LKDS_00001.nii.gz")
    with pytest.raises(InputError, match=r"the same scan as LKDS-00001.mhd"):
        find_scans(tmp_path)


@pytest.mark.parametrize(
    ("name", "section"),
    [("train", "training"), ("Train_2", "training"), ("subset3", "training"), ("val_subset01", "validation"),
     ("validation", "validation"), ("test", "test"), ("masks", None), ("seg-lungs", None)],
)  # fmt: skip
def test_sections_by_name(name, section):
    assert section_of(name) == section


def test_the_folders_of_real_scans(real_data):
    root = real_data / "lung"
    if not root.is_dir():
        pytest.skip("the real scans here have none of the lung")
    for folder in (root / "ct", root / "ct" / "train"):
        data = LAYOUT(folder)
        assert names(data["training"]) == ["C3N-00247", "ELASTIX-3DCT_lung", "Lung_Dx-A0001", "PYRAD-lung1"]
        assert labels(data["training"])["PYRAD-lung1"] == [[-21.815, -120.538, -611.505, 14.003]]
        assert data["training"][3]["mask"].endswith("PYRAD-lung1_tumour.nii.gz")
    cubes = LAYOUT(root / "nodule_cubes")["training"]
    assert len(cubes) == 108
    assert all(len(item["label"]["nodules"]) == 1 and "mask" in item for item in cubes)
