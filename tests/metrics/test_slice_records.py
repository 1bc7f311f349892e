# SPDX-License-Identifier: Apache-2.0
"""What is kept of a study."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor

from tomobundles.metrics import SliceRecord, study_label_from_slices
from tomobundles.metrics.slice_records import join_records, make_record

NAN = math.nan


def prediction(slices: int, *, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = {"logits": 2, "context_logits": 2, "raw": 3, "context": 3, "calibrated_raw": 3, "calibrated": 3}
    made = {key: torch.rand(n, slices, generator=generator) for key, n in rows.items()}
    return made | {"patient": torch.rand(3, generator=generator), "cam": torch.zeros(2, 4, 4, slices)}


def test_it_keeps_scores_and_drops_pictures() -> None:
    given = prediction(4)
    record = make_record(given, None, None, classes=2, name="a")
    assert set(record.scores) == set(given) - {"cam"}
    assert all(torch.equal(value, given[key]) for key, value in record.scores.items())
    assert record.label.shape == (3, 4)
    assert record.label.isnan().all()
    assert record.study_label.isnan().all()
    assert record.patient == "a"
    assert make_record(given, None, None, classes=2, name="a", patient="p").patient == "p"


def test_without_context_its_logits_are_the_slices_own() -> None:
    logits = MetaTensor(torch.ones(2, 3, dtype=torch.bfloat16))
    record = make_record({"logits": logits}, None, None, classes=2)
    assert set(record.scores) == {"logits", "context_logits"}
    for value in record.scores.values():
        assert type(value) is Tensor
        assert value.dtype == torch.float32


def test_study_label_by_hand() -> None:
    label = torch.tensor([[0, 1, NAN], [0, 0, 0], [0, NAN, 0], [NAN, NAN, NAN]])
    np.testing.assert_array_equal(study_label_from_slices(label), [1, 0, NAN, NAN])


def test_a_study_label_goes_before_the_slices_own() -> None:
    label = torch.tensor([[0.0, 0.0], [NAN, 0.0], [0.0, 1.0]])
    record = make_record({"logits": torch.zeros(2, 2)}, label, torch.tensor([NAN, 1.0, NAN]), classes=2)
    assert record.study_label.tolist() == [0, 1, 1]


def test_a_record_survives_json() -> None:
    label = torch.tensor([[0, 1, NAN], [0, 0, 0], [0, 1, NAN]])
    record = make_record(prediction(3), label, None, classes=2, name="a", patient="p")
    copy = SliceRecord.from_lists(json.loads(json.dumps(record.as_lists())))
    assert (copy.name, copy.patient) == ("a", "p")
    assert copy.scores.keys() == record.scores.keys()
    pairs = [(record.scores[key], copy.scores[key]) for key in record.scores]
    for before, after in [*pairs, (record.label, copy.label), (record.study_label, copy.study_label)]:
        assert before.dtype == after.dtype == torch.float32
        np.testing.assert_array_equal(before, after)


def test_records_side_by_side() -> None:
    label = torch.tensor([[1.0], [0.0], [1.0]])
    records = [
        make_record(prediction(2), None, None, classes=2),
        make_record(prediction(1, seed=1), label, None, classes=2, patient="p"),
    ]
    joined = join_records(records)
    assert joined.label.shape == joined.scores["raw"].shape == (3, 3)
    assert joined.scores["logits"].shape == (2, 3)
    assert joined.scores["patient"].shape == joined.study_label.shape == (3, 2)
    assert joined.study_label[:, 1].tolist() == [1, 0, 1]
    assert joined.slice_patients == ["#0", "#0", "p"]
    assert joined.study_patients == ["#0", "p"]


def test_records_of_two_kinds_do_not_join() -> None:
    record = make_record(prediction(2), None, None, classes=2)
    other = make_record({"logits": torch.zeros(2, 2)}, None, None, classes=2)
    with pytest.raises(ValueError, match=r"studies must all have the same scores, not \[\('calibrated'"):
        join_records([record, other])
    with pytest.raises(ValueError, match=r"the same scores, not \[\]"):
        join_records([])


@pytest.mark.parametrize(
    ("key", "shape"), [("raw", (2, 4)), ("context_logits", (3, 4)), ("calibrated", (3, 5)), ("patient", (2,))]
)
def test_shapes_are_checked(key: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{key} must be of shape \(.*\), not "):
        make_record(prediction(4) | {key: torch.zeros(shape)}, None, None, classes=2)


def test_labels_are_checked() -> None:
    with pytest.raises(ValueError, match=r"label must be of shape \(3, 4\), not \(2, 4\)"):
        make_record(prediction(4), torch.zeros(2, 4), None, classes=2)
    with pytest.raises(ValueError, match=r"study_label must be of shape \(3,\), not \(2,\)"):
        make_record(prediction(4), None, torch.zeros(2), classes=2)
    with pytest.raises(ValueError, match="prediction has no 'logits' but raw"):
        make_record({"raw": torch.zeros(3, 4)}, None, None, classes=2)
    with pytest.raises(ValueError, match="prediction has no 'logits' but nothing"):
        make_record({}, None, None, classes=2)
