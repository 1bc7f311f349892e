# SPDX-License-Identifier: Apache-2.0
"""Presence of a class in a slice, and the area under the ROC curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.stats import mannwhitneyu

from tomobundles.metrics import per_volume_auc, pooled_auc, presence_from_label, slice_auc

NAN = float("nan")


def label_of_slices(*slices):
    return torch.tensor(slices, dtype=torch.uint8).permute(1, 2, 0)[None]


def test_presence_by_hand():
    label = label_of_slices([[0, 0], [0, 0]], [[1, 0], [0, 255]], [[0, 255], [0, 0]], [[2, 1], [0, 0]])
    # slice 1: class 1 is seen, class 2 might hide under the ignored pixel; slice 2: neither can be known
    expected = [[0, 1, NAN, 1], [0, NAN, NAN, 1]]
    presence = presence_from_label(label, num_classes=2)
    assert presence.dtype == torch.float32
    np.testing.assert_array_equal(presence, expected)
    np.testing.assert_array_equal(presence_from_label(MetaTensor(label[0].float()), num_classes=2), expected)


def test_presence_in_any_row():
    label = torch.zeros((1, 70, 3, 4), dtype=torch.uint8)  # more rows than are looked at together
    label[0, 69, 2, 1] = 1
    label[0, 0, 0, 3] = 1
    assert presence_from_label(label, num_classes=1).tolist() == [[0, 1, 0, 1]]


def test_presence_without_an_ignore_label():
    label = label_of_slices([[0, 3], [0, 0]])
    assert presence_from_label(label, num_classes=1, ignore_label=9).tolist() == [[0]]


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (4, 4), (1, 1, 4, 4, 3)])
def test_presence_needs_a_volume(shape):
    with pytest.raises(ValueError, match="label must be"):
        presence_from_label(torch.zeros(shape), num_classes=1)


def test_auc_by_hand_with_ties():
    # positives .8 .5 .5, negatives .5 .5 .1: of 9 pairs .8 wins 3, each .5 wins 1 and ties 2 (worth 1): 7
    scores = torch.tensor([[0.5, 0.8, 0.1, 0.5, 0.5, 0.5]])
    targets = torch.tensor([[1.0, 1.0, 0.0, 0.0, 1.0, 0.0]])
    assert slice_auc(scores, targets).tolist() == [pytest.approx(7 / 9, abs=1e-15)]


def test_auc_of_many_slices_is_exact():
    # 6001 positives all above 6001 negatives, but for the last, below all: 6000/6001. 36 million pairs are
    # more than single precision can count.
    scores = torch.arange(12002.0)[None]
    targets = (scores >= 6001).float()
    scores[0, -1] = -1
    assert slice_auc(scores, targets).tolist() == [6000 / 6001]


def test_auc_of_equal_scores_is_a_half():
    assert slice_auc(torch.zeros(1, 5), torch.tensor([[1.0, 0, 0, 0, 0]])).tolist() == [0.5]


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_auc_is_the_rank_statistic(levels):
    generator = torch.Generator().manual_seed(levels)
    scores = torch.randint(0, levels, (3, 80), generator=generator) / levels
    targets = torch.randint(0, 2, (3, 80), generator=generator).float()
    expected = []
    for score, target in zip(scores.numpy(), targets.numpy(), strict=True):
        positive, negative = score[target == 1].astype(float), score[target == 0].astype(float)
        expected.append(mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))
    np.testing.assert_allclose(slice_auc(scores, targets), expected, rtol=1e-12)


def test_auc_without_an_answer():
    scores = torch.tensor([[0.1, 0.2, 0.3]] * 4)
    targets = torch.tensor([[1.0, 1, 1], [0, 0, 0], [NAN, NAN, NAN], [NAN, 1, 1]])
    assert slice_auc(scores, targets).isnan().all()
    scores[0, 1] = NAN
    assert slice_auc(scores[:1], torch.tensor([[0.0, 0, 1]])).isnan().all()


def test_unknown_slices_are_left_out():
    # without the middle slice the ranking is perfect; with it as 0 it would be 1/2
    scores, targets = torch.tensor([[0.1, 0.9, 0.5]]), torch.tensor([[0.0, NAN, 1.0]])
    assert slice_auc(scores, targets).tolist() == [1.0]
    assert slice_auc(scores, targets.nan_to_num(0.0)).tolist() == [0.5]


def test_pooled_and_per_volume_differ():
    # each volume ranks perfectly (AUC 1) but on its own scale; pooled: positives .9 .3, negatives .8 .1
    # pairs: .9>.8 .9>.1 .3<.8 .3>.1 -> 3/4; the third volume is one-sided: it counts in the pool only,
    # as a negative of .5: .9>.5, .3<.5 -> 4/6
    scores = [torch.tensor([[0.9, 0.8]]), torch.tensor([[0.3, 0.1]]), torch.tensor([[0.5]])]
    targets = [torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0]])]
    assert pooled_auc(scores[:2], targets[:2]).tolist() == [0.75]
    assert pooled_auc(scores, targets).tolist() == [pytest.approx(4 / 6, abs=1e-15)]
    assert per_volume_auc(scores, targets).tolist() == [1.0]


def test_per_volume_mean_is_by_class():
    # class 0: AUC 1 and 0 -> 1/2; class 1: only the second volume is two-sided, AUC 1; class 2: none
    scores = [torch.tensor([[0.2, 0.1]] * 3), torch.tensor([[0.1, 0.2], [0.2, 0.1], [0.1, 0.2]])]
    targets = [torch.tensor([[1.0, 0], [1, 1], [0, 0]]), torch.tensor([[1.0, 0], [1, 0], [NAN, 1]])]
    np.testing.assert_array_equal(per_volume_auc(scores, targets), [0.5, 1.0, NAN])


def test_per_volume_does_not_hide_nan_scores():
    scores = [torch.tensor([[0.2, 0.1]]), torch.tensor([[NAN, 0.1]])]
    targets = [torch.tensor([[1.0, 0.0]])] * 2
    assert per_volume_auc(scores, targets).isnan().all()


def test_auc_shapes_must_agree():
    with pytest.raises(ValueError, match=r"scores \(1, 3\) and targets \(1, 2\) differ"):
        slice_auc(torch.zeros(1, 3), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="shorter"):
        per_volume_auc([torch.zeros(1, 3)] * 2, [torch.zeros(1, 3)])
