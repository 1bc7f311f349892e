# SPDX-License-Identifier: Apache-2.0
"""Random 2.5D stacks: neighbouring slices in, the centre slice's label out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Randomizable

from ..utils import InputError


def stack_offsets(num_slices: int, *, reverse: bool = False) -> list[int]:
    """Offsets of a stack's slices from its centre: 3 -> [-1, 0, 1], reversed [1, 0, -1].

    The reversed order is what networks saw whose stacks were written by OpenCV (blue first) and read by
    Pillow (red first); weights trained so need it.

    Raises:
        InputError: ``num_slices`` is not a positive odd number.
    """
    if num_slices < 1 or num_slices % 2 == 0:
        raise InputError(
            f"num_slices is {num_slices}", remedy="give a positive odd number: the centre slice is predicted"
        )
    half = num_slices // 2
    offsets = list(range(-half, half + 1))
    return offsets[::-1] if reverse else offsets


def gather_stacks(
    volume: torch.Tensor,
    centres: Sequence[int] | torch.Tensor,
    *,
    offsets: Sequence[int],
    slice_dim: int = -1,
) -> torch.Tensor:
    """Copy stacks out of a volume; neighbours beyond its ends are its end slices (edges replicate).

    Args:
        volume: (1, H, W, D), or with the slice axis elsewhere among the last three.
        centres: indices of the K centre slices, in [0, D).
        offsets: see ``stack_offsets``.
        slice_dim: axis of ``volume`` along which slices follow each other.

    Returns:
        (K, len(offsets), H, W) of the volume's data type.
    """
    slices = volume.squeeze(0).movedim(slice_dim if slice_dim < 0 else slice_dim - 1, 0)
    index = torch.as_tensor(centres).reshape(-1, 1) + torch.as_tensor(offsets)
    index = index.clamp(0, slices.shape[0] - 1).to(slices.device)
    return slices[index]


class RandSliceStacksd(Randomizable, MapTransform):
    """Draw several 2.5D stacks from a cached volume.

    The image (1, H, W, D) becomes (num_slices, H, W), the label (1, H, W), the centre slice's; the rest of
    the sample is kept. As RandCropByPosNegLabeld it returns a list of ``num_samples`` dictionaries. MONAI's
    way to stacks (pad, random crop with a depth, transpose) copies the padded volume for every draw.

    Within one call centres are drawn without replacement as long as there are slices left.

    Args:
        keys: image key and, optionally, label key, in this order.
        num_slices: slices of a stack, odd.
        num_samples: stacks drawn in one call.
        slice_dim: axis of (1, H, W, D) along which slices follow each other; -1, -2, -3 (or 3, 2, 1).
        reverse: order of channels, see ``stack_offsets``.
        balance: probability in [0, 1] that a centre is drawn from the slices of a class, the class drawn
            evenly among those that the volume has; 0 draws every slice alike (the contest solution's way).
        presence_key: key of the (K, D) table that ``SlicePresenced`` makes, or of any such table, not zero
            where a class is present; needed where ``balance`` > 0. NaN (unknown) counts as absent.
        table_key: key of a float table (R, D) with one column a slice, such as its labels. It becomes (R, T),
            of the slices of the stack; None where there is none.
        table_margin: slices at each end of a stack that only serve as neighbours (``SliceChannels``) and
            have no column: T = num_slices - 2 * table_margin.
        table_slices: "stack" for all T columns, "centre" for the centre slice's alone, (R, 1).
        allow_missing_keys: do not raise where a key is absent.

    Raises:
        InputError: an even ``num_slices``, a ``balance`` outside [0, 1], a ``table_margin`` that leaves no
            slice, another ``table_slices``, or volume, label and table of unlike depth.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        num_slices: int = 3,
        num_samples: int = 1,
        slice_dim: int = -1,
        reverse: bool = False,
        balance: float = 0.0,
        presence_key: str = "presence",
        table_key: str | None = None,
        table_margin: int = 0,
        table_slices: str = "stack",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= balance <= 1:
            raise InputError(f"balance is {balance}", remedy="give a probability between 0 and 1")
        self.offsets = stack_offsets(num_slices, reverse=reverse)
        self.table_key = table_key
        self.table_offsets = _table_offsets(self.offsets, margin=table_margin, slices=table_slices)
        self.num_samples = num_samples
        self.slice_dim = slice_dim
        self.balance = balance
        self.presence_key = presence_key
        self.centres: list[int] = []

    def randomize(self, depth: int, presence: torch.Tensor | None = None) -> None:
        """Draw ``self.centres``: ``num_samples`` slice indices in [0, depth)."""
        groups = []
        if self.balance > 0 and presence is not None:
            groups = [group for row in np.asarray(presence) if len(group := _present(row))]
        even: list[int] = []
        self.centres = []
        for _ in range(self.num_samples):
            if groups and self.R.random() < self.balance:
                group = groups[self.R.randint(len(groups))]
                self.centres.append(int(group[self.R.randint(len(group))]))
                continue
            even = even or self.R.permutation(depth).tolist()
            self.centres.append(even.pop())

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, Any]]:
        """Return ``num_samples`` dictionaries of stacks."""
        keys = list(self.key_iterator(data))
        depth = data[keys[0]].shape[self.slice_dim]
        if any(data[key].shape[self.slice_dim] != depth for key in keys):
            raise InputError(f"{' and '.join(map(str, keys))} differ in their number of slices")
        table = self._table(data, depth)
        self.randomize(depth, data.get(self.presence_key))
        stacks = {
            key: gather_stacks(
                _plain(data[key]),
                self.centres,
                offsets=self.offsets if key == keys[0] else [0],
                slice_dim=self.slice_dim,
            )
            for key in keys
        }
        rest = {key: value for key, value in data.items() if key not in stacks and key != self.presence_key}
        if table is not None:
            index = torch.as_tensor(self.centres).reshape(-1, 1) + torch.as_tensor(self.table_offsets)
            stacks[self.table_key] = table[:, index.clamp(0, depth - 1)].movedim(1, 0)
        return [
            {**rest, **{key: stack[sample] for key, stack in stacks.items()}}
            for sample in range(self.num_samples)
        ]

    def _table(self, data: Mapping[Hashable, Any], depth: int) -> torch.Tensor | None:
        if self.table_key is None or (self.allow_missing_keys and self.table_key not in data):
            return None
        table = _plain(torch.as_tensor(data[self.table_key]))
        if table.ndim != 2 or table.shape[-1] != depth:
            shape = tuple(table.shape)
            raise InputError(f"{self.table_key} is {shape}, not a row a class by {depth} slices")
        return table


def _table_offsets(offsets: Sequence[int], *, margin: int, slices: str) -> list[int]:
    if slices not in ("stack", "centre"):
        raise InputError(f"table_slices is {slices!r}", remedy="use one of 'stack', 'centre'")
    if not 0 <= margin <= len(offsets) // 2:
        raise InputError(
            f"table_margin is {margin} of {len(offsets)} slices", remedy="leave at least the centre slice"
        )
    return [0] if slices == "centre" else list(offsets[margin : len(offsets) - margin])


def _present(row: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.nan_to_num(row))  # NaN alone counts as true


def _plain(volume: torch.Tensor) -> torch.Tensor:
    # A stack has no affine of its own, and tracking every draw costs more than drawing it.
    return volume.as_tensor() if isinstance(volume, MetaTensor) else volume
