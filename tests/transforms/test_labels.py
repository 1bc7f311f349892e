# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import IgnoreUnlabelledd, MapLabelsd, SlicePresenced
from tomobundles.transforms.labels import map_labels
from tomobundles.utils import InputError

GRAYS = {"255": 1, "191": 2, "128": 3}


def _volume(values, dtype=torch.uint8):
    """One row of values a slice, as (1, 1, W, D), slices contiguous."""
    slices = torch.tensor(values).to(dtype).unsqueeze(1)
    return MetaTensor(slices.movedim(0, -1).unsqueeze(0), meta={"filename_or_obj": "scan_label"})


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_grays_become_classes(dtype):
    label = MapLabelsd("label", mapping=GRAYS)({"label": _volume([[0, 255, 191], [128, 0, 255]], dtype)})[
        "label"
    ]
    assert label.dtype == torch.uint8
    assert label[0, 0].T.tolist() == [[0, 1, 2], [3, 0, 1]]
    assert label.meta["filename_or_obj"] == "scan_label"
    assert label[0].movedim(-1, 0).is_contiguous()


def test_classes_that_are_indices_already_are_not_copied():
    labels = torch.tensor([[0, 1], [2, 1]], dtype=torch.uint8)
    classes, unknown = map_labels(labels, {0: 0, 1: 1, 2: 2})
    assert classes.data_ptr() == labels.data_ptr()
    assert unknown == []


def test_a_single_class_and_an_ignored_value():
    mapping = {1: 1, 2: 1, 9: 255}
    assert map_labels(torch.tensor([0, 1, 2, 9], dtype=torch.uint8), {0: 0, **mapping})[0].tolist() == [
        0,
        1,
        1,
        255,
    ]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
def test_unknown_values_name_the_file(dtype):
    with pytest.raises(InputError, match=r"(?s)scan_label.*label values \[64, 65\]"):
        MapLabelsd("label", mapping=GRAYS)({"label": _volume([[0, 64, 65, 128]], dtype)})


def test_values_beyond_eight_bits():
    classes, unknown = map_labels(torch.tensor([0, 1000], dtype=torch.int32), {0: 0, 1000: 1})
    assert (classes.tolist(), unknown) == ([0, 1], [])
    assert map_labels(torch.tensor([0, 5], dtype=torch.uint8), {0: 0, 1000: 1})[1] == [5]


def test_background_of_a_partly_annotated_scan_is_unknown():
    transform = IgnoreUnlabelledd("label", num_classes=2)
    sample = {"label": _volume([[0, 1, 0]]), "labelled_classes": [1]}
    assert transform(sample)["label"].flatten().tolist() == [255, 1, 255]
    assert sample["label"].flatten().tolist() == [0, 1, 0]
    assert transform(sample | {"labelled_classes": [2, 1]})["label"] is sample["label"]
    assert transform({"label": sample["label"]})["label"] is sample["label"]


def test_presence_of_each_slice():
    sample = SlicePresenced("label", num_classes=3)({"label": _volume([[0, 1], [3, 3], [255, 0]])})
    # slice 0 has class 1, slice 1 class 3, slice 2 only the ignore label
    assert sample["presence"].tolist() == [[True, False, False], [False, False, False], [False, True, False]]
    transform = SlicePresenced("label", num_classes=3, allow_missing_keys=True)
    assert "presence" not in transform({"image": 1})
