# SPDX-License-Identifier: Apache-2.0
import gzip
import os
import pickle

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from tomobundles.data import LoadVolumed, read_volume
from tomobundles.utils import InputError

# rows 0..3, columns 0..2, slices 0..1: value = 100 slice + 10 row + column
VOLUME = np.array([[[100 * s + 10 * r + c for s in range(2)] for c in range(3)] for r in range(4)], np.uint8)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "scan.img"
    path.mkdir()
    for index in range(2):
        Image.fromarray(np.ascontiguousarray(VOLUME[..., index])).save(path / f"{index + 1}.bmp")
    return path


def test_slice_folder_is_rows_columns_slices(folder):
    array, meta = read_volume(folder)
    np.testing.assert_array_equal(array, VOLUME)
    assert meta["form"] == "folder"
    assert meta["slice_names"] == ["1", "2"]  # the files' stems
    assert not meta["spacing_known"]
    assert np.moveaxis(array, -1, 0).flags.c_contiguous  # a slice is one piece of memory


def test_npy_is_slices_first_by_default(tmp_path):
    np.save(tmp_path / "v.npy", np.moveaxis(VOLUME, -1, 0))
    array, meta = read_volume(tmp_path / "v.npy")
    np.testing.assert_array_equal(array, VOLUME)
    assert meta["slice_names"] == ["0", "1"]
    np.save(tmp_path / "v.npy", VOLUME)
    np.testing.assert_array_equal(read_volume(tmp_path / "v.npy", axes="YXZ")[0], VOLUME)


def test_nifti_axes_and_affine(tmp_path):
    affine = np.array([[0.5, 0, 0, 1], [0, 2.0, 0, 2], [0, 0, 3.0, 3], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(VOLUME.transpose(1, 0, 2), affine), tmp_path / "v.nii.gz")
    array, meta = read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(array, VOLUME)
    assert array.dtype == np.uint8
    assert meta["spacing_known"]
    # one row further down is one step along the file's second axis: 2 mm in y
    np.testing.assert_allclose(meta["affine"][:, 0], [0, 2, 0, 0])
    np.testing.assert_allclose(meta["affine"] @ [3, 2, 1, 1], affine @ [2, 3, 1, 1])


def test_scaled_nifti_trailing_axes_and_two_dimensions(tmp_path):
    image = nib.Nifti1Image(VOLUME.transpose(1, 0, 2)[..., None].astype(np.int16), np.eye(4))
    image.header.set_slope_inter(2.0, -5.0)
    nib.save(image, tmp_path / "v.nii")
    array, _ = read_volume(tmp_path / "v.nii")
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, 2.0 * VOLUME - 5)  # what the header says of the stored integers
    np.save(tmp_path / "flat.npy", VOLUME[..., 0])
    np.testing.assert_array_equal(read_volume(tmp_path / "flat.npy")[0][..., 0], VOLUME[..., 0])


def test_one_slice_image_bool_and_foreign_byte_order(tmp_path, folder):
    array, meta = read_volume(folder / "2.bmp")
    assert array.shape == (4, 3, 1)
    assert meta["slice_names"] == ["2"]
    np.save(tmp_path / "b.npy", VOLUME > 50)
    assert read_volume(tmp_path / "b.npy")[0].dtype == np.uint8
    np.save(tmp_path / "be.npy", np.moveaxis(VOLUME, -1, 0).astype(">i2"))
    np.testing.assert_array_equal(read_volume(tmp_path / "be.npy")[0], VOLUME)
    assert read_volume(tmp_path / "be.npy")[0].dtype.isnative


def test_load_volumed_keeps_type_layout_and_path(folder):
    sample = LoadVolumed(keys=["image", "label"], allow_missing_keys=True)(
        {"image": str(folder), "patient": "P1"}
    )
    volume = sample["image"]
    assert volume.shape == (1, 4, 3, 2)
    assert volume[0].movedim(-1, 0).is_contiguous()
    assert volume.meta["filename_or_obj"] == str(folder)
    assert sample["patient"] == "P1"
    with pytest.raises(KeyError):
        LoadVolumed(keys="label")({"image": str(folder)})


def test_absent_and_unknown_forms(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_volume(tmp_path / "absent")
    (tmp_path / "scan.dat").write_bytes(b"x")
    with pytest.raises(InputError, match="not a form of volume"):
        read_volume(tmp_path / "scan.dat")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no slice image"):
        read_volume(tmp_path / "empty")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read every folder")
def test_unreadable_folder(folder):
    folder.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot list this folder"):
            read_volume(folder)
    finally:
        folder.chmod(0o755)


def test_folder_that_cannot_be_listed(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(InputError, match="cannot list this folder: Permission denied"):
        read_volume(folder)


def test_pickled_npy_is_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"(?s)p\.npy.*cannot be read as \.npy"):
        read_volume(tmp_path / "p.npy")
    (tmp_path / "q.npy").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(InputError, match=r"cannot be read as \.npy"):
        read_volume(tmp_path / "q.npy")


def test_damaged_nifti_is_refused_by_its_checksum(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.uint8), np.eye(4)), tmp_path / "v.nii")
    packed = bytearray(gzip.compress((tmp_path / "v.nii").read_bytes()))
    packed[-6] ^= 1  # in the trailer's CRC32, where nibabel never looks
    (tmp_path / "bad.nii.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"(?s)bad\.nii\.gz.*cannot be read as NIfTI: CRC"):
        read_volume(tmp_path / "bad.nii.gz")
    (tmp_path / "short.nii").write_bytes((tmp_path / "v.nii").read_bytes()[:400])
    with pytest.raises(InputError, match="cannot be read as NIfTI"):
        read_volume(tmp_path / "short.nii")


def test_arrays_that_are_no_volume(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((2, 2, 2, 2)))
    with pytest.raises(InputError, match=r"shape \(2, 2, 2, 2\)"):
        read_volume(tmp_path / "v.npy")
    np.save(tmp_path / "v.npy", np.zeros((2, 2, 2), complex))
    with pytest.raises(InputError, match="complex128"):
        read_volume(tmp_path / "v.npy")
    with pytest.raises(InputError, match="permutation of XYZ"):
        read_volume(tmp_path / "v.npy", axes="XYT")
