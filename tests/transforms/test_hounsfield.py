# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms.hounsfield import CheckHounsfieldd
from tomobundles.utils import InputError


def ct(dtype=np.int16, shape=(9, 10, 20)):
    """Half lung, half soft tissue; (H, W, D) as a view of slices."""
    slices = np.full((shape[2], *shape[:2]), -850, dtype if np.dtype(dtype).kind != "u" else np.int32)
    slices[:, :, 5:] = 40
    return slices


def image(slices, *, step=1.0, **meta):
    affine = torch.diag(torch.tensor([1.0, 1.0, step, 1.0], dtype=torch.float64))
    voxels = torch.from_numpy(np.moveaxis(slices, 0, -1))[None]
    return MetaTensor(voxels, affine=affine, meta={"filename_or_obj": "a.mhd", **meta})


def check(slices, *, step=1.0, meta=None, **options):
    return CheckHounsfieldd("image", **options)({"image": image(slices, step=step, **(meta or {}))})["image"]


def test_hounsfield_units_pass_without_a_copy(recwarn):
    slices = ct()
    result = check(slices, meta={"kernel": "B30f"})
    assert result.shape == (1, 9, 10, 20)
    assert result.data_ptr() == torch.from_numpy(slices).data_ptr()
    assert (result.meta["kernel"], result.meta["warnings"]) == ("B30f", [])
    assert not [one for one in recwarn if "affine" in str(one.message)]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_fill_becomes_air_and_the_input_stays(dtype):
    slices = ct(dtype)
    slices[:, 0], slices[3, 4, 4] = -3024, 30000
    result = check(slices)
    assert result.dtype == torch.int16
    expected = np.moveaxis(slices, 0, -1).clip(-1024).astype(np.int16)
    np.testing.assert_array_equal(result[0].numpy(), expected)
    assert slices[0, 0, 0] == -3024
    assert np.moveaxis(result[0].numpy(), -1, 0).flags.c_contiguous
    torch.testing.assert_close(result.affine, torch.eye(4, dtype=torch.float64))


def test_floats_are_rounded_and_large_numbers_limited():
    slices = ct(np.float32)
    slices[2, 2, :3] = [-850.6, 1e9, -850.4]
    assert check(slices)[0, 2, :3, 2].tolist() == [-851, 32767, -850]


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_an_offset_that_is_missing_is_named_and_added(dtype):
    slices = (ct(np.int32) + 1024).astype(dtype)
    with pytest.raises(InputError, match=r"values from 174 to 1064.*\n.*--hu_offset -1024"):
        check(slices)
    result = check(slices, offset=-1024)
    assert result.dtype == torch.int16
    np.testing.assert_array_equal(np.moveaxis(result[0].numpy(), -1, 0), ct())


def test_a_missing_offset_shows_beside_fill():
    slices = ct() + 1024
    slices[:, 0] = -2000
    with pytest.raises(InputError, match="offset seems to be missing"):
        check(slices)
    assert check(slices, offset=-1024)[0, 0, 0, 0] == -1024


def test_an_offset_that_is_not_needed_or_wrong():
    with pytest.raises(InputError, match="are HU already, and an offset of -1024"):
        check(ct(), offset=-1024)
    with pytest.raises(InputError, match="with an offset of 100 there is no lung"):
        check(ct() + 1024, offset=100)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda slices: slices * 0 + 7, "the value 7 throughout"),
        (lambda slices: slices * 0 - 3000, "no value above -1024 throughout"),
        (lambda slices: ((slices + 850) // 4).astype(np.uint8), "values from 0 to 222 are no HU"),
        (lambda slices: (slices > 0).astype(np.uint8), "values from 0 to 1 are no HU but those of a mask"),
        (lambda slices: (slices > 0).astype(np.float32) + 4, "values from 4 to 5 are no HU but"),
        (lambda slices: (slices / 1000).astype(np.float32), "values from -0.85 to 0.04 are no HU"),
    ],
)
def test_what_is_no_ct_in_hounsfield_units(change, words):
    with pytest.raises(InputError, match=words):
        check(change(ct()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite(value):
    slices = ct(np.float32)
    slices[17, 3, 3] = value
    with pytest.raises(InputError, match="NaN or infinite values, first in slices 16 to 19"):
        check(slices)


def test_too_few_slices_and_no_voxel_size():
    with pytest.raises(InputError, match=r"volume of 9 x 10 x 7 .*\n.*at least 8 slices"):
        check(ct()[:7])
    assert check(ct()[:7], min_slices=7).shape[-1] == 7
    with pytest.raises(InputError, match="its voxel size is not known"):
        check(ct(), meta={"spacing_known": False})


def test_thick_slices_work_and_warn(caplog):
    with caplog.at_level(logging.WARNING, logger="tomobundles"):
        result = check(ct(), step=5.0)
    assert "slices are 5 mm apart" in caplog.text
    assert result.meta["warnings"] == ["slices are 5 mm apart: nodules smaller than that may be missed"]
    assert check(ct(), step=5.0, max_slice_mm=5.0).meta["warnings"] == []
