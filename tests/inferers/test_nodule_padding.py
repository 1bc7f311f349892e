# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.inferers.nodule_padding import as_input, check_lung_box, pad_to_multiple, padded_box
from tomobundles.utils import InputError


def test_water_beyond_the_last_voxels():
    image = torch.arange(24, dtype=torch.uint8).reshape(1, 1, 2, 3, 4)
    padded = pad_to_multiple(image, multiple=4)
    assert padded.shape == (1, 1, 4, 4, 4)
    assert torch.equal(padded[..., :2, :3, :], image)
    assert (padded[..., 2:, :, :] == 170).all()
    assert (padded[..., 3:, :] == 170).all()
    assert pad_to_multiple(padded, multiple=4) is padded
    floats = pad_to_multiple(as_input(image, dtype=torch.float32, device=torch.device("cpu")), multiple=4)
    assert floats[0, 0, 3, 3, 3].item() == (170 - 128) / 128


def test_box_of_the_padded_scan():
    # 11 voxels are 0.1 apart in the lung box; voxel 15 lies 0.5 beyond the last
    box = padded_box((11, 16, 1), (16, 16, 16))
    torch.testing.assert_close(box, torch.tensor([[-0.5, -0.5, -0.5, 1.0, 0.5, 14.5]]))


def test_input_is_exact_in_bfloat16():
    gray = torch.arange(256, dtype=torch.uint8)
    exact = (torch.arange(256) - 128) / 128
    for dtype in (torch.float32, torch.bfloat16):
        found = as_input(gray, dtype=dtype, device=torch.device("cpu"))
        assert found.dtype == dtype
        assert torch.equal(found.float(), exact)
    assert torch.equal(as_input(exact.double(), dtype=torch.float32, device=torch.device("cpu")), exact)


def test_plain_tensor_of_a_scan():
    found = check_lung_box(MetaTensor(torch.zeros(1, 1, 2, 2, 2, dtype=torch.uint8)))
    assert type(found) is torch.Tensor


@pytest.mark.parametrize("shape", [(2, 1, 4, 4, 4), (1, 3, 4, 4, 4), (1, 4, 4, 4), (1, 1, 4, 0, 4)])
def test_other_shapes(shape):
    with pytest.raises(InputError, match=r"image of shape .*\nGive one scan at a time"):
        check_lung_box(torch.zeros(shape))


def test_stored_values_are_no_gray():
    with pytest.raises(InputError, match=r"image of type torch.int16\nGive gray values as uint8"):
        check_lung_box(torch.zeros(1, 1, 4, 4, 4, dtype=torch.int16))
