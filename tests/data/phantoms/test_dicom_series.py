# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tomobundles.data.phantoms.dicom_series import write_dicom_series
from tomobundles.utils import InputError

SPACING = (0.9, 0.7, 5.0)


@pytest.fixture
def hu():
    values = np.random.default_rng(0).integers(-1024, 3072, (6, 4, 8)).astype(np.int16)
    values[0, 0, :2] = -1024, 3071
    return values


def read(folder):
    return {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, sorted(folder.glob("*.dcm")))}


@pytest.mark.parametrize("signed", [False, True])
def test_pixels_come_back_as_hu(tmp_path, hu, signed):
    uids = write_dicom_series(tmp_path / "s", hu, spacing_mm=SPACING, signed=signed)
    files = read(tmp_path / "s")
    assert sorted(files) == sorted(uids)
    assert len(set(uids)) == 8
    for k, uid in enumerate(uids):
        data = files[uid]
        np.testing.assert_array_equal(
            data.pixel_array.astype(int) * int(data.RescaleSlope) + int(data.RescaleIntercept), hu[..., k]
        )
        assert data.PixelRepresentation == int(signed)
        assert (data.BitsStored, data.HighBit) == ((16, 15) if signed else (12, 11))
        assert data.InstanceNumber == k + 1


def test_files_are_ct_images_of_a_head(tmp_path, hu):
    uids = write_dicom_series(
        tmp_path, hu, spacing_mm=SPACING, kernel="H60s", patient="7", description="thin"
    )
    data = read(tmp_path)[uids[0]]
    assert data.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert data.SOPClassUID == data.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
    assert (data.Modality, data.BodyPartExamined, data.ConvolutionKernel, data.KVP) == (
        "CT",
        "HEAD",
        "H60s",
        120,
    )
    assert (str(data.PatientName), data.PatientID, data.SeriesDescription) == ("PHANTOM^7", "7", "thin")
    assert list(data.PixelSpacing) == [0.9, 0.7]
    assert (data.SliceThickness, data.Rows, data.Columns) == (5, 6, 4)


def test_positions_without_tilt_by_hand(tmp_path, hu):
    # 4 columns of 0.7 mm: first centre at -1.05; 6 rows of 0.9 mm: at -2.25; slices at 0, 5, 10, ...
    uids = write_dicom_series(tmp_path, hu, spacing_mm=SPACING)
    files = read(tmp_path)
    for k, uid in enumerate(uids):
        assert list(files[uid].ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
        np.testing.assert_allclose(files[uid].ImagePositionPatient, [-1.05, -2.25, 5 * k])
        assert files[uid].SliceLocation == 5 * k
        assert files[uid].GantryDetectorTilt == 0


def test_a_tilted_gantry_shifts_slices_in_their_plane_and_keeps_their_distance(tmp_path, hu):
    uids = write_dicom_series(tmp_path, hu, spacing_mm=SPACING, tilt_deg=20.0)
    files = read(tmp_path)
    orientation = np.array(files[uids[0]].ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    step = np.subtract(files[uids[3]].ImagePositionPatient, files[uids[2]].ImagePositionPatient).astype(float)
    np.testing.assert_allclose(step, [0, 0, 5 / np.cos(np.radians(20))], atol=1e-6)  # the table moves along z
    assert step @ normal == pytest.approx(5)
    assert step @ orientation[3:] == pytest.approx(5 * np.tan(np.radians(20)))  # 1.82 mm
    for data in files.values():
        assert max(len(str(v)) for v in (*data.ImagePositionPatient, *data.ImageOrientationPatient)) <= 16


def test_file_names_do_not_sort_in_slice_order(tmp_path, hu):
    uids = write_dicom_series(tmp_path, hu, spacing_mm=SPACING)
    assert list(read(tmp_path)) != uids
    assert list(read(tmp_path)) != uids[::-1]


def test_names_alone_decide_the_uids(tmp_path, hu):
    one = write_dicom_series(tmp_path / "1", hu, spacing_mm=SPACING, study="a", series="x")
    again = write_dicom_series(tmp_path / "2", hu, spacing_mm=SPACING, study="a", series="x")
    other = write_dicom_series(tmp_path / "3", hu, spacing_mm=SPACING, study="a", series="y")
    contents = [sorted(p.read_bytes() for p in (tmp_path / n).iterdir()) for n in "12"]
    assert one == again
    assert contents[0] == contents[1]
    assert not set(one) & set(other)
    a, b = read(tmp_path / "1")[one[0]], read(tmp_path / "3")[other[0]]
    assert a.StudyInstanceUID == b.StudyInstanceUID
    assert a.FrameOfReferenceUID == b.FrameOfReferenceUID
    assert a.SeriesInstanceUID != b.SeriesInstanceUID


def test_faults_can_be_planted(tmp_path, hu):
    def lose_position(data, index):
        if index == 2:
            del data.ImagePositionPatient

    uids = write_dicom_series(tmp_path, hu, spacing_mm=SPACING, edit=lose_position)
    assert [uid for uid, data in read(tmp_path).items() if "ImagePositionPatient" not in data] == [uids[2]]


@pytest.mark.parametrize(
    ("array", "changes", "match"),
    [
        (np.zeros((4, 4)), {}, r"array of shape \(4, 4\)"),
        (np.zeros((4, 4, 0)), {}, "array of shape"),
        (np.full((4, 4, 2), 3072), {}, "12 bits"),
        (np.full((4, 4, 2), np.nan), {}, "12 bits"),
        (np.zeros((4, 4, 2)), {"spacing_mm": (1.0, 0.0, 5.0)}, "spacing_mm"),
        (np.zeros((4, 4, 2)), {"tilt_deg": 60}, "tilt of 60"),
    ],
)
def test_what_is_no_series_is_refused(tmp_path, array, changes, match):
    with pytest.raises(InputError, match=match):
        write_dicom_series(tmp_path / "s", array, **{"spacing_mm": SPACING, **changes})
    assert not list(tmp_path.iterdir())
