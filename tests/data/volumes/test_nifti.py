# SPDX-License-Identifier: Apache-2.0
import itertools
import logging

import nibabel as nib
import numpy as np
import pytest

from tomobundles.data.readers import read_volume
from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.flat import FlatVolume
from tomobundles.data.volumes.packed import PackedVolume
from tomobundles.utils import InputError

_ARRAY = np.random.default_rng(0).integers(0, 65_536, (6, 5, 4), dtype=np.uint16)  # X, Y, Z
_ZYX = _ARRAY.transpose(2, 1, 0)
_BOX = (slice(1, 3), slice(2, 5), slice(0, 1))
_AFFINE = np.array([[-0.06, 0, 0, 1], [0, 0.05, 0, 2], [0, 0, 0.03, 3], [0, 0, 0, 1]])


def _save(path, array, affine=_AFFINE, unit="mm", kind=nib.Nifti1Image):
    image = kind(array, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_sixteen_bits_come_back_exactly(tmp_path, name, kind):
    volume = open_volume(_save(tmp_path / name, _ARRAY, kind=kind))
    assert isinstance(volume, PackedVolume if name.endswith("gz") else FlatVolume)
    assert volume.random_access == (name == "a.nii")
    assert (volume.shape, volume.dtype) == ((4, 5, 6), np.uint16)
    assert volume.spacing_um == pytest.approx((30, 50, 60))
    assert volume.meta["form"] == "nifti"
    assert volume.meta["slice_names"] == ["0", "1", "2", "3"]
    np.testing.assert_allclose(volume.meta["affine"], _AFFINE)
    np.testing.assert_array_equal(volume.read_all(), _ZYX)
    np.testing.assert_array_equal(volume.read(_BOX), _ZYX[_BOX])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("axes", ["".join(letters) for letters in itertools.permutations("XYZ")])
def test_any_order_of_axes_as_the_other_reader(tmp_path, axes, name):
    path = _save(tmp_path / name, _ARRAY)
    expected, about = read_volume(path, axes=axes)  # rows, columns, slices
    volume = open_volume(path, axes=axes)
    np.testing.assert_array_equal(volume.read_all(), np.moveaxis(expected, -1, 0))
    np.testing.assert_allclose(volume.meta["affine"][:, [1, 0, 2, 3]], about["affine"])
    sizes = nib.affines.voxel_sizes(about["affine"])[[2, 0, 1]] * 1e3
    assert volume.spacing_um == pytest.approx(tuple(sizes))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_scale_factors(tmp_path, name):
    image = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), _AFFINE)
    image.header.set_slope_inter(0.5, -1)
    nib.save(image, tmp_path / name)
    volume = open_volume(tmp_path / name)
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(
        volume.read_all(), nib.load(tmp_path / name).get_fdata().transpose(2, 1, 0).astype(np.float32)
    )
    assert volume.read_all()[0, 0].tolist() == [-1, 1]  # 0 and 4, of x = 0 and 1


@pytest.mark.parametrize(
    ("unit", "size", "expected"),
    [
        ("mm", 0.05, 50),
        ("micron", 50, 50),
        ("meter", 5e-5, 50),
        ("unknown", 0.05, 50),
        ("unknown", 1, None),
        ("mm", 1, 1000),
    ],
)
def test_units(tmp_path, unit, size, expected):
    volume = open_volume(_save(tmp_path / "a.nii", _ARRAY, np.diag([size, size, size, 1]), unit))
    assert volume.spacing_um == (None if expected is None else (expected,) * 3)
    assert volume.meta["affine"][0, 0] == pytest.approx(1 if expected is None else expected / 1e3)


def test_rotated_axes_keep_their_sizes(tmp_path):
    turned = _AFFINE @ np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    volume = open_volume(_save(tmp_path / "a.nii", _ARRAY, turned))
    # column x is (-0.06 * 0.8, 0.05 * 0.6), of length sqrt(0.048^2 + 0.03^2)
    assert volume.spacing_um == pytest.approx((30, 53.8145, 56.6039), rel=1e-5)


def test_axes_of_one(tmp_path):
    assert open_volume(_save(tmp_path / "a.nii", _ARRAY[..., None, None])).shape == (4, 5, 6)
    assert open_volume(_save(tmp_path / "b.nii", _ARRAY[..., 0])).shape == (1, 5, 6)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2, 2, 3), np.uint8), r"array of shape \(2, 2, 2, 3\)"),
        (np.zeros((2, 2, 2), np.complex64), "values of type complex64"),
        (np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "values of type"),
    ],
    ids=["channels", "complex", "rgb"],
)
def test_what_is_no_gray_volume(tmp_path, array, words):
    with pytest.raises(InputError, match=rf"(?s)a\.nii.*{words}"):
        open_volume(_save(tmp_path / "a.nii", array))


def test_damaged_files(tmp_path, caplog):
    whole = _save(tmp_path / "a.nii", _ARRAY).read_bytes()
    for kept in (len(whole) - 1, 400, 100, 0):
        (tmp_path / "b.nii").write_bytes(whole[:kept])
        with pytest.raises(InputError, match=r"(?s)b\.nii.*(truncated|cannot be read as NIfTI)"):
            open_volume(tmp_path / "b.nii")
    (tmp_path / "c.nii").write_bytes(b"x" * 400)
    with caplog.at_level(logging.INFO), pytest.raises(InputError, match="cannot be read as NIfTI"):
        open_volume(tmp_path / "c.nii")
    assert not caplog.records
    nib.save(nib.Spm99AnalyzeImage(_ARRAY.astype(np.int16), _AFFINE), tmp_path / "d.img")
    (tmp_path / "d.hdr").rename(tmp_path / "d.nii")
    with pytest.raises(InputError, match=r"(?s)d\.nii"):
        open_volume(tmp_path / "d.nii")


def test_damaged_gzip_is_found_when_opened(tmp_path):
    whole = _save(tmp_path / "a.nii.gz", _ARRAY).read_bytes()
    bad = tmp_path / "b.nii.gz"
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # of the checksum
    for data in (whole[:-200], whole[:-4], bytes(flipped), whole[:40]):
        bad.write_bytes(data)
        with pytest.raises(InputError, match=r"(?s)b\.nii\.gz.*(damaged|cannot be read as NIfTI)"):
            open_volume(bad)


def test_real_volumes_agree_with_the_other_reader(real_data):
    folder = real_data / "kidney" / "hipct_patches" / "train"
    for name in ("kidney_1_dense_patch8_image.nii.gz", "kidney_1_dense_patch8_label.nii.gz"):
        volume = open_volume(folder / name)
        assert (volume.shape, volume.spacing_um) == ((32, 120, 120), (63.08, 63.08, 63.08))
        expected, _ = read_volume(folder / name)
        np.testing.assert_array_equal(volume.read_all(), np.moveaxis(expected, -1, 0))


def test_cifti_is_no_volume(tmp_path):
    model = nib.cifti2.BrainModelAxis.from_mask(np.ones((2, 2, 2)), name="thalamus_left", affine=np.eye(4))
    image = nib.Cifti2Image(np.zeros((1, 8), np.float32), (nib.cifti2.ScalarAxis(["a"]), model))
    nib.save(image, tmp_path / "a.dscalar.nii")
    with pytest.raises(InputError, match="Cifti2Image where NIfTI is expected"):
        open_volume(tmp_path / "a.dscalar.nii")
