# SPDX-License-Identifier: Apache-2.0
"""Which cells and anchors of a detector's map answer for which nodule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.data import MetaTensor
from torch import Tensor

from ..utils import InputError
from ..utils.spheres import NUMBERS, cell_centres, check_anchors, encode_spheres

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


@dataclass(frozen=True)
class NoduleAssignment:
    """What a batch's maps should say.

    Attributes:
        state: (B, A, n0, n1, n2) int8: 1 positive, 0 negative, -1 ignored.
        places: (P, 5) int64, the indices b, a, i, j, k of all that learn a centre and a size: the positives
            and, with ``box_iou``, ignored ones.
        codes: (P, 4) float32, the numbers that belong there (``utils.spheres.encode_spheres``).
        rows: (P,) int64, the row of the label that each answers for.
    """

    state: Tensor
    places: Tensor
    codes: Tensor
    rows: Tensor


class NoduleTargets:
    """Assign nodules to cells and anchors.

    Most nodules of LUNA16 are small for the usual anchors: a cube of 10 voxels has an IoU of 0.5 with none
    under 7.94 voxels (the cube root of 500). So for every nodule of the crop the cell nearest in centre and
    the anchor nearest in log size is positive, whatever their IoU. DSB2017 does so where no anchor reaches
    the IoU, and for one nodule a crop (Liao et al. 2019, https://arxiv.org/abs/1711.08324). Then, in this
    order:

    - positive: IoU of ``positive_iou`` or more with a nodule, answering for the one of the greatest IoU;
    - ignored: IoU above ``ignore_iou`` with any row of the label, or a cell's centre within its sphere;
    - negative: all others.

    A nodule whose centre lies outside the crop has no positives, and its surroundings are ignored. Where two
    nodules claim one cell and one anchor, the one nearer to the cell's centre has it, at equal distance the
    smaller.

    Nothing tells the score of an ignored sphere from that of the positive beside it, so at inference it is
    often the highest of a nodule, and with numbers that were never trained. With ``box_iou`` the ignored
    spheres of such an IoU learn centre and size as well, of the nodule of the greatest IoU.

    Args:
        anchors: sizes in voxels of the network's input.
        stride: voxels a cell along each axis.
        positive_iou: above 0 to 1; 1 leaves one positive a nodule.
        ignore_iou: above 0 to 1.
        box_iou: above 0 to 1, less than ``positive_iou`` to have an effect; None: positives only, as DSB2017.

    Raises:
        InputError: for anchors that are not positive, or an IoU out of range.
    """

    def __init__(
        self,
        anchors: Sequence[float],
        *,
        stride: int = 4,
        positive_iou: float = 0.5,
        ignore_iou: float = 0.02,
        box_iou: float | None = None,
    ) -> None:
        ious = {"positive_iou": positive_iou, "ignore_iou": ignore_iou, "box_iou": box_iou}
        for name, iou in ious.items():
            if iou is not None and not 0 < iou <= 1:
                raise InputError(f"{name} is {iou}", remedy="Give a number above 0, at most 1.")
        self.anchors = check_anchors(anchors)
        self.stride = stride
        self.positive_iou = positive_iou
        self.ignore_iou = ignore_iou
        self.box_iou = positive_iou if box_iou is None else min(box_iou, positive_iou)

    def __call__(self, label: Tensor, cells: Sequence[int]) -> NoduleAssignment:
        """Assign the nodules of a batch, in float32 on the label's device.

        Args:
            label: (B, K, 5) rows i, j, k, diameter, kind in voxels of the crop; kind 1 nodule, -1 finding to
                ignore, 0 no row.
            cells: sizes (n0, n1, n2) of the map.

        Returns:
            The assignment.

        Raises:
            InputError: for another shape, a number that is not finite, or a diameter that is not positive.
        """
        label = check_label(label)
        spheres, kinds = label[..., :4], label[..., 4]
        anchors = self.anchors.to(label.device)
        centres = [cell_centres(count, self.stride, device=label.device) for count in cells]
        size = torch.tensor(list(cells), device=label.device) * self.stride
        inside = ((spheres[..., :3] >= -0.5) & (spheres[..., :3] < size - 0.5)).all(dim=-1)
        answered = inside & (kinds > 0)

        owner, state = self._compare(spheres, kinds, answered, centres, anchors)
        self._claim_nearest(owner, state, spheres, answered, anchors)
        places = (owner >= 0).nonzero()
        rows = owner[tuple(places.unbind(1))]
        points = torch.stack([centre[places[:, 2 + axis]] for axis, centre in enumerate(centres)], dim=1)
        codes = encode_spheres(spheres[places[:, 0], rows], points, anchors[places[:, 1]])
        return NoduleAssignment(state, places, codes, rows)

    def _compare(
        self, spheres: Tensor, kinds: Tensor, answered: Tensor, centres: list[Tensor], anchors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The row of the greatest IoU from ``box_iou`` (-1: none) and the state, both by IoU alone."""
        shape = (len(spheres), len(anchors), *(len(centre) for centre in centres))
        owner = torch.full(shape, -1, dtype=torch.int64, device=spheres.device)
        best = torch.zeros(shape, device=spheres.device)
        near = torch.zeros(shape, dtype=torch.bool, device=spheres.device)
        # Row by row, all crops at once: all rows at once would take K times the memory.
        for row in (kinds != 0).any(dim=0).nonzero().flatten().tolist():
            sphere = spheres[:, row]
            iou = iou_map(sphere, centres, anchors)
            real = kinds[:, row, None, None, None, None] != 0
            near |= ((iou > self.ignore_iou) | _within(sphere, centres)[:, None]) & real
            wins = (iou >= self.box_iou) & (iou > best) & answered[:, row, None, None, None, None]
            owner.masked_fill_(wins, row)
            best = torch.where(wins, iou, best)
        state = near.to(torch.int8).mul_(IGNORED)
        return owner, state.masked_fill_(best >= self.positive_iou, POSITIVE)

    def _claim_nearest(
        self, owner: Tensor, state: Tensor, spheres: Tensor, answered: Tensor, anchors: Tensor
    ) -> None:
        """Give every nodule its nearest cell and anchor, in place."""
        batch, row = answered.nonzero().unbind(1)
        sphere = spheres[batch, row]
        last = torch.tensor(owner.shape[2:], device=owner.device) - 1
        offset = (self.stride - 1) / 2
        cell = ((sphere[:, :3] - offset) / self.stride).round().long().clamp(min=0).minimum(last)
        distance = (cell * self.stride + offset - sphere[:, :3]).square().sum(dim=1)
        anchor = (sphere[:, 3:].log() - anchors.log()).abs().argmin(dim=1)
        index = torch.stack([batch, anchor, *cell.unbind(1)], dim=1)
        # Sorted so that the last to write into a place is the one that has it: nearer, then smaller.
        order = sphere[:, 3].argsort(descending=True, stable=True)
        order = order[distance[order].argsort(descending=True, stable=True)]
        for place, number in zip(index[order].tolist(), row[order].tolist(), strict=True):
            owner[tuple(place)], state[tuple(place)] = number, POSITIVE


def check_label(label: Tensor) -> Tensor:
    """A label as plain float32.

    Raises:
        InputError: see :class:`NoduleTargets`.
    """
    label = (label.as_tensor() if isinstance(label, MetaTensor) else label).float()
    if label.ndim != 3 or label.shape[2] != NUMBERS:
        raise InputError(
            f"label of shape {tuple(label.shape)}", remedy="Give (batch, rows, 5): i, j, k, diameter, kind."
        )
    wrong = (~label.isfinite()).any(dim=-1) | ((label[..., 4] != 0) & (label[..., 3] <= 0))
    if bool(wrong.any()):
        raise InputError(
            f"label row {[round(number, 2) for number in label[wrong][0].tolist()]}",
            remedy="Give finite numbers and a diameter above 0.",
        )
    return label


def iou_map(sphere: Tensor, centres: Sequence[Tensor], anchors: Tensor) -> Tensor:
    """IoU of one sphere's cube a crop with the cubes of all cells and anchors.

    The cubes' shared volume is a product of three lengths, so the work of an axis is done on a line.

    Args:
        sphere: (B, 4) i, j, k, diameter.
        centres: of the cells, one line an axis.
        anchors: (A,).

    Returns:
        (B, A, n0, n1, n2) in 0-1.
    """
    half, reach = sphere[:, 3, None, None] / 2, anchors[None, :, None] / 2
    lengths = []
    for axis, centre in enumerate(centres):
        middle = sphere[:, axis, None, None]
        high = torch.minimum(middle + half, centre + reach)
        lengths.append((high - torch.maximum(middle - half, centre - reach)).clamp(min=0))
    shared = lengths[0][..., None, None] * lengths[1][..., None, :, None] * lengths[2][..., None, None, :]
    volumes = sphere[:, 3, None] ** 3 + anchors**3
    return shared / (volumes[..., None, None, None] - shared)


def _within(sphere: Tensor, centres: Sequence[Tensor]) -> Tensor:
    """Cells whose centre lies in the sphere, (B, n0, n1, n2)."""
    i, j, k = ((centre - sphere[:, axis, None]).square() for axis, centre in enumerate(centres))
    squared = i[:, :, None, None] + j[:, None, :, None] + k[:, None, None, :]
    return squared <= (sphere[:, 3] / 2).square()[:, None, None, None]
