# SPDX-License-Identifier: Apache-2.0
"""The detection loss against its formula."""

from __future__ import annotations

import math

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tomobundles.losses import MisclassifiedWeights, NoduleDetectionLoss
from tomobundles.utils import InputError

ANCHORS = [5, 10]


def label(*crops: list[tuple[float, ...]]) -> Tensor:
    padded = torch.zeros(len(crops), 16, 5)
    for rows, crop in zip(crops, padded, strict=True):
        for number, row in enumerate(rows):
            crop[number] = torch.tensor(row)
    return padded


def maps(batch: int = 1, logit: float = -3.0, cells: int = 6) -> Tensor:
    """A network's output with one logit everywhere and codes of zero."""
    output = torch.zeros(batch, 10, cells, cells, cells)
    output[:, ::5] = logit
    return output


def ln(x: float) -> float:
    return math.log(x)


def softplus(x: float) -> float:
    return ln(1 + math.exp(x))


NODULE = (10.0, 9.5, 9.0, 6.0, 1.0)  # nearest cell 2, 2, 2 at 9.5, anchor 5


def test_by_hand() -> None:
    output = maps()
    output[0, 0, 2, 2, 2] = 0.7  # the positive
    output[0, 0, 5, 5, 5] = 1.5  # two hard negatives far away
    output[0, 5, 0, 0, 5] = -0.5
    output[0, 1:5, 2, 2, 2] = torch.tensor([0.1, 2.0, -0.1, 0.0])
    loss = NoduleDetectionLoss(ANCHORS, positive_iou=1.0, negative_pool=10_000, hard_negatives=2)
    value = loss(output, label([NODULE]))
    positive, negative = softplus(-0.7), (softplus(1.5) + softplus(-0.5)) / 2
    # codes (0.1, 0, -0.1, ln 1.2): errors 0, 2 -> 1.5, 0, ln 1.2 -> half its square
    box = 1.5 + 0.5 * ln(1.2) ** 2
    assert loss.terms["positive"].item() == pytest.approx(positive)
    assert loss.terms["negative"].item() == pytest.approx(negative)
    assert loss.terms["box"].item() == pytest.approx(box)
    assert value.item() == pytest.approx(0.5 * positive + 0.5 * negative + box)
    assert list(loss.terms) == ["positive", "negative", "box"]
    lighter = NoduleDetectionLoss(ANCHORS, positive_iou=1.0, negative_pool=10_000, box_weight=0.25)
    assert lighter(output, label([NODULE])).item() == pytest.approx(0.5 * positive + 0.5 * negative + box / 4)


def test_last_stage_by_hand() -> None:
    output = maps()
    output[0, 0, 2, 2, 2] = -0.7  # p = 0.332: misclassified
    output[0, 0, 5, 5, 5] = 1.5  # p = 0.818: misclassified
    output[0, 5, 0, 0, 5] = -0.5
    loss = NoduleDetectionLoss(
        ANCHORS, positive_iou=1.0, negative_pool=10_000, weighting=MisclassifiedWeights(lambda_=2, easy=0.25)
    )
    loss(output, label([NODULE]))
    p, q = 1 / (1 + math.exp(0.7)), 1 / (1 + math.exp(-1.5))
    assert loss.terms["positive"].item() == pytest.approx((1 + 2 * (1 - p)) * softplus(0.7))
    # over the number of negatives, not over the sum of weights
    expected = ((1 + 2 * q) * softplus(1.5) + 0.25 * softplus(-0.5)) / 2
    assert loss.terms["negative"].item() == pytest.approx(expected)


def test_weights_of_one_are_the_first_formula_exactly() -> None:
    torch.manual_seed(0)
    rows = label([NODULE], [(3, 4, 5, 11, 1), (20, 20, 20, 8, -1)])
    outcomes = []
    for weighting in (None, MisclassifiedWeights(lambda_=0.0, easy=1.0)):
        output = (torch.randn(2, 10, 6, 6, 6, generator=torch.Generator().manual_seed(1))).requires_grad_()
        loss = NoduleDetectionLoss(ANCHORS, weighting=weighting).eval()
        value = loss(output, rows)
        value.backward()
        outcomes.append((value.detach(), output.grad))
    assert torch.equal(outcomes[0][0], outcomes[1][0])
    assert torch.equal(outcomes[0][1], outcomes[1][1])


