# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from tomobundles.losses import VesselDice, VesselSurfaceLoss
from tomobundles.losses.vessel_dice import soft_dice
from tomobundles.losses.vessel_surface import cube_least, cube_probabilities, neighbour_code
from tomobundles.utils import InputError

CORNER = math.sqrt(3) / 8  # a triangle that cuts one corner off at half the edges
TINY = 1e-9


def logits_of(p: Tensor) -> Tensor:
    return p.double().logit()


def label(target: Tensor, weight: Tensor | None = None) -> Tensor:
    return torch.cat([target, torch.ones_like(target) if weight is None else weight], dim=1).double()


def tube(radius: float, *, shift: int = 0, size: int = 32) -> Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size) - shift, indexing="ij")
    disc = (y - size / 2) ** 2 + (x - size / 2) ** 2 <= radius**2
    return disc.double().expand(1, 3, size, size).clone()


def test_cube_probabilities_by_hand() -> None:
    p = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]).view(1, 2, 2, 2)
    vessel, background = cube_probabilities(logits_of(p))
    assert vessel.item() == pytest.approx(0.9 * 0.8 * 0.7 * 0.6 * 0.5 * 0.4 * 0.3 * 0.2)
    assert background.item() == pytest.approx(0.1 * 0.2 * 0.3 * 0.4 * 0.5 * 0.6 * 0.7 * 0.8)


def test_codes_and_areas_by_hand() -> None:
    area = VesselSurfaceLoss().area
    voxels = {128: (0, 0, 0), 64: (0, 0, 1), 32: (0, 1, 0), 16: (0, 1, 1)}
    voxels |= {8: (1, 0, 0), 4: (1, 0, 1), 2: (1, 1, 0), 1: (1, 1, 1)}
    for code, (z, y, x) in voxels.items():
        cube = torch.zeros(1, 2, 2, 2)
        cube[0, z, y, x] = 1
        assert neighbour_code(cube).item() == code
        assert neighbour_code(1 - cube).item() == 255 - code
        assert area[code].item() == area[255 - code].item() == pytest.approx(CORNER)
    for axis in range(3):  # one half vessel: a unit square between; an edge: a rectangle of 1 by sqrt(1/2)
        half = torch.zeros(1, 2, 2, 2)
        half.select(axis + 1, 0).fill_(1)
        assert area[neighbour_code(half)].item() == pytest.approx(1)
        edge = half.clone()
        edge.select((axis + 1) % 3 + 1, 0).fill_(0)
        assert area[neighbour_code(edge)].item() == pytest.approx(math.sqrt(0.5))
    assert (area == 0).nonzero().flatten().tolist() == [0, 255]


def test_cube_least() -> None:
    weight = torch.ones(1, 3, 3, 3)
    weight[0, 0, 0, 0], weight[0, 2, 2, 2] = 0.5, 0
    least = cube_least(weight)
    assert least.shape == (1, 2, 2, 2)
    assert (least[0, 0, 0, 0], least[0, 1, 1, 1]) == (0.5, 0)
    assert least.sum() == 6.5


def dice(p: list[float], t: list[float], w: list[float], s: float) -> float:
    overlap = sum(a * b * c for a, b, c in zip(p, t, w, strict=True))
    return (2 * overlap + s) / (sum((a + b) * c for a, b, c in zip(p, t, w, strict=True)) + s)


