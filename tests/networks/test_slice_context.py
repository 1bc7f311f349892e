# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tomobundles.networks import GRUContext, KernelContext, LearnedKernelContext
from tomobundles.networks.slice_context import kernel_matrix
from tomobundles.utils import InputError

NOTHING = torch.zeros(1, 2, 5)  # features, which kernels do not look at


def logits(*values: float) -> Tensor:
    return torch.tensor([[[float(value) for value in values]]])


def random(classes: int = 5, depth: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, classes, depth, generator=generator), torch.randn(2, 8, depth, generator=generator)


@pytest.mark.parametrize("context", [KernelContext(), LearnedKernelContext(1)])
@pytest.mark.parametrize(
    ("pattern", "centre"),
    [
        ("00100", -0.9),  # 3 * (0.5 - 0.8): a finding on one slice is erased
        ("01010", -0.3),  # 3 * (0.6 - 0.7)
        ("10101", 0.3),  # 3 * (0.7 - 0.6): gaps are filled
        ("11011", 0.9),
        ("11111", 3.9),
    ],
)
def test_what_becomes_of_one_slice(context, pattern: str, centre: float) -> None:
    scan = logits(*(3.0 if mark == "1" else -3.0 for mark in pattern))
    assert context(scan, NOTHING)[0, 0, 2].item() == pytest.approx(centre, abs=1e-6)


def test_ends_replicate() -> None:
    # first slice: 1 * (0.1 + 0.3 + 0.5) + 2 * 0.3 + 4 * 0.1 = 1.9; last: 4 * 0.9 + 2 * 0.3 + 1 * 0.1
    smoothed = KernelContext()(logits(1, 2, 4), NOTHING)
    torch.testing.assert_close(smoothed[0, 0, [0, 2]], torch.tensor([1.9, 4.3]))
    assert KernelContext()(logits(2), NOTHING).item() == pytest.approx(2.6)


def test_gain() -> None:
    assert KernelContext().gain == pytest.approx(1.3)
    assert KernelContext(weights=[0.25, 0.5, 0.25]).gain == 1
    torch.testing.assert_close(LearnedKernelContext(2).gain, torch.tensor([1.3, 1.3]))
    assert GRUContext(5).gain == 1


def test_one_weight_scales() -> None:
    torch.testing.assert_close(KernelContext(weights=[2])(logits(1, -3), NOTHING), logits(2, -6))


def test_kernel_is_in_no_state_dict() -> None:
    assert not KernelContext(tap_mm=5).state_dict()


@pytest.mark.parametrize("places", [torch.arange(12) * 5.0, -80.5 - torch.arange(12) * 5.0])
def test_slices_one_tap_apart_have_the_plain_kernel(places: Tensor) -> None:
    scan, features = random()
    expected = KernelContext()(scan, features)
    found = KernelContext(tap_mm=5)(scan, features, positions_mm=places)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    assert torch.equal(KernelContext(tap_mm=5)(scan, features), expected)


def test_a_little_jitter_changes_little() -> None:
    scan, features = random()
    places = torch.arange(12) * 5.0 + torch.linspace(-0.01, 0.01, 12).flip(0)
    found = KernelContext(tap_mm=5)(scan, features, positions_mm=places)
    torch.testing.assert_close(found, KernelContext()(scan, features), atol=0.02, rtol=0)


def test_weights_by_distance() -> None:
    # slices 10 mm apart, taps 5 mm: weights .5 at 0 and .1 at 10 mm on each side, scaled from .7 to 1.3
    matrix = kernel_matrix(torch.arange(5) * 10.0, taps=torch.tensor([0.5, 0.3, 0.1]), tap_mm=5)
    expected = torch.tensor([0.0, 0.1, 0.5, 0.1, 0.0]).double() * 1.3 / 0.7
    torch.testing.assert_close(matrix[2], expected, atol=1e-6, rtol=1e-6)
    # the first slice also has the weight of its copy before it
    expected = torch.tensor([0.6, 0.1, 0.0, 0.0, 0.0]).double() * 1.3 / 0.7
    torch.testing.assert_close(matrix[0], expected, atol=1e-6, rtol=1e-6)


def test_thin_slices_are_smoothed_over_the_same_length() -> None:
    # 2.5 mm: half-way weights .4 (between .5 and .3), .2, and .05 (between .1 and 0); together 2.6 -> 1.3
    matrix = kernel_matrix(torch.arange(15) * 2.5, taps=torch.tensor([0.5, 0.3, 0.1]), tap_mm=5)
    side = torch.tensor([0.4, 0.3, 0.2, 0.1, 0.05])
    expected = torch.cat([torch.zeros(2), side.flip(0), torch.tensor([0.5]), side, torch.zeros(2)]) / 2
    torch.testing.assert_close(matrix[7].float(), expected)


def test_thick_slices_stay_alone() -> None:
    scan, features = random()
    found = KernelContext(tap_mm=1)(scan, features, positions_mm=torch.arange(12) * 5.0)
    torch.testing.assert_close(found, scan * 1.3)


