# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from tomobundles.inferers.nodule_decode import decode_candidates
from tomobundles.utils import InputError
from tomobundles.utils.spheres import check_anchors

ANCHORS = check_anchors([5, 10])


def blank(cells=(4, 4, 4)):
    output = torch.zeros(1, 10, *cells)
    output[:, ::5] = -9
    return output


def decode(output, **options):
    settings = {"anchors": ANCHORS, "stride": 4, "shape": (16, 16, 16)} | options
    return decode_candidates(output, **settings)


def test_numbers_by_hand():
    output = blank()
    output[0, :5, 1, 2, 3] = torch.tensor([1.0, 0.2, -0.4, 0.1, math.log(1.5)])
    output[0, 5:, 0, 1, 2] = torch.tensor([2.0, 0.1, 0.0, -0.1, 0.0])
    points, probability = decode(output)
    # centres of cells: 1.5 + 4 * index
    expected = [[1.5 + 1, 5.5, 9.5 - 1, 10], [5.5 + 1, 9.5 - 2, 13.5 + 0.5, 7.5]]
    torch.testing.assert_close(points, torch.tensor(expected))
    torch.testing.assert_close(probability, torch.tensor([0.880797, 0.731059]))


def test_float32_from_bfloat16():
    output = blank((1, 1, 80))
    output[0, :5, 0, 0, 63] = torch.tensor([1.0, 0, 0, -0.0375, 0])  # -0.03759765625 in bfloat16
    points, _ = decode(output.bfloat16(), shape=(4, 4, 320))
    assert points.dtype == torch.float32
    assert points[0, 2].item() == 253.5 - 5 * 0.03759765625  # bfloat16 would give 253


def test_stride_of_two():
    output = blank((2, 2, 2))
    output[0, 0, 1, 0, 1] = 0
    points, probability = decode(output, stride=2, shape=(4, 4, 4))
    assert points.tolist() == [[2.5, 0.5, 2.5, 5]]
    assert probability.tolist() == [0.5]


def test_centres_outside_are_left_out():
    output = blank()
    output[0, :5, 0, 0, 0] = torch.tensor([3.0, -0.4, 0, 0, 0])  # 1.5 - 2 = -0.5: the border
    output[0, :5, 1, 0, 0] = torch.tensor([2.0, 0, -0.5, 0, 0])  # -1
    output[0, :5, 3, 3, 3] = torch.tensor([1.0, 0, 0, 0, 0])  # 13.5 of 13 voxels
    points, _ = decode(output, shape=(16, 16, 13))
    assert points.tolist() == [[-0.5, 1.5, 1.5, 5]]


def test_limits_and_ties():
    output = blank()
    output[0, 0] = torch.linspace(-1, 1, 64).reshape(4, 4, 4)
    _, probability = decode(output, min_probability=0.5)
    assert len(probability) == 32
    assert torch.equal(probability, probability.sort(descending=True).values)
    assert len(decode(output, min_probability=0)[1]) == 128
    _, fewer = decode(output, top_k=7)
    torch.testing.assert_close(fewer, probability[:7])
    output[0, 0] = 1
    points, _ = decode(output, top_k=3)
    assert points[:, :3].tolist() == [[1.5, 1.5, 1.5], [1.5, 1.5, 5.5], [1.5, 1.5, 9.5]]


def test_nothing_found():
    points, probability = decode(blank())
    assert points.shape == (0, 4)
    assert probability.shape == (0,)
    assert points.dtype == probability.dtype == torch.float32


@pytest.mark.parametrize("shape", [(1, 5, 4, 4, 4), (2, 10, 4, 4, 4), (1, 10, 4, 4)])
def test_another_number_of_channels(shape):
    with pytest.raises(InputError, match=r"output of shape .* for 2 anchor\(s\)\n.*5 channels each"):
        decode(torch.zeros(shape))


@pytest.mark.parametrize("channel", [0, 2])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite(channel, value):
    output = blank()
    output[0, 0, 2, 2, 2] = 1
    output[0, channel, 2, 2, 2] = value
    with pytest.raises(InputError, match="output is not finite"):
        decode(output)
