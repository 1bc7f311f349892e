# SPDX-License-Identifier: Apache-2.0
from collections import Counter

import pytest
import torch
from monai.data import MetaTensor

from tomobundles.data.nodules import case_items, nodule_items, prepare_scan
from tomobundles.data.nodules.epochs import bin_weight, checked_bins
from tomobundles.utils import InputError


def item(name, *diameters):
    nodules = [[0, 0, index, diameter] for index, diameter in enumerate(diameters)]
    return {"image": name, "label": {"nodules": nodules, "excluded": []}}


def visits(items, **options):
    return Counter(one["image"] for one in nodule_items(items, **options))


def test_scans_are_visited_by_the_weight_of_their_nodules():
    """Weights 1, 2 and 1 + 1 + 2 = 4: of 14 visits 2, 4 and 8."""
    items = [item("a", 5), item("b", 10), item("c", 3, 9.9, 30)]
    assert visits(items, crops=28, crops_per_visit=2) == {"a": 2, "b": 4, "c": 8}
    assert visits(items, crops=28, crops_per_visit=2, size_bins=[[10, 1]]) == {"b": 7, "c": 7}


def test_scans_without_nodules_get_their_share():
    items = [item("a", 5), item("b"), item("c"), {"image": "d"}]
    assert visits(items, crops=30, random_share=0.3) == {"a": 21, "b": 3, "c": 3, "d": 3}
    assert visits(items, crops=30, random_share=0) == {"a": 30}
    assert visits([item("a", 5)], crops=30, random_share=0.3) == {"a": 30}


def test_every_scan_is_visited_and_remainders_are_given_out():
    items = [item("a", 5), *(item(f"b{index}", 50) for index in range(5))]
    assert visits(items, crops=5, size_bins=[[0, 1], [10, 100]])["a"] == 1
    assert sum(visits([item("a", 5), item("b", 5), item("c", 5)], crops=7).values()) == 7
    assert visits([item("a", 5), *(item(str(index)) for index in range(9))], crops=4)["8"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crops": 0}, "0 crops an epoch"),
        ({"crops": 4, "crops_per_visit": 0}, "0 a visit"),
        ({"crops": 4, "batch_size": 5}, "do not fill a batch of 5"),
        ({"crops": 4, "random_share": 1.0}, "random_share 1.0"),
        ({"crops": 4, "size_bins": []}, "size_bins"),
        ({"crops": 4, "size_bins": [[0, -1]]}, "size_bins"),
        ({"crops": 4, "size_bins": [[0, 1], [0, 2]]}, "size_bins"),
        ({"crops": 4, "size_bins": [[0]]}, "size_bins"),
        ({"crops": 4, "size_bins": 3}, "size_bins"),
        ({"crops": 4, "size_bins": [[10, 1]]}, r"no nodule at all in training data \(1 scans\)"),
    ],
)
def test_epochs_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        nodule_items([item("a", 5)], **options)


@pytest.mark.parametrize("items", [[], [item("a"), item("b")], [{"image": "a", "label": "mask.nii.gz"}]])
def test_no_nodule_at_all(items):
    with pytest.raises(InputError, match="no nodule at all in training data"):
        nodule_items(items, crops=4)


def test_bins():
    bins = checked_bins([[10, 2], [0, 1]])
    assert [bin_weight(diameter, bins) for diameter in (0, 9.99, 10, 99)] == [1, 1, 2, 2]
    assert bin_weight(3, [(5.0, 1.0)]) == 0


def test_names_of_cases():
    items = [
        item("x/1.2.3.mhd"),
        item("y/1.2.3.mhd") | {"seriesuid": "A"},
        item("z") | {"series_uid": "9"},
    ]
    found = case_items([*items, item("w.nii.gz") | {"name": "kept"}])
    assert [one["name"] for one in found] == ["x_1.2.3", "y_1.2.3", "9", "kept"]
    assert [one["seriesuid"] for one in found] == ["1.2.3", "A", "9", "w"]
    with pytest.raises(InputError, match="two scans are named 9"):
        case_items([items[2], item("z") | {"series_uid": "9"}])
    with pytest.raises(InputError, match=r"w\.mhd\nthis scan has no label"):
        case_items([items[0], {"image": "w.mhd"}])


def test_a_scan_for_an_evaluator():
    image = MetaTensor(torch.ones(1, 2, 3, 4, dtype=torch.uint8), affine=2 * torch.eye(4))
    batch, label = prepare_scan({"image": image}, None, non_blocking=True, extra=1)
    assert label is None
    assert (batch.shape, batch.dtype) == ((1, 1, 2, 3, 4), torch.uint8)
    torch.testing.assert_close(batch.affine, image.affine)
    assert prepare_scan({"image": image}, "cpu")[0].shape == (1, 1, 2, 3, 4)
