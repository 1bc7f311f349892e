# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from tomobundles.transforms import RandShiftRotated
from tomobundles.utils import InputError


def _fixed(transform, *, shifts=(0.0, 0.0), angle=0.0):
    def draw(data=None):
        transform._do_transform, transform.shifts, transform.angle = True, shifts, angle

    transform.randomize = draw
    return transform


def test_shift_is_a_share_of_the_size():
    image = torch.zeros(2, 10, 20)
    image[:, 5, 5] = 1.0
    moved = _fixed(RandShiftRotated("image"), shifts=(0.2, 0.1))({"image": image})["image"]
    # MONAI's Affine moves the grid: content goes 0.2 * 10 rows up and 0.1 * 20 columns left
    assert moved[:, 3, 3].tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
    assert moved.sum().item() == pytest.approx(2.0, abs=1e-3)


def test_quarter_turn_moves_rows_to_columns():
    image = torch.zeros(1, 9, 9)
    image[0, 4, 7] = 1.0
    moved = _fixed(RandShiftRotated("image"), angle=90.0)({"image": image})["image"]
    assert moved[0].max().item() == pytest.approx(1.0, abs=1e-4)
    row, column = divmod(int(moved[0].argmax()), 9)
    assert column == 4
    assert row in (1, 7)


def test_all_channels_share_the_draw_and_seeds_repeat_it():
    image = torch.rand(1, 16, 16).expand(5, 16, 16).contiguous()
    moved = []
    for _ in range(2):
        transform = RandShiftRotated("image", shift=0.2, rotation=15)
        transform.set_random_state(seed=7)
        moved.append(transform({"image": image})["image"])
    assert torch.equal(moved[0], moved[1])
    assert all(torch.equal(moved[0][0], channel) for channel in moved[0])
    assert not torch.equal(moved[0], image)


def test_draws_stay_in_range_and_vary():
    transform = RandShiftRotated("image", shift=0.2, rotation=15)
    transform.set_random_state(seed=0)
    draws = []
    for _ in range(200):
        transform.randomize()
        draws.append((*transform.shifts, transform.angle))
    rows, columns, angles = zip(*draws, strict=True)
    for values, most in ((rows, 0.2), (columns, 0.2), (angles, 15)):
        assert 0.9 * most < max(map(abs, values)) <= most


def test_probability_zero_leaves_the_stack():
    image = torch.rand(1, 8, 8)
    assert RandShiftRotated("image", shift=0.2, prob=0.0)({"image": image})["image"] is image


def test_outside_is_black():
    moved = _fixed(RandShiftRotated("image"), shifts=(0.5, 0.0))({"image": torch.ones(1, 8, 8)})["image"]
    assert moved[0, :4].min().item() == pytest.approx(1.0, abs=1e-4)
    assert moved[0, 5:].abs().max().item() == 0.0


@pytest.mark.parametrize("options", [{"shift": 1.5}, {"rotation": -1}])
def test_refuses_bad_ranges(options):
    with pytest.raises(InputError, match="shift"):
        RandShiftRotated("image", **options)
