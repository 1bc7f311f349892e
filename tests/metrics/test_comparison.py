# SPDX-License-Identifier: Apache-2.0
"""Which of two values is better."""

from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from tomobundles.metrics import is_better

NAN = float("nan")


@pytest.mark.parametrize(
    ("current", "best", "expected"),
    [
        (0.6, 0.5, True),
        (0.5, 0.5, False),
        (0.4, 0.5, False),
        (0.0, NAN, True),
        (NAN, 0.5, False),
        (NAN, NAN, False),
    ],
)
def test_greater_is_better_and_nan_never_wins(current, best, expected):
    assert is_better(current, best) is expected


def test_a_configuration_can_name_it():
    parser = ConfigParser({"compare": {"_target_": "tomobundles.metrics.is_better", "_mode_": "callable"}})
    assert parser.get_parsed_content("compare")(1.0, NAN)
