# SPDX-License-Identifier: Apache-2.0
"""Panels in a row."""

import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize import CLASS_COLORS, compose_panels

PANELS = [np.full((20, 30, 3), value, np.uint8) for value in (10, 200)]


def test_panels_stand_side_by_side_below_their_titles():
    picture = compose_panels(PANELS, ["One", "Two"])
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 6 + 30 + 6 + 30 + 6
    rows = np.flatnonzero((picture[:, 10] == 10).all(axis=-1))
    assert len(rows) == 20
    assert (picture[rows[0] : rows[-1] + 1, 6:36] == 10).all()
    assert (picture[rows[0] : rows[-1] + 1, 42:72] == 200).all()
    assert (picture[: rows[0] - 1, :36] < 255).any()  # the title's ink
    assert picture.shape[0] == rows[-1] + 1 + 6


def test_legend_has_the_colours_of_the_classes():
    picture = compose_panels(PANELS, ["", ""], class_names=["a", "b"])
    without = compose_panels(PANELS, ["", ""])
    assert picture.shape[0] > without.shape[0]
    for color in CLASS_COLORS[:2]:
        assert (picture[without.shape[0] :] == color).all(axis=-1).any()
    own = compose_panels(PANELS, ["", ""], class_names=["a"], class_colors=[(1, 2, 3)])
    assert (own == (1, 2, 3)).all(axis=-1).any()


@pytest.mark.parametrize(
    ("panels", "titles"),
    [([], []), (PANELS, ["One"]), ([PANELS[0], PANELS[1][:-1]], ["One", "Two"])],
)
def test_panels_that_make_no_row(panels, titles):
    with pytest.raises(InputError, match="do not make a row"):
        compose_panels(panels, titles)
