# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.data.run_lengths import decode_rle, encode_rle
from tomobundles.utils import InputError

HAND = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]], np.uint8)


def random_mask(seed, shape, density):
    return (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)


def test_by_hand():
    assert encode_rle(HAND) == "2 3 9 1"  # the run of the first row goes on in the second
    assert encode_rle(HAND, order="F") == "2 1 4 1 7 1 9 1"
    assert encode_rle(HAND > 0) == "2 3 9 1"
    assert encode_rle(HAND * 255) == "2 3 9 1"


def test_empty_and_full():
    assert encode_rle(np.zeros((4, 5))) == "1 0"
    assert encode_rle(np.ones((4, 5))) == "1 20"
    assert decode_rle("1 0", (4, 5)).sum() == 0
    assert decode_rle("1 20", (4, 5)).sum() == 20


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("density", [0, 0.003, 0.3, 0.7, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (17, 23)])
def test_round_trip(order, density, shape):
    for seed in range(5):
        mask = random_mask(seed, shape, density)
        text = encode_rle(mask, order=order)
        decoded = decode_rle(text, shape, order=order)
        assert decoded.dtype == np.uint8
        assert decoded.flags.c_contiguous
        assert np.array_equal(decoded, mask)
        assert encode_rle(decoded, order=order) == text


@pytest.mark.parametrize("order", ["C", "F"])
def test_against_a_plain_encoder(order):
    """Voxel by voxel, as the contest's definition reads."""
    mask = random_mask(3, (12, 7), 0.4)
    runs, previous = [], 0
    for place, value in enumerate(mask.ravel(order=order), start=1):
        if value and previous:
            runs[-1][1] += 1
        elif value:
            runs.append([place, 1])
        previous = value
    assert encode_rle(mask, order=order) == " ".join(f"{start} {length}" for start, length in runs)


def test_columns_are_the_rows_of_the_transposed():
    mask = random_mask(1, (6, 8), 0.4)
    assert encode_rle(mask, order="F") == encode_rle(mask.T)


def test_runs_that_touch_are_one():
    assert decode_rle("2 2 4 1", (1, 5)).tolist() == [[0, 1, 1, 1, 0]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no runs"),
        ("  ", "no runs"),
        ("1 2 3", "3 numbers, an odd count"),
        ("1 two", "'two' is no whole number"),
        ("1 2.0", "'2.0' is no whole number"),
        ("-1 2", "'-1' is no whole number"),
        ("1 1_0", "'1_0' is no whole number"),
        ("1 ²", "'²' is no whole number"),
        ("1 " + "9" * 19, "is no whole number"),
        ("0 1", "begins before 1 or is empty"),
        ("3 0", "begins before 1 or is empty"),
        ("1 0 3 2", "begins before 1 or is empty"),
        ("5 3", "a run ends at 7, the slice at 6"),
        ("2 999999999999999999", "the slice at 6"),
        ("1 3 3 1", "overlap or do not ascend"),
        ("4 1 1 1", "overlap or do not ascend"),
    ],
)
def test_malformed_text(text, fault):
    with pytest.raises(InputError, match=f"malformed run-length text: .*{fault}") as caught:
        decode_rle(text, (2, 3), path="s.csv")
    assert caught.value.path == "s.csv"


def test_bad_arguments():
    with pytest.raises(InputError, match="order 'A'"):
        encode_rle(HAND, order="A")
    with pytest.raises(InputError, match="order 'A'"):
        decode_rle("1 0", (2, 2), order="A")
    with pytest.raises(InputError, match=r"mask of shape \(2, 2, 2\)"):
        encode_rle(np.zeros((2, 2, 2)))


def test_contest_slice_on_real_data(real_data):
    """The label of a real slice, there and back."""
    path = real_data / "kidney" / "hipct_slices" / "train" / "kidney_1_dense_0427_label.png"
    mask = (np.asarray(Image.open(path)) > 0).astype(np.uint8)
    assert mask.sum() > 100
    for order in ("C", "F"):
        assert np.array_equal(decode_rle(encode_rle(mask, order=order), mask.shape, order=order), mask)
