# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.transforms import check_bins, nodule_weights, scan_weights
from tomobundles.utils import InputError

BINS = [[0, 3.0], [10, 2.0], [30, 1.0]]


def test_a_bin_ends_where_the_next_begins():
    assert nodule_weights([3, 9.99, 10, 29, 30, 90], BINS).tolist() == [3, 3, 2, 2, 1, 1]
    assert nodule_weights([], BINS).shape == (0,)
    assert nodule_weights([5, 50], [[0, 1]]).tolist() == [1, 1]


def test_a_scan_weighs_what_its_nodules_weigh():
    items = [
        {"label": {"nodules": [[0, 0, 0, 5], [1, 1, 1, 12]]}},
        {"label": {"nodules": []}},
        {"image": "a.mhd"},
        {"label": {"nodules": [[0, 0, 0, 31]], "excluded": [[0, 0, 0, 5]]}},
    ]
    assert scan_weights(items, BINS) == [5, 0, 0, 1]
    assert scan_weights(items, BINS, no_nodule=0.5) == [5, 0.5, 0.5, 1]


def test_tables_are_numbers():
    assert check_bins(((0, 1), (6, 2))).tolist() == [[0, 1], [6, 2]]


@pytest.mark.parametrize(
    "bins",
    [
        [],
        [[1, 1]],
        [[0, 1], [0, 2]],
        [[0, 1], [5, -1]],
        [[0, 0]],
        [[0, float("nan")]],
        [[0, 1, 2]],
        [[0, 1, 2], [3, 4, 5]],
        [0, 1],
        "abc",
        [[0, "x"]],
    ],
)
def test_refuses_bad_tables(bins):
    with pytest.raises(InputError, match="size_bins"):
        check_bins(bins)


def test_refuses_scans_of_which_none_could_be_drawn():
    with pytest.raises(InputError, match="no nodule in 1 scans"):
        scan_weights([{"label": {"nodules": []}}], BINS)
