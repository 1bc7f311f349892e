# SPDX-License-Identifier: Apache-2.0
"""What a slice's neighbours say about it: kernels over logits along the scan, and a recurrent network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError

SEED_WEIGHTS = (0.1, 0.3, 0.5, 0.3, 0.1)


class KernelContext(nn.Module):
    """A fixed kernel over the logits of neighbouring slices; the ends of the scan replicate.

    Five slices weigh 0.1, 0.3, 0.5, 0.3, 0.1 in the method this follows (PengWenChen/DLCV-Fall-2020, final
    project "ebyefan"). The sum is 1.3, so that logits grow: divide by ``gain`` before they are read as those
    of one slice. A finding on one slice is erased: +3 among -3 becomes -0.9, so report the slice's own
    logits too. Nothing of it is in a state dict: checkpoints load with and without it.

    With ``tap_mm`` and known positions the kernel is a function of distance, so that thin and thick slices
    are smoothed over the same length: linear between the weights at 0, 1, 2 ... times ``tap_mm``, 0 from one
    tap beyond the last, and scaled for each slice to sum to ``gain``. Slices ``tap_mm`` apart have the plain
    kernel.

    Args:
        weights: an odd number of weights, symmetric (the direction of a scan means nothing), none negative,
            the centre positive.
        tap_mm: distance in mm between neighbouring weights; None counts slices.

    Attributes:
        gain: sum of the weights.

    Raises:
        InputError: for other weights, or if ``tap_mm`` is not positive.
    """

    taps: Tensor
    kernel: Tensor

    def __init__(self, *, weights: Sequence[float] = SEED_WEIGHTS, tap_mm: float | None = None) -> None:
        super().__init__()
        taps = _by_distance(weights)
        if any(weight < 0 for weight in taps) or not taps[0] > 0:
            raise InputError(
                f"context weights are {list(weights)}", remedy="Give none below 0, and a positive centre."
            )
        if tap_mm is not None and not tap_mm > 0:
            raise InputError(f"tap_mm is {tap_mm}", remedy="Give a distance in mm, or null to count slices.")
        self.gain = float(sum(weights))
        self.tap_mm = tap_mm
        self.register_buffer("taps", torch.tensor(taps), persistent=False)
        self.register_buffer("kernel", torch.tensor([float(w) for w in weights]), persistent=False)

    def forward(self, logits: Tensor, features: Tensor, *, positions_mm: Tensor | None = None) -> Tensor:
        """Smooth logits along the scan.

        Args:
            logits: ``(B, K, D)``.
            features: not used.
            positions_mm: ``(D,)``, places of the slices along the normal in mm, rising or falling; used
                where ``tap_mm`` is set.

        Returns:
            ``(B, K, D)``, float32 at least.

        Raises:
            InputError: if the positions do not fit the slices.
        """
        logits = _widen(logits)
        if self.tap_mm is None or positions_mm is None or logits.shape[-1] == 1:
            return _smooth(logits, self.kernel)
        positions_mm = positions_mm.to(logits.device, torch.float64)
        if positions_mm.shape != logits.shape[-1:]:
            shape = tuple(positions_mm.shape)
            raise InputError(f"slice positions are {shape}, not one for each of {logits.shape[-1]} slices")
        matrix = kernel_matrix(positions_mm, taps=self.taps, tap_mm=self.tap_mm)
        # A product and a sum, because a matrix product would be rounded to bfloat16 under autocast.
        return (logits.unsqueeze(-2) * matrix.to(logits.dtype)).sum(-1)


def kernel_matrix(positions_mm: Tensor, *, taps: Tensor, tap_mm: float) -> Tensor:
    """Weights of every slice (columns) for every slice (rows), by their distance.

    Beyond the ends of the scan it goes on with copies of the end slices, at the median distance of
    neighbours.

    Args:
        positions_mm: ``(D,)`` in mm, in order, at least two.
        taps: ``(n,)``, weights at 0, 1 ... n - 1 times ``tap_mm``.
        tap_mm: distance of the taps in mm.

    Returns:
        ``(D, D)`` float64; each row sums to that of the whole kernel, ``2 * taps.sum() - taps[0]``.

    Raises:
        InputError: if the positions are not in order, not finite, or mostly the same.
    """
    depth, gaps = len(positions_mm), positions_mm.diff()
    gap = gaps.median()
    if not torch.isfinite(gaps).all() or gap == 0 or (gaps * gap < 0).any():
        raise InputError(
            "slice positions are not in order along the scan", remedy="Sort the slices by their position."
        )
    beyond = math.ceil(len(taps) * tap_mm / gap.abs().item())
    steps = gap * torch.arange(1, beyond + 1, device=gap.device)
    places = torch.cat([positions_mm[0] - steps.flip(0), positions_mm, positions_mm[-1] + steps])
    weights = _interpolate((places - positions_mm.unsqueeze(1)).abs() / tap_mm, taps.double())
    weights = weights * (2 * taps.double().sum() - taps[0]) / weights.sum(1, keepdim=True)
    slices = torch.arange(-beyond, depth + beyond, device=gap.device).clamp(0, depth - 1)
    return weights.new_zeros(depth, depth).index_add_(1, slices, weights)


class LearnedKernelContext(nn.Module):
    """A symmetric kernel a class over the logits of neighbouring slices, learnt; the ends replicate.

    Args:
        num_classes: K.
        weights: where every class starts, an odd number, symmetric.

    Raises:
        InputError: for weights that are not so.
    """

    def __init__(self, num_classes: int, *, weights: Sequence[float] = SEED_WEIGHTS) -> None:
        super().__init__()
        # Weights by distance: a kernel made of them cannot lose its symmetry.
        self.taps = nn.Parameter(torch.tensor([_by_distance(weights)] * num_classes))

    @property
    def gain(self) -> Tensor:
        """Sums of the kernels, ``(K,)``."""
        return self._kernel().detach().sum(-1)

    def forward(self, logits: Tensor, features: Tensor, *, positions_mm: Tensor | None = None) -> Tensor:
        """Smooth logits ``(B, K, D)`` along the scan, to the same shape; the other arguments are not used."""
        return _smooth(_widen(logits), self._kernel().unsqueeze(1))

    def _kernel(self) -> Tensor:
        half = self.taps.shape[1] - 1
        return self.taps[:, torch.arange(-half, half + 1, device=self.taps.device).abs()]


class GRUContext(nn.Module):
    """A bidirectional GRU over the slices' features and logits, which adds a correction to the logits.

    Follows the sequence models over pooled features of the RSNA 2019 winners (Wang et al., NeuroImage:
    Clinical 2021, https://pmc.ncbi.nlm.nih.gov/articles/PMC8377493), with one layer. The last layer starts at
    zero: before training the logits are the slices' own.

    Args:
        num_classes: K.
        features: F, numbers that describe a slice.
        hidden: state of each direction.

    Attributes:
        gain: 1; the sum is of logits as they are.
    """

    gain = 1.0

    def __init__(self, num_classes: int, *, features: int = 512, hidden: int = 64) -> None:
        super().__init__()
        self.gru = nn.GRU(features + num_classes, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, num_classes)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, logits: Tensor, features: Tensor, *, positions_mm: Tensor | None = None) -> Tensor:
        """Correct the logits of a scan.

        Args:
            logits: ``(B, K, D)``.
            features: ``(B, F, D)``.
            positions_mm: not used.

        Returns:
            ``(B, K, D)``, float32 at least.
        """
        sequence = torch.cat([features, logits.to(features.dtype)], dim=1).transpose(1, 2)
        correction = self.out(self.gru(sequence)[0]).transpose(1, 2)
        return _widen(logits) + correction


def _by_distance(weights: Sequence[float]) -> list[float]:
    """From the centre outwards: [0.3, 0.5, 0.3] -> [0.5, 0.3]."""
    values = [float(weight) for weight in weights]
    if len(values) % 2 == 0 or values != values[::-1] or not all(map(math.isfinite, values)):
        raise InputError(f"context weights are {values}", remedy="Give an odd number of them, symmetric.")
    return values[len(values) // 2 :]


def _widen(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _smooth(logits: Tensor, kernel: Tensor) -> Tensor:
    """``(B, K, D)`` by a kernel ``(n,)``, or one a class, ``(K, 1, n)``."""
    half = kernel.shape[-1] // 2
    windows = F.pad(logits, (half, half), mode="replicate").unfold(-1, kernel.shape[-1], 1)
    return (windows * kernel).sum(-1)


def _interpolate(distance: Tensor, taps: Tensor) -> Tensor:
    """Linear through ``taps`` at 0, 1, 2 ..., and 0 from one beyond the last."""
    distance = distance.clamp(max=len(taps))
    lower = distance.floor().long()
    share = distance - lower
    values = F.pad(taps, (0, 2))
    return values[lower] * (1 - share) + values[lower + 1] * share