def test_the_hardest_come_from_the_whole_batch() -> None:
    output = maps(batch=2)
    output[1, 0, 5, 5, :4] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    loss = NoduleDetectionLoss(ANCHORS, negative_pool=10_000, hard_negatives=2)
    loss(output, label([], []))
    expected = sum(softplus(x) for x in (1.0, 2.0, 3.0, 4.0)) / 4
    assert loss.terms["negative"].item() == pytest.approx(expected)


def test_without_level_one_the_pool_counts() -> None:
    output = maps()
    output[0, 0, 5, 5, 5] = 3.0
    loss = NoduleDetectionLoss(ANCHORS, negative_pool=10_000, hard_negatives=None)
    loss(output, label([]))
    assert loss.terms["negative"].item() == pytest.approx((431 * softplus(-3.0) + softplus(3.0)) / 432)


def test_ignored_spheres_have_no_gradient() -> None:
    output = maps().requires_grad_()
    loss = NoduleDetectionLoss(ANCHORS, negative_pool=10_000, hard_negatives=None)
    loss(output, label([(9.5, 9.5, 9.5, 10, -1)])).backward()
    assert not output.grad[0, ::5, 2, 2, 2].any()
    assert output.grad[0, ::5, 5, 5, 5].all()
    assert not output.grad.unflatten(1, (2, 5))[:, :, 1:].any()


def test_no_nodule_in_the_batch() -> None:
    output = maps(batch=2).requires_grad_()
    loss = NoduleDetectionLoss(ANCHORS)
    value = loss(output, label([], []))
    assert value.item() == pytest.approx(0.5 * softplus(-3.0))
    assert loss.terms["positive"].item() == loss.terms["box"].item() == 0
    value.backward()
    assert output.grad.isfinite().all()


def test_nothing_but_ignored_is_a_zero_with_a_gradient() -> None:
    output = maps(cells=2).requires_grad_()
    value = NoduleDetectionLoss(ANCHORS)(output, label([(3.5, 3.5, 3.5, 12, -1)]))
    value.backward()
    assert value.item() == 0
    assert output.grad.eq(0).all()


@pytest.mark.parametrize("extreme", [-1e4, 1e4, 3e38, -3e38])
def test_extreme_outputs(extreme: float) -> None:
    for weighting in (None, MisclassifiedWeights()):
        output = maps()
        output[:, ::5] = extreme
        output[:, 4::5] = 1e4
        output.requires_grad_()
        loss = NoduleDetectionLoss(ANCHORS, weighting=weighting, hard_negatives=1)
        loss(output, label([NODULE])).backward()
        assert output.grad.isfinite().all()


def test_evaluation_repeats_and_training_draws() -> None:
    torch.manual_seed(0)
    output, rows = torch.randn(2, 10, 6, 6, 6), label([NODULE], [])
    loss = NoduleDetectionLoss(ANCHORS, negative_pool=20)
    assert len({loss(output, rows).item() for _ in range(5)}) > 1
    loss.eval()
    assert len({loss(output, rows).item() for _ in range(5)}) == 1
    assert NoduleDetectionLoss(ANCHORS, negative_pool=20, seed=1).eval()(output, rows) != loss(output, rows)


