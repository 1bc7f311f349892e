# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.write_nifti import write_nifti
from tomobundles.utils import InputError

from .writer_cases import check_full_disk, mask_array, mask_volume, probability_volume, thin_slabs


def oblique():
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    return turn @ np.diag([-0.05, 0.06, 0.07, 1]) + np.outer([1, 2, 3, 0], [0, 0, 0, 1])


@pytest.fixture(params=["source.nii", "source.nii.gz"])
def source(request, tmp_path):
    """A NIfTI as scanners write it: qform and sform of other codes, a comment, a display range."""
    image = nib.Nifti1Image(np.zeros((6, 7, 5), np.int16), None)
    image.header.set_qform(oblique(), code=1)
    image.header.set_sform(oblique(), code=4)
    image.header["cal_max"] = 100
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"name of a patient"))
    image.header.set_xyzt_units("mm", "sec")
    path = tmp_path / request.param
    nib.save(image, path)
    return path


@pytest.mark.parametrize("name", ["mask.nii", "mask.nii.gz"])
def test_mask_of_a_nifti_has_its_geometry_to_the_bit(tmp_path, source, name, monkeypatch):
    thin_slabs(monkeypatch)
    mask = mask_volume(form="nifti", path=str(source))
    written = nib.load(write_nifti(mask, tmp_path / "new" / name))
    original = nib.load(source).header
    assert np.array_equal(np.asanyarray(written.dataobj), mask_array().T)
    assert written.get_data_dtype() == np.uint8
    fields = ("sform_code", "qform_code", "quatern_b", "quatern_c", "quatern_d", "pixdim", "xyzt_units")
    for field in (*fields, "srow_x", "srow_y", "srow_z", "qoffset_x"):
        assert np.array_equal(written.header[field], original[field]), field
    assert not written.header.extensions
    assert written.header["cal_max"] == 0


def test_source_of_big_endian_and_nifti2(tmp_path):
    header = nib.Nifti2Header(endianness=">")
    header.set_sform(oblique(), code=2)
    image = nib.Nifti2Image(np.zeros((6, 7, 5), ">i2"), None, header)
    nib.save(image, tmp_path / "source.nii")
    mask = mask_volume(form="nifti", path=str(tmp_path / "source.nii"))
    written = nib.load(write_nifti(mask, tmp_path / "mask.nii"))
    assert isinstance(written, nib.Nifti2Image)
    assert written.header["sform_code"] == 2
    assert np.allclose(written.affine, oblique())
    assert np.array_equal(np.asanyarray(written.dataobj), mask_array().T)


@pytest.mark.parametrize("axes", ["XYZ", "YXZ", "ZYX", "ZXY", "XZY", "YZX"])
def test_other_orders_of_axes(tmp_path, axes, monkeypatch):
    thin_slabs(monkeypatch)
    mask = mask_volume((5, 7, 6), axes=axes, spacing_um=(3000, 2000, 1000))
    written = nib.load(write_nifti(mask, tmp_path / "mask.nii"))
    expected = np.einsum(f"zyx->{axes.lower()}", mask_array())
    assert np.array_equal(np.asanyarray(written.dataobj), expected)
    sizes = {"X": 1, "Y": 2, "Z": 3}
    assert np.allclose(nib.affines.voxel_sizes(written.affine), [sizes[letter] for letter in axes])
    assert np.allclose(np.abs(written.affine[:3, :3]).sum(axis=1), [1, 2, 3])  # world axes stay x, y, z


def test_voxel_size_in_mm(tmp_path):
    written = nib.load(write_nifti(mask_volume(), tmp_path / "mask.nii"))
    assert np.allclose(written.affine, np.diag([0.05, 0.0505, 0.063, 1]))
    assert written.header.get_xyzt_units()[0] == "mm"
    assert written.header["sform_code"] == written.header["qform_code"] == 1


def test_unknown_voxel_size(tmp_path):
    written = nib.load(write_nifti(mask_volume(spacing_um=None), tmp_path / "mask.nii"))
    assert np.array_equal(written.affine, np.eye(4))
    assert written.header.get_xyzt_units()[0] == "unknown"


def test_affine_of_another_volume(tmp_path):
    like = ArrayVolume(mask_array(), spacing_um=(70, 60, 50), meta={"affine": oblique()})
    written = nib.load(write_nifti(mask_volume(), tmp_path / "mask.nii", like=like))
    assert np.allclose(written.affine, oblique())


def test_some_slices_begin_at_the_first_of_them(tmp_path, source):
    meta = {"form": "nifti", "path": str(source), "affine": oblique(), "slices": [2, 4]}
    written = nib.load(write_nifti(mask_volume((3, 7, 6), **meta), tmp_path / "mask.nii"))
    assert written.shape == (6, 7, 3)
    assert np.allclose(written.affine @ [0, 0, 0, 1], oblique() @ [0, 0, 2, 1])
    assert np.allclose(written.affine[:, :3], oblique()[:, :3])


def test_probabilities_are_scaled_16_bit(tmp_path):
    volume = probability_volume()
    written = nib.load(write_nifti(volume, tmp_path / "p.nii.gz"))
    assert written.get_data_dtype() == np.uint16
    assert written.dataobj.slope == np.float32(1 / 65535)
    assert np.abs(written.get_fdata() - volume.array.T).max() < 1e-5


def test_probabilities_as_they_are(tmp_path):
    volume = probability_volume()
    written = nib.load(write_nifti(volume, tmp_path / "p.nii", dtype="float32"))
    assert np.array_equal(np.asanyarray(written.dataobj), volume.array.T)


def test_same_mask_same_file(tmp_path):
    one, other = (write_nifti(mask_volume(), tmp_path / name) for name in ("a.nii.gz", "b.nii.gz"))
    assert one.read_bytes() == other.read_bytes()


def test_long_axes_need_nifti2(tmp_path):
    mask = mask_volume((1, 2, 33000))
    written = nib.load(write_nifti(mask, tmp_path / "mask.nii"))
    assert isinstance(written, nib.Nifti2Image)
    assert np.array_equal(np.asanyarray(written.dataobj), mask.array.T)


def test_dtype_that_does_not_suit(tmp_path):
    with pytest.raises(InputError, match="dtype 'float32' for a volume of uint8\ngive uint8"):
        write_nifti(mask_volume(), tmp_path / "mask.nii", dtype="float32")
    with pytest.raises(InputError, match="give uint16 or float32"):
        write_nifti(probability_volume(), tmp_path / "mask.nii", dtype="uint8")


def test_mask_on_another_grid(tmp_path, source):
    mask = mask_volume((5, 7, 4), form="nifti", path=str(source))
    with pytest.raises(InputError, match=r"\(4, 7, 5\) does not fit the file's \(6, 7, 5\)"):
        write_nifti(mask, tmp_path / "mask.nii")


@pytest.mark.parametrize("name", ["mask.nii", "mask.nii.gz"])
def test_full_disk(tmp_path, name, monkeypatch):
    thin_slabs(monkeypatch)
    check_full_disk(write_nifti, tmp_path / name)
