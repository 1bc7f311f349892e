# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data import folds_by_patient, split_by_patient
from tomobundles.utils import InputError

ITEMS = [{"image": f"v{i}", "patient": f"P{i // 2}"} for i in range(10)]  # five patients, two volumes each


def _patients(items):
    return {item["patient"] for item in items}


def test_split_keeps_patients_whole_and_every_item():
    first, second = split_by_patient(ITEMS, fraction=0.4, seed=0)
    assert (len(_patients(first)), len(_patients(second))) == (3, 2)
    assert not _patients(first) & _patients(second)
    assert sorted(item["image"] for item in first + second) == [item["image"] for item in ITEMS]


def test_split_depends_on_the_seed_and_not_on_the_order():
    splits = [_patients(split_by_patient(ITEMS, fraction=0.4, seed=seed)[1]) for seed in range(8)]
    assert len({frozenset(split) for split in splits}) > 1
    assert _patients(split_by_patient(ITEMS[::-1], fraction=0.4, seed=0)[1]) == splits[0]


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_no_side_is_ever_empty(fraction):
    assert all(split_by_patient(ITEMS, fraction=fraction, seed=0))


def test_folds_validate_each_patient_once():
    folds = folds_by_patient(ITEMS, folds=3, seed=1)
    validated = [patient for _, held_out in folds for patient in _patients(held_out)]
    assert sorted(validated) == [f"P{i}" for i in range(5)]
    for training, held_out in folds:
        assert not _patients(training) & _patients(held_out)
        assert len(training) + len(held_out) == len(ITEMS)


def test_impossible_splits():
    with pytest.raises(InputError, match="not between 0 and 1"):
        split_by_patient(ITEMS, fraction=1.0, seed=0)
    with pytest.raises(InputError, match="needs two patients"):
        split_by_patient(ITEMS[:2], fraction=0.5, seed=0)
    with pytest.raises(InputError, match="6 folds cannot be made of 5 patients"):
        folds_by_patient(ITEMS, folds=6, seed=0)
