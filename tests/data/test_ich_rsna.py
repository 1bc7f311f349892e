# SPDX-License-Identifier: Apache-2.0
import logging

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from tomobundles.data import load_datalist
from tomobundles.data.ich_layouts import HaemorrhageLayout
from tomobundles.utils import InputError

from .test_ich_tables import rsna

LAYOUT = HaemorrhageLayout()


def write_header(path, *, series, patient, uid, sop_class=CTImageStorage):
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid
    dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.SOPInstanceUID = uid
    dataset.StudyInstanceUID = f"{series}.0"
    dataset.SeriesInstanceUID = series
    dataset.PatientID = patient
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def root(tmp_path):
    """Two series of one patient and one of another, their files mixed in one folder."""
    folder = tmp_path / "stage_2_train"
    folder.mkdir()
    for name, series, patient in (
        ("ID_a", "1.2", "ID_p"),
        ("ID_b", "1.3", "ID_p"),
        ("ID_c", "1.2", "ID_p"),
        ("ID_d", "1.4", "ID_q"),
    ):
        write_header(folder / f"{name}.dcm", series=series, patient=patient, uid=f"9.{ord(name[-1])}")
    (tmp_path / "stage_2_train.csv").write_text(rsna(a="100001", b="000000", c="000000", d="000011"))
    return tmp_path


def load(root, **kwargs):
    return load_datalist(dataset_dir=root, layout=LAYOUT, **kwargs)


def test_one_item_a_series_by_header(root):
    items = load(root, sections=("training",))["training"]
    assert [item["series_uid"] for item in items] == ["1.2", "1.3", "1.4"]
    assert {item["image"] for item in items} == {str(root / "stage_2_train")}
    assert items[0]["patient"] == items[1]["patient"] != items[2]["patient"]
    assert "ID_p" not in str(items)  # a hash
    # labels go by SOPInstanceUID: 97 is a, 99 is c
    assert {name: values["EDH"] for name, values in items[0]["label"]["slices"].items()} == {
        "9.97": 1,
        "9.99": 0,
    }


def test_a_patients_series_stay_together(root):
    data = load(root, validation_fraction=0.5)
    assert sorted(len(data[section]) for section in ("training", "validation")) == [1, 2]


def test_what_has_no_label_or_cannot_be_read_is_counted(root, caplog):
    folder = root / "stage_2_train"
    write_header(folder / "ID_e.dcm", series="1.2", patient="ID_p", uid="9.101")
    write_header(folder / "ID_f.dcm", series="1.5", patient="ID_r", uid="9.102")
    directory = {"series": "1.6", "patient": "", "sop_class": MediaStorageDirectoryStorage}
    write_header(folder / "ID_g.dcm", uid="9.103", **directory)  # a DICOMDIR by another name
    (folder / "ID_d.dcm").write_bytes(b"cut off")
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        found = LAYOUT(root)["training"]
    assert [item["series_uid"] for item in found] == ["1.2", "1.3", "1.5"]
    assert len(found[0]["label"]["slices"]) == 2
    assert "label" not in found[2]
    assert "2 slices are not in" in caplog.text
    assert "1 files cannot be read and are left out" in caplog.text
    assert "ID_d.dcm" in caplog.text


def test_label_without_its_file(root):
    (root / "stage_2_train" / "ID_c.dcm").unlink()
    with pytest.raises(InputError, match=r"(?s)stage_2_train\.csv.*missing slice: 'ID_c'.*1 slices"):
        LAYOUT(root)


def test_no_file_that_can_be_read(root):
    for file in (root / "stage_2_train").iterdir():
        file.write_bytes(b"cut off")
    with pytest.raises(InputError, match="no DICOM file here that can be read"):
        LAYOUT(root)
