# SPDX-License-Identifier: Apache-2.0
"""Volumes pass through MONAI's loaders and engines as they are."""

import numpy as np
import pytest
import torch

from tomobundles.data import collate_one, prepare_volumes
from tomobundles.data.volumes import ArrayVolume
from tomobundles.utils import InputError


def test_a_batch_of_one_is_the_sample():
    sample = {"image": ArrayVolume(np.zeros((2, 3, 4)))}
    batch = collate_one([sample])
    assert batch == sample
    assert batch is not sample


@pytest.mark.parametrize("count", [0, 2])
def test_other_batches_are_refused(count):
    with pytest.raises(InputError, match=f"a batch of {count} volumes"):
        collate_one([{}] * count)


def test_volumes_stay_where_they_are():
    image, label = (ArrayVolume(np.zeros((2, 3, 4))) for _ in range(2))
    assert prepare_volumes({"image": image, "label": label}, torch.device("meta"), True) == (image, label)
    assert prepare_volumes({"image": image}) == (image, None)
