# SPDX-License-Identifier: Apache-2.0
import numpy as np

from tomobundles.visualize.agreement import AGREEMENT_COLORS, AGREEMENT_NAMES, agreement


def test_by_hand():
    prediction, reference = np.array([0, 255, 255, 0]), np.array([0, 1, 0, 1])
    assert agreement(prediction, reference).tolist() == [0, 1, 2, 3]
    assert agreement(prediction, reference).dtype == np.uint8
    assert agreement(prediction, None).tolist() == [0, 1, 1, 0]


def test_a_colour_a_name():
    assert len(AGREEMENT_COLORS) == len(set(AGREEMENT_COLORS)) == len(AGREEMENT_NAMES)