def test_two_cubes_by_hand() -> None:
    # 2 x 2 pixels, so a cube between each two slices. Target: the last slice is vessel; cube 1 is background,
    # cube 2 a half (area 1). The voxels of the slices have p 0.1, 0.2, 0.9.
    target = torch.zeros(1, 3, 2, 2)
    target[0, 2] = 1
    p = torch.tensor([0.1, 0.2, 0.9]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    vessel = [0.1**4 * 0.2**4, 0.2**4 * 0.9**4]
    background = [0.9**4 * 0.8**4, 0.8**4 * 0.1**4]
    surface = [1 - a - b for a, b in zip(vessel, background, strict=True)]
    ones, s = [1.0, 1.0], 0.5
    for false_area in (0, 1, 0.7):
        terms = (
            dice(vessel, [0, 0], ones, s),
            dice(background, [1, 0], ones, s),
            dice(surface, [0, 1], [false_area, 1], s),
        )
        loss = VesselSurfaceLoss(smooth=s, false_area=false_area)
        assert loss(logits_of(p), label(target)).item() == pytest.approx(1 - sum(terms) / 3, rel=1e-6)


def test_area_weighs_by_hand() -> None:
    # 2 x 3 pixels: the target is one corner voxel of the centre slice and the last slice's left pixels.
    target = torch.zeros(1, 3, 2, 3)
    target[0, 2, :, 0], target[0, 1, 0, 2] = 1, 1
    p = torch.rand(1, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    cubes = list(itertools.product(range(2), range(1), range(2)))

    def values(z: int, y: int, x: int) -> list[float]:
        return p[0, z : z + 2, y : y + 2, x : x + 2].flatten().tolist()

    vessel = [math.prod(values(*cube)) for cube in cubes]
    background = [math.prod(1 - v for v in values(*cube)) for cube in cubes]
    surface = [1 - a - b for a, b in zip(vessel, background, strict=True)]
    # Cubes of slice and column (0, 0), (0, 1), (1, 0), (1, 1): nothing; the corner; an edge; the corner, as
    # the left pixels are out of that cube. A false surface counts 1.
    price = [1, CORNER, math.sqrt(0.5), CORNER]
    ones = [1.0] * 4
    terms = (
        dice(vessel, [0] * 4, ones, 1),
        dice(background, [1, 0, 0, 0], ones, 1),
        dice(surface, [0, 1, 1, 1], price, 1),
    )
    actual = VesselSurfaceLoss()(logits_of(p), label(target)).item()
    assert actual == pytest.approx(1 - sum(terms) / 3, rel=1e-5)


def test_squares_of_one_slice_by_hand() -> None:
    # 2 x 3 pixels of the centre slice: the left column is vessel, so the left square is a wall of area 1.
    # p of the columns 0.9, 0.4, 0.2; the neighbouring slices say something else and do not matter.
    target = torch.ones(1, 3, 2, 3)
    target[0, 1, :, 1:] = 0
    p = torch.tensor([0.9, 0.4, 0.2]).expand(1, 1, 2, 3)
    vessel = [0.9**2 * 0.4**2, 0.4**2 * 0.2**2]
    background = [0.1**2 * 0.6**2, 0.6**2 * 0.8**2]
    surface = [1 - a - b for a, b in zip(vessel, background, strict=True)]
    ones = [1.0, 1.0]
    terms = dice(vessel, [0, 0], ones, 1), dice(background, [0, 1], ones, 1), dice(surface, [1, 0], ones, 1)
    actual = VesselSurfaceLoss()(logits_of(p), label(target)).item()
    assert actual == pytest.approx(1 - sum(terms) / 3, rel=1e-6)


def test_one_slice_between_true_neighbours() -> None:
    target = tube(4)
    centre = torch.randn(1, 1, 32, 32, dtype=torch.double)
    stack = (2 * target - 1) * 1e4
    stack[:, 1:2] = centre
    loss = VesselSurfaceLoss(neighbours="target")
    torch.testing.assert_close(loss(centre, label(target)), loss(stack, label(target)))


def test_weights_by_hand() -> None:
    # As the two cubes, but a voxel of the last slice is not known: only cube 1 is left.
    target = torch.zeros(1, 3, 2, 2)
    target[0, 2] = 1
    weight = torch.ones(1, 3, 2, 2)
    weight[0, 2, 1, 0] = 0
    p = torch.tensor([0.1, 0.2, 0.9]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    vessel, background = 0.1**4 * 0.2**4, 0.9**4 * 0.8**4
    surface = 1 - vessel - background
    terms = (dice([vessel], [0], [1], 1), dice([background], [1], [1], 1), dice([surface], [0], [1], 1))
    actual = VesselSurfaceLoss()(logits_of(p), label(target, weight)).item()
    assert actual == pytest.approx(1 - sum(terms) / 3, rel=1e-6)


def surface_term(prediction: Tensor, target: Tensor) -> float:
    """The third Dice of a prediction of 0 and 1: what is left of the loss without the other two."""
    logits = (2 * prediction - 1) * 60
    vessel, background = cube_probabilities(logits)
    code, ones = neighbour_code(target), torch.ones_like(vessel)
    options = {"smooth": TINY, "per_sample": False}
    first = soft_dice(vessel, (code == 255).double(), ones, **options)
    second = soft_dice(background, (code == 0).double(), ones, **options)
    loss = VesselSurfaceLoss(smooth=TINY)(logits, label(target))
    return (3 * (1 - loss) - first - second).item()


@pytest.mark.parametrize("radius", [1.5, 3, 6, 12])
@pytest.mark.parametrize(("grow", "shift"), [(0, 1), (1, 0), (-0.5, 2)])
def test_surface_term_is_close_to_the_metric(radius: float, grow: float, shift: int) -> None:
    target, prediction = tube(radius), tube(radius + grow, shift=shift)
    area = VesselSurfaceLoss().area.double()
    t, p = area[neighbour_code(target)], area[neighbour_code(prediction)]
    metric = ((t + p)[(t > 0) & (p > 0)].sum() / (t + p).sum()).item()
    assert surface_term(prediction, target) == pytest.approx(metric, abs=0.08)


@pytest.mark.parametrize("radius", [1.5, 3, 6, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_shift_costs_more_than_in_dice(radius: float, channels: int) -> None:
    """Each as a share of what it costs to find nothing."""
    target, shifted = tube(radius), (2 * tube(radius, shift=1) - 1) * 60
    shares = []
    for loss in (VesselDice(smooth=TINY), VesselSurfaceLoss(smooth=TINY)):
        costs = [loss(z[:, 1:2] if channels == 1 else z, label(target)) for z in (shifted, shifted * 0 - 60)]
        shares.append((costs[0] / costs[1]).item())
    assert shares[1] > 1.3 * shares[0] > 0


def test_false_surfaces_cost_nothing_between_true_neighbours() -> None:
    # Why "repeat" and an area of 1 are the defaults: a tube one voxel too thick.
    target, logits = tube(6), (2 * tube(7)[:, 1:2] - 1) * 60
    cost = {}
    for neighbours, area in itertools.product(("repeat", "target"), (0, 1)):
        loss = VesselSurfaceLoss(neighbours=neighbours, false_area=area)
        cost[neighbours, area] = loss(logits, label(target)).item()
    assert cost["target", 0] < 0.01 < 0.1 < cost["target", 1] < 0.5 * cost["repeat", 1]
    assert 0.2 < cost["repeat", 0] < cost["repeat", 1]


def test_per_sample_is_the_mean_of_samples() -> None:
    target = torch.cat([tube(3), tube(6)])
    logits = torch.randn(2, 3, 32, 32, dtype=torch.double)
    each = [VesselSurfaceLoss()(logits[i : i + 1], label(target[i : i + 1])) for i in (0, 1)]
    torch.testing.assert_close(VesselSurfaceLoss(per_sample=True)(logits, label(target)), sum(each) / 2)
    assert VesselSurfaceLoss()(logits, label(target)) != sum(each) / 2


def test_the_table_is_not_saved() -> None:
    assert VesselSurfaceLoss().state_dict() == {}


def test_bad_smooth() -> None:
    with pytest.raises(InputError, match="smooth is 0"):
        VesselSurfaceLoss(smooth=0)


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_bad_false_area(value: float) -> None:
    with pytest.raises(InputError, match=r"false_area is .*\nGive 0 or more"):
        VesselSurfaceLoss(false_area=value)


def test_bad_neighbours() -> None:
    with pytest.raises(InputError, match="neighbours is 'none'\nUse one of repeat, target"):
        VesselSurfaceLoss(neighbours="none")
