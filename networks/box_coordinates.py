# SPDX-License-Identifier: Apache-2.0
"""Where in the lungs a cell lies, as three more channels of a map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..utils import InputError
from ..utils.spheres import cell_centres


def box_coordinates(
    box: Tensor | None, cells: Sequence[int], *, stride: int, batch: int, device: torch.device | None = None
) -> Tensor:
    """Positions of the centres of a map's cells in the box around the lungs.

    The network of DSB2017 sees them before its last block (Liao et al. 2019,
    https://arxiv.org/abs/1711.08324): nodules are more frequent in some places than in others.

    Args:
        box: (batch, 6) positions of the first and the last voxel centre of the network's input: three low
            numbers, three high ones; -0.5 is the first voxel of the lung box, 0.5 its last. None: the input
            is the whole lung box.
        cells: sizes of the map.
        stride: voxels a cell along each axis; the input has ``cells * stride`` voxels.
        batch: number of inputs.
        device: of the result.

    Returns:
        (batch, 3, *cells) float32.

    Raises:
        InputError: if the box has another shape.
    """
    if box is None:
        box = torch.tensor([[-0.5] * 3 + [0.5] * 3]).expand(batch, 6)
    if box.shape != (batch, 6):
        raise InputError(
            f"box of shape {tuple(box.shape)} for {batch} image(s)",
            remedy="Give six numbers an image: low i, j, k, high i, j, k.",
        )
    # A trace would keep the device that it was made on: it moves nothing but what it makes, to the box.
    box = (box if device is None or box.device == device else box.to(device)).float()
    made_on = None if torch.jit.is_tracing() else box.device
    lines = []
    for axis, count in enumerate(cells):
        share = cell_centres(count, stride, device=made_on).type_as(box) / max(count * stride - 1, 1)
        line = torch.lerp(box[:, axis, None], box[:, axis + 3, None], share[None])
        # Axes are added by index: sizes that are written out would be fixed in a trace.
        lines.append(line[(slice(None), *(slice(None) if other == axis else None for other in range(3)))])
    return torch.stack(torch.broadcast_tensors(*lines), dim=1)
