# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.data.slice_labels import (
    ALIASES,
    CLASS_NAMES,
    CLASSES,
    canonical_class,
    check_label,
    complete_study,
    knows_slices,
    label_gaps,
)
from tomobundles.utils import InputError

NONE = dict.fromkeys(CLASSES, 0)


def test_every_source_reaches_only_known_classes():
    assert CLASS_NAMES == ("IPH", "IVH", "SAH", "SDH", "EDH", "any")
    for source, table in ALIASES.items():
        assert set(CLASSES) <= set(table.values()) <= set(CLASS_NAMES), source
        for alias, name in table.items():
            assert canonical_class(alias.upper(), source=source) == name


def test_ich_means_another_thing_in_each_source():
    assert canonical_class("ich", source="contest") == "IPH"  # intracerebral
    assert canonical_class("ICH", source="cq500") == "any"  # intracranial
    with pytest.raises(InputError, match="ambiguous"):
        canonical_class("ICH")


def test_names_of_own_data():
    assert [canonical_class(name) for name in (" iph ", "Epidural", "extradural", "ANY")] == [
        "IPH",
        "EDH",
        "EDH",
        "any",
    ]
    with pytest.raises(InputError, match=r"(?s)no class 'SHD'.*IPH, IVH, SAH, SDH, EDH, any"):
        canonical_class("SHD")
    with pytest.raises(InputError, match="no source 'mine'"):
        canonical_class("IPH", source="mine")


def test_a_label_gets_canonical_names_and_keeps_unknowns():
    label = {"slices": {3: {"subdural": True, "EDH": None}}, "study": {"any": 1.0}}
    assert check_label(label) == {"slices": {"3": {"SDH": 1, "EDH": None}}, "study": {"any": 1}}
    assert check_label({"study": {}}) == {"study": {}}
    assert check_label({"slices": {}}) == {"slices": {}}


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("IPH", "not a label"),
        ({}, "not a label"),
        ({"slice": {}}, "not a label"),
        ({"slices": [1]}, "slices of a label is not a mapping"),
        ({"slices": {"a": 1}}, "slice a: not a mapping"),
        ({"study": None}, "study: not a mapping"),
        ({"study": {"SHD": 1}}, "study: no class 'SHD'"),
        ({"study": {"ICH": 1}}, "study: 'ICH' is ambiguous"),
        ({"slices": {"a": {"SDH": 1, "subdural": 1}}}, "slice a: SDH is given twice"),
        ({"slices": {"a": {"SDH": 2}}}, "slice a: SDH is 2"),
        ({"slices": {"a": {"SDH": "1"}}}, "slice a: SDH is '1'"),
        ({"slices": {"a": {"SDH": float("nan")}}}, "slice a: SDH is nan"),
        ({"slices": {"a": {"SDH": [1]}}}, r"slice a: SDH is \[1\]"),
        ({"slices": {"a": {"any": 0, "SDH": 1}}}, "slice a: any is 0 but SDH is 1"),
        ({"slices": {"a": NONE | {"any": 1}}}, "slice a: any is 1 but all five classes are 0"),
        ({"study": {"any": 0, "EDH": 1}}, "study: any is 0 but EDH is 1"),
        ({"study": {"SDH": 0}, "slices": {"a": {"SDH": 1}}}, "slice a: SDH is 1, but the study"),
        ({"study": {"any": 0}, "slices": {"a": {"SDH": 1}}}, "slice a: SDH is 1, but the study"),
        ({"study": NONE, "slices": {"a": {"any": 1}}}, "slice a: any is 1, but the study"),
    ],
)
def test_labels_of_another_form_or_that_contradict_themselves(label, message):
    with pytest.raises(InputError, match=rf"(?s)scan\.nii.*{message}"):
        check_label(label, path="scan.nii")


def test_a_study_without_any_bleed_has_none_of_any_class():
    zeros = dict.fromkeys(CLASS_NAMES, 0)
    assert complete_study({"any": 0}) == zeros
    assert complete_study(NONE) == zeros
    assert complete_study({"IPH": 0, "any": None}) == {"IPH": 0, "any": None}


def test_what_counts_as_knowing_slices():
    assert not knows_slices({"study": {"IPH": 1}})
    assert not knows_slices({"slices": {"a": {"IPH": None}}})
    assert knows_slices({"slices": {"a": {"IPH": None}, "b": {"any": 0}}})


def test_gaps_of_one_and_two_slices():
    nan = np.nan
    table = np.zeros((6, 7))
    table[0] = [1, 0, 1, 0, 0, 1, 0]  # 101 and 1001
    table[1] = [1, 0, 0, 0, 1, 1, 0]  # three in between: two bleeds
    table[2] = [1, nan, 1, 0, nan, 1, 0]  # unknown: nothing to say
    table[5] = [0, 0, 1, 1, 0, 1, 0]
    gaps = [("IPH", 1, 1), ("IPH", 3, 4), ("any", 4, 4)]
    assert label_gaps(table) == gaps
    assert label_gaps(torch.as_tensor(table)) == gaps
    assert label_gaps(table, class_names=CLASSES, max_gap=1) == gaps[:1]
    assert label_gaps(np.zeros((6, 1))) == []
    # the same gap read backwards is the same gap
    assert [(name, 6 - last, 6 - first) for name, first, last in label_gaps(table[:, ::-1])][:2] == gaps[
        1::-1
    ]
