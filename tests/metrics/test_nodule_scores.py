# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from tests.metrics.nodules import scan
from tomobundles.metrics import nodule_scores
from tomobundles.utils import InputError


def test_names_and_values():
    """One scan: a nodule of 5 mm at rank 1, one of 30 mm at rank 3 behind two false positives, one missed."""
    scores = nodule_scores([scan([0.9, 0.5], misses=1, false=[0.8, 0.7], sizes=[5.0, 30.0, 15.0])])
    assert next(iter(scores)) == "cpm"
    third = 1 / 3
    parts = [third, third, third, third, 2 * third, 2 * third, 2 * third]
    assert [scores[f"sensitivity_at_{rate}"] for rate in ("0.125", "0.25", "0.5", 1, 2, 4, 8)] == (
        pytest.approx(parts)
    )
    assert scores["cpm"] == pytest.approx(np.mean(parts))
    assert (scores["cpm_3_6"], scores["cpm_10_20"], scores["cpm_20"]) == (1, 0, pytest.approx(3 / 7))
    assert math.isnan(scores["cpm_6_10"])
    assert scores["max_sensitivity"] == pytest.approx(2 / 3)
    assert scores["false_positives_per_scan"] == 2
    ranks = [scores[f"recall_at_rank_{rank}"] for rank in (1, 5, 10)]
    assert ranks == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_other_bins_and_ranks():
    scores = nodule_scores([scan([0.9])], edges=[5], ranks=[2])
    assert scores["cpm_5"] == scores["recall_at_rank_2"] == 1
    assert "cpm_3_6" not in scores


def test_no_nodule():
    scores = nodule_scores([scan(false=[0.4])])
    assert scores.pop("false_positives_per_scan") == 1
    assert all(math.isnan(value) for value in scores.values())


def test_no_scan():
    with pytest.raises(InputError, match="no scan to score"):
        nodule_scores([])
