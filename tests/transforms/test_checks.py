# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import CheckVolumed
from tomobundles.utils import InputError


def _volume(shape=(1, 4, 3, 2), *, name="scan", known=True, shift=0.0, dtype=torch.uint8):
    affine = torch.eye(4)
    affine[0, 3] = shift
    return MetaTensor(
        torch.ones(shape, dtype=dtype), affine=affine, meta={"filename_or_obj": name, "spacing_known": known}
    )


def test_good_samples_pass_untouched():
    for sample in (
        {"image": _volume()},
        {"image": _volume(dtype=torch.float32), "label": _volume(shift=0.005)},
        {"image": _volume(), "label": _volume(shift=5, known=False)},  # no spacing known: nothing to compare
    ):
        assert CheckVolumed()(sample) is sample


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_refused(value):
    volume = _volume(dtype=torch.float32)
    volume[0, 1, 1, 1] = value
    with pytest.raises(InputError, match=r"(?s)scan.*NaN or infinite"):
        CheckVolumed()({"image": volume})


def test_label_of_another_size_or_place():
    with pytest.raises(InputError, match=r"(?s)mask.*4 x 3 x 1, its volume is 4 x 3 x 2"):
        CheckVolumed()({"image": _volume(), "label": _volume((1, 4, 3, 1), name="mask")})
    with pytest.raises(InputError, match="differ by up to 3 mm"):
        CheckVolumed()({"image": _volume(), "label": _volume(shift=3)})


def test_constant_slices_are_refused_only_where_asked_and_never_in_windowed_grays():
    volume = _volume(dtype=torch.int16)
    volume[..., 0] += torch.arange(3, dtype=torch.int16)
    assert CheckVolumed()({"image": volume})
    assert CheckVolumed(constant_slices=False)({"image": _volume()})
    with pytest.raises(InputError, match=r"(?s)scan.*slice 1 \(from 0\) has the value 1 throughout"):
        CheckVolumed(constant_slices=False)({"image": volume})


def test_a_label_that_is_no_volume_passes():
    assert CheckVolumed()({"image": _volume(), "label": {"slices": {}}})
