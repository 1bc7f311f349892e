# SPDX-License-Identifier: Apache-2.0
import torch

from tomobundles.transforms.cut_box import cut_box

VOLUME = torch.arange(60, dtype=torch.uint8).reshape(3, 4, 5)


def test_inside():
    box = cut_box(VOLUME, (1, 0, 2), (2, 3, 3), fill=170)
    assert torch.equal(box, VOLUME[1:3, 0:3, 2:5])
    box += 1
    assert VOLUME[1, 0, 2] == 22  # the volume is not touched


def test_across_the_border():
    box = cut_box(VOLUME, (-1, 2, -2), (5, 4, 9), fill=170)
    assert torch.equal(box[1:4, :2, 2:7], VOLUME[:, 2:])
    assert (box == 170).sum() == 5 * 4 * 9 - 3 * 2 * 5


def test_beside():
    for start in ((3, 0, 0), (0, -4, 0), (0, 0, 50)):
        assert (cut_box(VOLUME, start, (2, 4, 2), fill=7) == 7).all()
