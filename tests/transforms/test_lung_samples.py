# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import WATER
from tomobundles.transforms.lung_samples import (
    false_positive_points,
    plain,
    random_lung_point,
    read_sample,
)
from tomobundles.utils import InputError

GRAY = torch.full((1, 6, 8, 10), WATER, dtype=torch.uint8)


def test_gray_is_not_copied_and_rows_are_plain():
    item = {"image": MetaTensor(GRAY), "label": torch.zeros(0, 5)}
    gray, rows = read_sample(item, "image")
    assert gray.data_ptr() == GRAY.data_ptr()
    assert not isinstance(gray, MetaTensor)
    assert gray.shape == (6, 8, 10)
    assert rows.shape == (0, 5)
    assert plain(GRAY) is GRAY


def test_false_positives_may_be_missing():
    assert false_positive_points({}).shape == (0, 4)
    assert false_positive_points({"false_positive_points": torch.ones(2, 4)}).shape == (2, 4)


def test_lung_is_preferred():
    gray = GRAY[0].clone()
    gray[:, :4] = 20
    random = np.random.RandomState(0)
    points = np.array([random_lung_point(random, gray) for _ in range(100)])
    assert points[:, 1].max() == 3
    assert points.min(axis=0).tolist() == [0, 0, 0]
    assert points[:, [0, 2]].max(axis=0).tolist() == [5, 9]
    assert random_lung_point(random, GRAY[0]).shape == (3,)  # no lung at all


@pytest.mark.parametrize("image", [GRAY.float(), GRAY[0], GRAY.expand(2, -1, -1, -1)])
def test_refuses_other_images(image):
    with pytest.raises(InputError, match="put LungGridd before"):
        read_sample({"image": image, "label": torch.zeros(0, 5)}, "image")


def test_refuses_a_sample_without_label():
    with pytest.raises(InputError, match="without 'label'"):
        read_sample({"image": GRAY}, "image")
