# SPDX-License-Identifier: Apache-2.0
"""The table of a training's course."""

from __future__ import annotations

import math

import pytest

from tomobundles.handlers.history import read_history, write_history
from tomobundles.utils import InputError

ROWS = [
    {"epoch": 1, "lr": 1e-3, "loss": 0.123456789},
    {"epoch": 2, "lr": 5e-4, "loss": math.nan, "score": 1.0},
]
TEXT = "epoch,lr,loss,score\n1,0.001,0.123457,\n2,0.0005,nan,1\n"


def test_written_by_hand(tmp_path):
    write_history(ROWS, tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text() == TEXT


def test_infinity_is_written(tmp_path):
    write_history([{"epoch": 1, "loss": math.inf}], tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text() == "epoch,loss\n1,inf\n"


def test_read_back_up_to_an_epoch(tmp_path):
    (tmp_path / "history.csv").write_text(TEXT)
    rows = read_history(tmp_path / "history.csv", before_epoch=2)
    assert rows == [{"epoch": 1, "lr": 1e-3, "loss": 0.123457}]
    assert len(read_history(tmp_path / "history.csv", before_epoch=3)) == 2


def test_no_file_no_rows(tmp_path):
    assert read_history(tmp_path / "history.csv", before_epoch=3) == []


@pytest.mark.parametrize("text", ["name,age\nann,40\n", "loss\n3\n", "epoch\n1,2\n"])
def test_another_table_is_an_error(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(InputError, match=r"history\.csv\nis not the history of an earlier run"):
        read_history(tmp_path / "history.csv", before_epoch=3)
