# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms.lungs import LungMaskd
from tomobundles.utils import InputError

from .chests import affine_of, as_stored, simple_chest


def _item(hu):
    image = torch.from_numpy(as_stored(hu).astype(np.int16)).unsqueeze(0)
    return {
        "image": MetaTensor(image, affine=torch.from_numpy(affine_of()), meta={"filename_or_obj": "a.mhd"})
    }


def test_mask_and_record_are_added():
    hu, lungs = simple_chest()
    item = _item(hu)
    result = LungMaskd("image", margin_mm=0)(item)
    assert result["image"] is item["image"]
    assert result["lungs"].shape == (1, 130, 170, 60)
    assert result["lungs"].dtype == torch.uint8
    np.testing.assert_allclose(result["lungs"].affine, affine_of())
    assert (result["lungs"][0].numpy() == 1).sum() == (lungs == 1).sum()
    assert result["lung_quality"]["level_hu"] == -600


def test_keys_and_mode():
    result = LungMaskd("image", mode="none", lungs_key="where", quality_key="how")(_item(simple_chest()[0]))
    assert (result["where"] == 3).all()
    assert result["how"]["method"] == "whole image"
    assert LungMaskd(allow_missing_keys=True)({"patient": "a"}) == {"patient": "a"}


def test_the_file_without_lungs_is_named():
    with pytest.raises(InputError, match=r"a\.mhd\nno lung in the field of view"):
        LungMaskd()(_item(simple_chest(lungs_hu=(40, 40))[0]))


def test_bad_options_are_refused_at_once():
    with pytest.raises(InputError, match="mode 'off'"):
        LungMaskd(mode="off")