def test_half_precision_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    output, rows = torch.randn(1, 10, 6, 6, 6).bfloat16().requires_grad_(), label([NODULE])
    loss = NoduleDetectionLoss(ANCHORS).eval()
    expected = loss(output.detach().float(), rows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(MetaTensor(output), MetaTensor(rows))
    assert value.dtype == torch.float32
    assert type(value) is Tensor
    assert torch.equal(value, expected)
    value.backward()
    assert output.grad.dtype == torch.bfloat16


def test_gradients_by_differences() -> None:
    torch.manual_seed(0)
    output, rows = 2 * torch.randn(1, 10, 3, 3, 3), label([(5, 6, 7, 8, 1)])
    # Both draws hold all negatives; the function is float32, so the differences are coarse.
    loss = NoduleDetectionLoss(ANCHORS, hard_negatives=None, negative_pool=1000)
    output.requires_grad_()
    loss(output, rows).backward()
    direction = torch.randn_like(output)
    with torch.no_grad():
        step = 1e-2
        slope = (loss(output + step * direction, rows) - loss(output - step * direction, rows)) / (2 * step)
    assert slope.item() == pytest.approx((output.grad * direction).sum().item(), rel=2e-2)


def test_a_perfect_map_costs_next_to_nothing() -> None:
    loss = NoduleDetectionLoss(ANCHORS).eval()
    rows = label([NODULE, (20, 4, 13, 12, 1)])
    found = loss.targets(rows, (6, 6, 6))
    output = maps(logit=-20)
    for place, code in zip(found.places.tolist(), found.codes, strict=True):
        b, a, i, j, k = place
        output[b, 5 * a, i, j, k] = 20
        output[b, 5 * a + 1 : 5 * a + 5, i, j, k] = code
    assert loss(output, rows).item() < 1e-6


def test_from_a_config() -> None:
    config = {
        "loss": {
            "_target_": "tomobundles.losses.NoduleDetectionLoss",
            "anchors": [5, 10, 20],
            "weighting": {"_target_": "tomobundles.losses.MisclassifiedWeights", "lambda_": 2.0},
        }
    }
    loss = ConfigParser(config).get_parsed_content("loss")
    assert loss.weighting.lambda_ == 2.0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"negative_pool": 0}, "negative_pool is 0"),
        ({"hard_negatives": 0}, "hard_negatives is 0"),
        ({"anchors": []}, "anchors"),
        ({"ignore_iou": 2}, "ignore_iou"),
    ],
)
def test_refuses_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        NoduleDetectionLoss(**({"anchors": ANCHORS} | options))


@pytest.mark.parametrize(
    ("shape", "crops"), [((1, 15, 4, 4, 4), 1), ((1, 10, 4, 4), 1), ((2, 10, 4, 4, 4), 1)]
)
def test_refuses_shapes(shape: tuple[int, ...], crops: int) -> None:
    with pytest.raises(InputError, match="for 2 anchors"):
        NoduleDetectionLoss(ANCHORS)(torch.zeros(shape), torch.zeros(crops, 16, 5))


def test_refuses_labels_that_are_not_numbers() -> None:
    rows = label([NODULE])
    rows[0, 0, 1] = math.nan
    with pytest.raises(InputError, match="label row"):
        NoduleDetectionLoss(ANCHORS)(maps(), rows)


def test_cross_entropy_is_torchs() -> None:
    logits = torch.linspace(-30, 30, 61)
    loss = NoduleDetectionLoss(ANCHORS)
    for positive in (True, False):
        target = torch.full_like(logits, float(positive))
        expected = F.binary_cross_entropy_with_logits(logits, target)
        assert loss._cross_entropy(logits, positive=positive).item() == pytest.approx(expected.item())


def test_ignored_neighbours_learn_centre_and_size_alone() -> None:
    output = maps().requires_grad_()
    loss = NoduleDetectionLoss(ANCHORS, positive_iou=1.0, box_iou=0.1, negative_pool=10_000)
    loss(output, label([NODULE])).backward()
    gradient = output.grad.unflatten(1, (2, 5))[0]
    assert gradient[0, 0, 2, 2, 2] != 0
    # The next cell, its centre 3.5 voxels away, anchor 10: IoU 0.154, ignored.
    shared = (3 - (13.5 - 5 - 10.0)) * 6 * 6
    assert shared / (216 + 1000 - shared) == pytest.approx(0.154, abs=1e-3)
    assert gradient[1, 0, 3, 2, 2] == 0
    assert gradient[1, 1:, 3, 2, 2].any()
    found = loss.targets(label([NODULE]), (6, 6, 6))
    expected = F.smooth_l1_loss(torch.zeros_like(found.codes), found.codes, reduction="sum") / len(
        found.codes
    )
    assert loss.terms["box"].item() == pytest.approx(expected.item())
