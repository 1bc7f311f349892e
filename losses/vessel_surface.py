# SPDX-License-Identifier: Apache-2.0
"""Differentiable stand-in for the surface Dice at tolerance 0."""

from __future__ import annotations

import torch
from monai.metrics.utils import create_table_neighbour_code_to_surface_area
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from .vessel_dice import check_smooth, soft_dice
from .vessel_label import SLICES, VesselTerm, check_number, split_label

_SURE = 1e4  # a logit whose sigmoid is 0 or 1 in any precision
_ALL = 255
NEIGHBOURS = ("repeat", "target")


class VesselSurfaceLoss(VesselTerm):
    r"""One minus the mean of three Dice over cubes of 2x2x2 voxels: vessel, background, surface.

    A cube is all vessel, all background, or is crossed by the surface, with probabilities

    .. math:: p_{fg} = \prod_{i=1}^8 p_i, \quad p_{bg} = \prod_{i=1}^8 (1 - p_i), \quad
              p_{surf} = 1 - p_{fg} - p_{bg}

    The metric adds up the surface's area in the cubes that both surfaces cross. With A the target's area in a
    cube, which is above 0 exactly where its surface is, and a for the area of a false surface,

    .. math:: L = 1 - \frac{1}{3} \left[ D(p_{fg}, t_{fg}) + D(p_{bg}, t_{bg}) + \frac{2 \sum p_{surf} A + s}
              {\sum_{A > 0} (p_{surf} + 1) A + \sum_{A = 0} p_{surf}\,a + s} \right]

    where D is soft Dice. This is the loss of the winners of SenNet + HOA (2024), but for a: theirs is 0, so
    that false surfaces cost only what D of the background loses, next to nothing where vessels are a
    thousandth. With a = 1 the last term is close to the metric for predictions of 0 and 1. Areas are those of
    marching cubes at spacing 1, from MONAI, as in the metric. No cube reaches over the edge of the patch.

    Three predicted slices have two layers of cubes. One slice has none; for it there are two ways:

    - "repeat": the outline in the slice, as if it went straight on: cubes are squares of four pixels, with
      the area of a wall. Surfaces that lie in the slice are not seen, but are from another slicing axis.
    - "target": cubes between the slice and the label's neighbours. A cube with a true wall has both sides
      already, whatever is predicted; a tube dilated by one voxel costs about a third of what it does above,
      and nothing at a = 0.

    A cube counts by the least weight of its voxels.

    Args:
        false_area: a, >= 0; 0 as the winners'.
        neighbours: "repeat" or "target", of a network of one slice.
        smooth: s, in cubes, positive; also in D.
        per_sample: sums over each sample on its own, as the winners', then the mean over the samples; else
            over the whole batch, since many patches hold no vessel.

    Raises:
        InputError: if a number is outside its range, or for other neighbours.
    """

    area: Tensor

    def __init__(
        self,
        *,
        false_area: float = 1.0,
        neighbours: str = "repeat",
        smooth: float = 1.0,
        per_sample: bool = False,
    ) -> None:
        super().__init__()
        check_number("false_area", false_area, low=0, high=1e3, remedy="Give 0 or more, such as 1.")
        check_smooth(smooth)
        if neighbours not in NEIGHBOURS:
            raise InputError(f"neighbours is '{neighbours}'", remedy=f"Use one of {', '.join(NEIGHBOURS)}.")
        self.false_area = false_area
        self.neighbours = neighbours
        self.smooth = smooth
        self.per_sample = per_sample
        # A sequence of spacings: MONAI's table does not take a number. Not saved, because it is known.
        area, _ = create_table_neighbour_code_to_surface_area((1, 1, 1))
        self.register_buffer("area", area.float(), persistent=False)

    def value(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits and a label of one type."""
        one = logits.shape[1] == 1 and self.neighbours == "repeat"
        target, weight = split_label(label, 1 if one else SLICES)
        code = neighbour_code(target.expand(-1, 2, -1, -1) if one else target)
        area = self.area.to(logits)[code]
        weight = cube_least(weight)
        vessel, background = cube_probabilities(logits if one else _three_slices(logits, target))
        options = {"smooth": self.smooth, "per_sample": self.per_sample}
        surface, price = area > 0, area.where(area > 0, self.false_area)
        terms = (
            soft_dice(vessel, (code == _ALL).to(vessel), weight, **options),
            soft_dice(background, (code == 0).to(background), weight, **options),
            soft_dice(1 - vessel - background, surface.to(area), weight * price, **options),
        )
        return 1 - torch.stack(terms).mean()


def cube_probabilities(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Probability that all voxels of a cube are vessel, and that none is.

    Args:
        logits: ``(B, D, H, W)``, slices, rows, columns.

    Returns:
        Both ``(B, D - 1, H - 1, W - 1)``; of one slice its squares, ``(B, 1, H - 1, W - 1)``. Products are
        sums of logarithms, which do not underflow.
    """
    return _cube_sum(F.logsigmoid(logits)).exp(), _cube_sum(F.logsigmoid(-logits)).exp()


def neighbour_code(target: Tensor) -> Tensor:
    """Which of a cube's voxels are vessel, as an index into MONAI's tables of surfaces.

    Args:
        target: ``(B, D, H, W)``, 0 or 1.

    Returns:
        ``(B, D - 1, H - 1, W - 1)`` int64, 0-255: the first voxel in reading order is 128, the last 1.
    """
    code = target.round().long()
    for axis, base in ((3, 2), (2, 4), (1, 16)):
        first, second = _ends(code, axis)
        code = base * first + second
    return code


def cube_least(weight: Tensor) -> Tensor:
    """The least of each cube's voxels; shapes as in :func:`cube_probabilities`."""
    for axis in _axes(weight):
        weight = torch.minimum(*_ends(weight, axis))
    return weight


def _three_slices(logits: Tensor, target: Tensor) -> Tensor:
    if logits.shape[1] == SLICES:
        return logits
    below, _, above = ((2 * target - 1) * _SURE).split(1, dim=1)
    return torch.cat([below, logits, above], dim=1)


def _cube_sum(values: Tensor) -> Tensor:
    for axis in _axes(values):
        first, second = _ends(values, axis)
        values = first + second
    return values


def _axes(values: Tensor) -> tuple[int, ...]:
    return (2, 3) if values.shape[1] == 1 else (1, 2, 3)


def _ends(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """All but the last along an axis, and all but the first."""
    length = values.shape[axis] - 1
    return values.narrow(axis, 0, length), values.narrow(axis, 1, length)