def test_a_missing_slice_is_a_gap() -> None:
    # 0, 5, 15, 20 mm: the slice at 5 has neighbours at 5 mm (.3) and 10 mm (.1), and a copy of the first at
    # 10 mm (.1); .5 + .3 + .1 + .1 = 1.0 and the slice at 20 mm is 15 mm away
    matrix = kernel_matrix(torch.tensor([0.0, 5.0, 15.0, 20.0]), taps=torch.tensor([0.5, 0.3, 0.1]), tap_mm=5)
    torch.testing.assert_close(matrix[1].float(), torch.tensor([0.4, 0.5, 0.1, 0.0]) * 1.3)


@pytest.mark.parametrize("gap", [0.625, 3.0, 4.8, 7.0])
def test_every_slice_has_the_whole_weight(gap: float) -> None:
    matrix = kernel_matrix(torch.arange(30).double() * gap, taps=torch.tensor([0.5, 0.3, 0.1]), tap_mm=5)
    torch.testing.assert_close(matrix.sum(1).float(), torch.full((30,), 1.3))
    torch.testing.assert_close(matrix, matrix.flip(0).flip(1))


def test_one_slice_has_no_distances() -> None:
    found = KernelContext(tap_mm=5)(logits(2), NOTHING, positions_mm=torch.zeros(1))
    assert found.item() == pytest.approx(2.6)


def test_precision_under_autocast() -> None:
    scan, features = random()
    places = torch.arange(12) * 4.0
    for context in (KernelContext(), KernelContext(tap_mm=5), LearnedKernelContext(5)):
        expected = context(scan, features, positions_mm=places)
        with torch.autocast("cpu", torch.bfloat16):
            found = context(scan, features, positions_mm=places)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
        assert context(scan.bfloat16(), features).dtype == torch.float32


def test_learned_kernel_starts_at_the_fixed_one_and_stays_symmetric() -> None:
    scan, features = random()
    context = LearnedKernelContext(5)
    torch.testing.assert_close(context(scan, features), KernelContext()(scan, features))
    optimizer = torch.optim.SGD(context.parameters(), lr=0.1)
    (context(scan, features) ** 2)[:, :2].sum().backward()
    optimizer.step()
    impulse = torch.zeros(1, 5, 9)
    impulse[..., 4] = 1
    response = context(impulse, features)
    torch.testing.assert_close(response, response.flip(-1))
    torch.testing.assert_close(response.sum(-1)[0], context.gain)
    assert context.gain[0] != context.gain[2]  # classes learn apart
    assert context.gain[4] == pytest.approx(1.3)
    assert context.state_dict().keys() == {"taps"}


def test_gru_starts_as_identity_and_learns() -> None:
    scan, features = random()
    context = GRUContext(5, features=8, hidden=4)
    assert torch.equal(context(scan, features), scan)
    optimizer = torch.optim.Adam(context.parameters(), lr=0.05)
    for _ in range(2):  # the last layer first: until it has moved, nothing reaches the rest
        optimizer.zero_grad()
        context(scan, features).square().sum().backward()
        optimizer.step()
    assert all(parameter.grad.any() for parameter in context.parameters())
    moved = scan.clone()
    moved[..., 0] += 1  # the first slice reaches the last, and the last the first
    assert not torch.equal(context(moved, features)[..., -1], context(scan, features)[..., -1])
    assert not torch.equal(context(scan, features.flip(-1))[..., 0], context(scan, features)[..., 0])


def test_gru_under_autocast() -> None:
    scan, features = random()
    context = GRUContext(5, features=8, hidden=4)
    torch.nn.init.normal_(context.out.weight)
    with torch.autocast("cpu", torch.bfloat16):
        found = context(scan, features.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, context(scan, features), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.1, 0.5, 0.3], [], [float("nan")]])
@pytest.mark.parametrize(
    "build", [lambda w: KernelContext(weights=w), lambda w: LearnedKernelContext(5, weights=w)]
)
def test_bad_weights(build, weights: list[float]) -> None:
    with pytest.raises(InputError, match="an odd number of them, symmetric"):
        build(weights)


def test_bad_kernel() -> None:
    for weights in ([-0.1, 0.5, -0.1], [0.5, 0.0, 0.5]):
        with pytest.raises(InputError, match="none below 0, and a positive centre"):
            KernelContext(weights=weights)
    with pytest.raises(InputError, match="tap_mm is 0"):
        KernelContext(tap_mm=0)


def test_bad_positions() -> None:
    context = KernelContext(tap_mm=5)
    for places in ([0, 5, 3], [0, 0, 0], [0, 5, float("nan")]):
        with pytest.raises(InputError, match="not in order"):
            context(logits(1, 2, 3), NOTHING, positions_mm=torch.tensor(places, dtype=torch.float64))
    with pytest.raises(InputError, match=r"slice positions are \(2,\), not one for each of 3"):
        context(logits(1, 2, 3), NOTHING, positions_mm=torch.tensor([0.0, 5.0]))
