# SPDX-License-Identifier: Apache-2.0
"""Slice by slice through the network, then once over the whole scan: context without repeated work."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from torch import nn

from ..utils import InputError
from .bare_network import bare_network
from .slice_stack import SliceStackInferer


class SliceContextInferer(Inferer):
    """Classify every slice of a scan once, and apply the network's context to all slices together.

    Five slices given to the network for each slice would cost five times as much for the same answer. Slices
    beyond the ends of the scan replicate, also in a scan of one slice.

    Args:
        slices: walks the scan; its ``finish`` must be ``SliceScores``, or give "logits" (N, K) and "features"
            (N, F) as it does.
        context: apply the ``context`` that the network has.
        cam: store heat maps too.

    Returns of a call:
        float32: "logits" (B, K, D), each slice's own; "context_logits" (B, K, D), equal to "logits" where
        there is no context; "features" (B, F, D); and "cam" (B, K, h, w, D) where asked for.
    """

    def __init__(self, *, slices: SliceStackInferer, context: bool = True, cam: bool = False) -> None:
        super().__init__()
        self.slices = slices
        self.context = context
        self.cam = cam

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> dict[str, torch.Tensor]:
        """Infer scans (B, 1, H, W, D).

        The distance of slices comes from "slice_positions_mm" in the scan's meta, else from its affine where
        its spacing is known, else it is unknown to the context.

        Raises:
            InputError: if ``slices`` does not give logits by slice, or positions do not fit the slices.
        """
        outputs = self.slices(inputs, network, *args, **kwargs, **({"cam": True} if self.cam else {}))
        logits = outputs["logits"]
        if logits.ndim != 3 or logits.shape[-1] != inputs.shape[self.slices.slice_dim]:
            raise InputError(f"logits are {tuple(logits.shape)}", remedy="Give slices finish: SliceScores.")
        context = getattr(bare_network(network), "context", None) if self.context else None
        positions = slice_positions(inputs, slice_dim=self.slices.slice_dim)
        with torch.no_grad():
            scans = [
                _apply(context, logits[[scan]], outputs["features"][[scan]], positions[scan])
                for scan in range(len(logits))
            ]
        return {**outputs, "context_logits": torch.cat(scans)}


def slice_positions(inputs: torch.Tensor, *, slice_dim: int = -1) -> list[torch.Tensor | None]:
    """Places of the slices of each scan along their normal, in mm.

    Args:
        inputs: (B, 1, H, W, D), with meta as collated, or without.
        slice_dim: axis along which slices follow each other, from the end.

    Returns:
        (D,) float64 for each scan; None where unknown.

    Raises:
        InputError: if the meta has another number of positions.
    """
    batch, depth = len(inputs), inputs.shape[slice_dim]
    meta = getattr(inputs, "meta", {})
    if "slice_positions_mm" in meta:
        positions = _tensor(meta["slice_positions_mm"]).double()
        if positions.numel() != batch * depth:
            raise InputError(f"{positions.numel()} slice positions for {batch * depth} slices")
        return list(positions.reshape(batch, depth))
    known = _tensor(meta.get("spacing_known", False)).reshape(-1).expand(batch).tolist()
    affines = _tensor(meta["affine"]).expand(batch, 4, 4) if any(known) else [None] * batch
    return [
        _distance(affine, slice_dim) * torch.arange(depth, dtype=torch.float64) if is_known else None
        for is_known, affine in zip(known, affines, strict=True)
    ]


def _distance(affine: torch.Tensor, slice_dim: int) -> torch.Tensor:
    """Millimetres between slices along their normal; a sheared affine (gantry tilt) steps aslant."""
    columns = affine[:3, :3].double().T
    across = columns[slice_dim]
    rows, cols = (column for axis, column in enumerate(columns) if axis != slice_dim + 3)
    normal = torch.linalg.cross(rows, cols)
    return (across @ normal / normal.norm()).abs()


def _tensor(value: Any) -> torch.Tensor:
    return (value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))).cpu()


def _apply(
    context: nn.Module | None,
    logits: torch.Tensor,
    features: torch.Tensor,
    positions: torch.Tensor | None,
) -> torch.Tensor:
    if context is None:
        return logits.clone()
    # results may be stored elsewhere than the network is
    own = next(chain(context.parameters(), context.buffers()), logits).device
    moved = context(logits.to(own), features.to(own), positions_mm=positions)
    return moved.to(logits.device, torch.float32)
