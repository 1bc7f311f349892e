# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.key_slice_sheets import compose_key_slices
from tomobundles.visualize.key_slices import KeySlice

RED = [(250, 0, 0), (0, 250, 0)]
AS_SCANNED = np.array([[0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1.0]])


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(40, 10, (10, 10, 6)).astype(np.float32)


def draw(image, cards, **options):
    return np.asarray(compose_key_slices(image, cards, **({"colors": RED, "panel_pixels": 100} | options)))


def cards(count, **content):
    return [KeySlice(index, f"Slice {index + 1}", **content) for index in range(count)]


def test_two_pairs_or_four_panels_a_row(image):
    # Pairs are 100 + 2 + 100 wide, 18 apart, with 12 at either side.
    assert [draw(image, cards(count)).shape[1] for count in (1, 2, 3)] == [226, 446, 446]
    single = [draw(image, cards(count), with_heat=False).shape for count in (1, 4, 5)]
    assert [shape[1] for shape in single] == [124, 478, 478]
    assert single[2][0] > single[1][0] == single[0][0]


def test_brain_window_and_gray_values(image):
    flat = np.full((10, 10, 1), 40, np.float32)
    flat[0, 0] = 100
    flat[0, 1] = -100
    sheet = draw(flat, cards(1), with_heat=False)
    # 40 HU is the middle of the window 0 to 80
    assert [sheet[12 + 5, x + 12].tolist()[0] for x in (5, 15, 55)] == [255, 0, 128]
    eight_bit = draw(np.full((10, 10, 1), 40, np.uint8), cards(1), with_heat=False)
    assert eight_bit[62, 62].tolist() == [40] * 3
    assert draw(flat, cards(1), with_heat=False, window=(0, 40))[62, 62].tolist() == [255] * 3


def test_heat_is_in_the_second_panel_only(image):
    heat = np.zeros((5, 5), np.float32)
    heat[2, 2] = 1
    drawn = draw(image, cards(1, heats={0: heat}))
    columns = np.flatnonzero((drawn == RED[0]).all(axis=2).any(axis=0))
    second = 12 + 100 + 2
    assert columns.min() > second + 30
    assert columns.max() < second + 70


def test_lines_stand_beside_their_colour(image):
    drawn = draw(
        image, cards(1, lines=[(1, "SDH 90%"), (None, "a longer line without any colour that wraps")])
    )
    assert (drawn == RED[1]).all(axis=2).sum() == 12 * 12  # one box
    short = draw(image, cards(1, lines=[(1, "SDH 90%")]))
    assert drawn.shape[0] > short.shape[0]


def test_title_and_notes_take_room(image):
    bare, told = draw(image, cards(2)), draw(image, cards(2), title="Title", notes=["Note", "More"])
    assert told.shape[0] == bare.shape[0] + round(14 * 1.3) + 2 * round(11 * 1.3)


def test_sides_are_marked_where_known(image):
    black = np.full(image.shape, -1000, np.float32)
    plain = draw(black, cards(1), with_heat=False)
    marked = draw(black, cards(1), with_heat=False, affine=AS_SCANNED)
    changed = np.argwhere((plain != marked).any(axis=2))
    assert changed[:, 1].min() < 30 < 90 < changed[:, 1].max()


def test_slices_and_heat_are_turned_together(image):
    turned = np.array(AS_SCANNED)
    turned[1] *= -1  # rows go to the front: shown upside down
    heat = np.random.default_rng(1).random((10, 10)).astype(np.float32)
    as_scanned = draw(image, cards(1, heats={0: heat}), affine=AS_SCANNED)
    flipped = draw(image[::-1], cards(1, heats={0: heat[::-1]}), affine=turned)
    np.testing.assert_array_equal(as_scanned, flipped)


@pytest.mark.parametrize("chosen", [[], [KeySlice(6, "x")], [KeySlice(-1, "x")]])
def test_wrong_slices(image, chosen):
    with pytest.raises(InputError, match="key slices"):
        draw(image, chosen)
