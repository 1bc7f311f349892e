# SPDX-License-Identifier: Apache-2.0
"""A study's result goes through JSON without a bit of difference."""

import json
from dataclasses import fields

import numpy as np

from tests.data.study_results import make_study
from tomobundles.handlers.study_record import result_of_record, result_record, without_pixels


def test_every_field_comes_back():
    result = without_pixels(make_study())
    back = result_of_record(json.loads(json.dumps(result_record(result))))
    for field in fields(result):
        ours, theirs = (getattr(one, field.name) for one in (result, back))
        if isinstance(ours, dict):
            assert list(ours) == list(theirs)
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name], strict=True)
        elif isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs, strict=True)
        else:
            assert ours == theirs or list(ours) == list(theirs), field.name


def test_pixels_are_not_kept():
    result = make_study()
    small = without_pixels(result)
    assert small.image.shape == (1, 1, result.num_slices)
    assert small.cam is None
    assert small.probabilities is result.probabilities
