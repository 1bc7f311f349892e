# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from tomobundles.transforms import RandMotionBlurd, motion_blur
from tomobundles.transforms.motion_blur import line_kernel
from tomobundles.utils import InputError


def test_a_level_line_blurs_along_the_row_only():
    stack = torch.zeros(1, 9, 9)
    stack[0, 4, 4] = 1
    blurred = motion_blur(stack, length=5, angle=0.0)[0]
    assert blurred[4].sum().item() == pytest.approx(1)
    assert blurred[3].abs().max().item() == pytest.approx(0, abs=1e-6)
    assert blurred[4, 4].item() == pytest.approx(0.25, abs=0.01)  # a line of 4 pixels between its ends
    assert blurred[4, 2].item() == pytest.approx(0.125, abs=0.02)


def test_an_upright_line_is_the_transpose():
    stack = torch.rand(2, 12, 12)
    upright = motion_blur(stack, length=6, angle=math.pi / 2)
    assert torch.allclose(upright, motion_blur(stack.mT, length=6, angle=0.0).mT, atol=1e-5)


@pytest.mark.parametrize("angle", [0.3, 1.1, 2.5])
def test_kernels_are_centred_and_sum_to_one(angle):
    kernel = line_kernel(length=6.3, angle=angle)
    assert kernel.shape == (7, 7)
    assert kernel.sum().item() == pytest.approx(1)
    assert torch.allclose(kernel, kernel.flip(0, 1), atol=1e-6)


def test_constant_stacks_and_lines_of_one_pixel_stay():
    stack = torch.rand(3, 8, 7)
    assert torch.equal(motion_blur(stack, length=1, angle=0.7), stack)
    assert torch.allclose(motion_blur(torch.ones(3, 8, 7), length=7, angle=0.7), torch.ones(3, 8, 7))


def test_seeds_repeat_and_probability_zero_leaves():
    stack = torch.rand(3, 16, 16)
    moved = []
    for _ in range(2):
        transform = RandMotionBlurd("image", prob=1.0).set_random_state(seed=3)
        moved.append(transform({"image": stack, "patient": "a"})["image"])
    assert torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[0], stack)
    assert RandMotionBlurd("image", prob=0.0)({"image": stack})["image"] is stack


def test_draws_stay_in_range():
    transform = RandMotionBlurd("image", length=(3, 9)).set_random_state(seed=0)
    draws = [(transform.randomize(), transform.length, transform.angle) for _ in range(200)]
    assert 3 <= min(draw[1] for draw in draws) < 3.5
    assert 8.5 < max(draw[1] for draw in draws) <= 9
    assert min(draw[2] for draw in draws) >= 0
    assert 3 < max(draw[2] for draw in draws) < math.pi


@pytest.mark.parametrize("length", [(0.5, 3), (5, 3), (3,)])
def test_refuses_bad_lengths(length):
    with pytest.raises(InputError, match="length is"):
        RandMotionBlurd("image", length=length)
