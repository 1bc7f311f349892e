# SPDX-License-Identifier: Apache-2.0
import shutil

import numpy as np
import pytest
from pydicom.uid import MediaStorageDirectoryStorage

from tomobundles.data import read_volume
from tomobundles.data.dicom import (
    find_series,
    has_dicom_magic,
    holds_dicom,
    kernel_class,
    patient_key,
    resolve_series,
)
from tomobundles.data.dicom.headers import read_header
from tomobundles.data.readers import volume_form
from tomobundles.utils import InputError

from .builder import DEPTH, ct_slices, save, set_raw


def test_files_without_ending_below_the_folder(tmp_path):
    datasets = ct_slices()
    save(tmp_path / "IMAGES" / "S1", datasets[:4], name="IM{:05d}".format)
    save(tmp_path / "IMAGES" / "S2", datasets[4:], name="IM{:05d}".format)
    (tmp_path / "README.TXT").write_text("viewer")
    (tmp_path / ".hidden.dcm").write_bytes(b"x")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    directory = ct_slices(1)
    save(tmp_path / "INDEX", directory)
    file = tmp_path / "INDEX" / "000.dcm"
    # the same directory under another name is known by its class
    directory[0].SOPClassUID = directory[0].file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory[0].save_as(file, enforce_file_format=True, implicit_vr=False, little_endian=True)
    scan = find_series(tmp_path)
    assert [len(series.slices) for series in scan.series] == [DEPTH]
    assert scan.num_ignored == 3
    assert scan.unreadable == ()


def test_absent_path_and_unlistable_folder(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such file or folder"):
        find_series(tmp_path / "absent")

    def refuse(path, onerror):
        onerror(PermissionError(13, "Permission denied", str(path)))
        return iter(())

    monkeypatch.setattr("os.walk", refuse)
    with pytest.raises(InputError, match="cannot list this folder: Permission denied"):
        find_series(tmp_path)


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"Salted__" + b"\7" * 500, "encrypted_file", "1 file beside its slices encrypted"),
        (b"\x37" * 500, "unreadable_file", "not a DICOM file despite its name"),
        (b"", "unreadable_file", "not a DICOM file despite its name"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 9, "unreadable_file", "cannot be read as DICOM"),
    ],
)
def test_unreadable_files_refuse_the_series_beside_them(tmp_path, content, code, said):
    save(tmp_path / "a", ct_slices())
    save(tmp_path / "b", ct_slices(series="1.2.3.5", kernel="H60s"))
    (tmp_path / "a" / "extra.dcm").write_bytes(content)
    scan = find_series(tmp_path)
    assert [finding.code for finding in scan.unreadable] == [code]
    assert [series.codes for series in scan.series] == [{code}, set()]
    with pytest.raises(InputError, match=rf"(?s)extra\.dcm.*{said}"):
        resolve_series(tmp_path)
    if code == "unreadable_file":
        assert resolve_series(tmp_path, accept=[code])


def test_files_cut_off(tmp_path):
    save(tmp_path, ct_slices())
    file = tmp_path / "002.dcm"
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(
        InputError, match=r"(?s)002\.dcm.*1 file cut off \(\d+ bytes missing\).*cut off: export"
    ):
        resolve_series(tmp_path)
    found = []
    for end in range(0, len(whole), 7):  # never read as a whole series, wherever the cut is
        file.write_bytes(whole[:end])
        with pytest.raises(InputError) as caught:
            read_volume(tmp_path)
        found.append(caught.value)
    assert len(found) > 100


def test_flipped_bits_never_crash_and_never_name_the_patient(tmp_path, recwarn, caplog):
    """Damaged headers end in a series or in an InputError."""
    save(tmp_path, ct_slices(3))
    file = tmp_path / "001.dcm"
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    said = []
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(132, len(whole) - 60, 2):
            damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            array, meta = read_volume(tmp_path)
        except InputError as error:
            said.append(str(error))
            continue
        assert np.isfinite(meta["affine"]).all()
        assert array.shape[-1] in (1, 2, 3)
        said.append(repr(meta))
    said += [str(one.message) for one in recwarn] + [caplog.text]
    assert not [text for text in said if "Jane" in text or "4711" in text]


def test_a_file_that_cannot_be_opened(tmp_path):
    save(tmp_path, ct_slices(1))
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_header(tmp_path / "absent.dcm")
    assert not has_dicom_magic(tmp_path / "absent.dcm")


def test_numbers_that_are_no_numbers(tmp_path):
    datasets = ct_slices(1)
    set_raw(datasets[0], "InstanceNumber", "one", vr="IS")
    set_raw(datasets[0], "SliceThickness", "1_0")
    with pytest.warns(UserWarning, match="Invalid value for VR IS"):  # when it is written
        save(tmp_path, datasets)
    header = read_header(tmp_path / "000.dcm")
    assert header.bad == ("SliceThickness", "InstanceNumber")
    assert (header.thickness, header.instance_number) == (None, None)


def test_holds_dicom(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert not holds_dicom(tmp_path)
    save(tmp_path / "deep" / "er", ct_slices(1), name="{:d}".format)
    assert holds_dicom(tmp_path)


def test_forms_of_volumes(tmp_path):
    save(tmp_path / "study" / "series", ct_slices(1), name="IM{:d}".format)
    assert volume_form(tmp_path / "study") == "dicom"
    assert volume_form(tmp_path / "study" / "series" / "IM0") == "dicom"
    (tmp_path / "bad.dcm").write_bytes(b"x")
    assert volume_form(tmp_path / "bad.dcm") == "dicom"
    with pytest.raises(InputError, match="no readable DICOM image"):
        read_volume(tmp_path / "bad.dcm")
    (tmp_path / "study" / "series" / "0.png").write_bytes(b"x")
    with pytest.raises(InputError, match="slice images and DICOM files in one folder"):
        volume_form(tmp_path / "study" / "series")
    shutil.rmtree(tmp_path / "study" / "series")
    assert volume_form(tmp_path / "study") == "folder"


def test_patient_key():
    assert patient_key("MRN-4711") == patient_key(" MRN-4711 ")  # DICOM pads with blanks
    assert patient_key("MRN-4711") != patient_key("MRN-4712")
    assert len(patient_key("MRN-4711")) == 12
    assert "4711" not in patient_key("MRN-4711")


KERNELS = {
    "soft": (
        *("STANDARD", "SOFT", "DETAIL", "STD+", "H10s", "H31s", "H39f", "J40s\\2", "Hr40d", "B30f", "Qr40"),
        *("FC13", "FC21", "FC26", "FC68", "UA", "UB", "UC", "A", "B", "C", "EC", "Brain Smooth"),
    ),
    "sharp": (
        *("BONE", "BONEPLUS", "EDGE", "LUNG", "ULTRA", "H60s", "H70h", "J70h\\3", "Hr59u", "Br64", "B80f"),
        *("FC30", "FC35", "FC51", "FC81", "D", "E", "L", "YA", "YD", "UD"),
    ),
    "unknown": ("", "XYZ", "1", "QQQ40"),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in KERNELS.items() for name in names]
)
def test_kernels(kind, name):
    assert kernel_class(name) == kind
