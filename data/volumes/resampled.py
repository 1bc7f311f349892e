# SPDX-License-Identifier: Apache-2.0
"""A volume on another voxel size, computed where it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from ...utils import InputError
from .base import Box, Volume, checked_spacing

MOST_RATIO = 8.0


class ResampledVolume(Volume):
    """A volume sampled at another voxel size by separable interpolation, float32.

    Both grids start at the same corner of the same body, so that voxel i lies at (i + 0.5) * spacing: a
    volume taken to another size and back is not shifted, which a resize that maps voxel 0 to voxel 0 does by
    up to half a voxel. Beyond the ends the edge voxels repeat. Weights: ``axis_weights``.

    Any box has the values, to the last bit, that it has in the whole. It costs about what its source costs to
    read, plus a few multiplications a voxel.

    Args:
        source: volume of any data type; labels become shares of a voxel, 0-1.
        spacing_um: voxel size wanted: one number or three, micrometres.
        shape: (Z, Y, X) wanted; by default, what holds the source at ``spacing_um``, rounded. Alone, without
            ``spacing_um``, the source is fitted to it.
        like: take spacing, shape and ``meta`` (the names) of this volume: the way back to a native grid.
        lanczos: for grays: keep vessels of a voxel or two sharp on the way to smaller voxels, where linear
            interpolation blurs them away. It overshoots, so not for labels and probabilities.

    Raises:
        InputError: a voxel size is not known, or is more than 8 times the other one.
    """

    def __init__(
        self,
        source: Volume,
        *,
        spacing_um: Sequence[float] | float | None = None,
        shape: Sequence[int] | None = None,
        like: Volume | None = None,
        lanczos: bool = False,
    ) -> None:
        if like is not None:
            spacing_um, shape = _known(like), like.shape
        self.steps, shape, spacing = _grid(source, checked_spacing(spacing_um), shape)
        super().__init__(
            shape=shape,
            dtype=np.float32,
            spacing_um=spacing,
            meta=like.meta if like is not None else _meta_off_grid(source.meta),
        )
        self.source = source
        self.lanczos = lanczos
        self.random_access = source.random_access

    def _read(self, box: Box) -> np.ndarray:
        axes = [
            axis_weights(size, step=step, start=part.start, stop=part.stop, lanczos=self.lanczos)
            for size, step, part in zip(self.source.shape, self.steps, box, strict=True)
        ]
        window = tuple(slice(first, first + matrix.shape[1]) for first, matrix in axes)
        values = self.source.read(window).astype(np.float32, copy=False)
        for axis, (_, matrix) in enumerate(axes):
            # where the voxel size stays, the axis is copied: its matrix is the identity
            if self.steps[axis] != 1 or matrix.shape[0] != matrix.shape[1]:
                values = _along(values, matrix, axis=axis)
        return values


def axis_weights(
    size: int, *, step: float, start: int, stop: int, lanczos: bool = False
) -> tuple[int, csr_array]:
    """Weights of source voxels in resampled ones, along one axis.

    Voxel i lies at c = (i + 0.5) * step - 0.5 of the source. Source voxel j counts by a triangle of
    half-width max(step, 1) about c, normalised: linear interpolation on the way to smaller voxels, and to
    larger ones the antialias of Pillow and of torch. Unlike theirs, weights are then tilted so that their
    mean is c itself; without, a linear ramp would get ripples wherever ``step`` is no whole number.

    Args:
        size: voxels of the source.
        step: size of a resampled voxel in source voxels.
        start: first resampled voxel.
        stop: the one after the last.
        lanczos: where ``step`` is below 1, weigh by sinc(d) sinc(d / 3) up to d = 3, normalised, as Pillow
            does (Duchon 1979); some weights are negative.

    Returns:
        The first source voxel needed, and the float32 matrix (stop - start, source voxels needed from it on).
    """
    centres = (np.arange(start, stop) + 0.5) * step - 0.5
    lanczos = lanczos and step < 1
    reach = 3.0 if lanczos else max(step, 1.0)
    taps = np.floor(centres - reach).astype(np.int64)[:, None] + np.arange(math.ceil(2 * reach) + 2)
    away = taps - centres[:, None]
    if lanczos:
        weights = np.where(np.abs(away) < reach, np.sinc(away) * np.sinc(away / reach), 0)
    else:
        weights = np.maximum(1 - np.abs(away) / reach, 0)
    weights[np.abs(weights) < 1e-9] = 0  # rounding must not ask for one slice more
    weights /= weights.sum(axis=1, keepdims=True)
    if step > 1:
        mean = (weights * away).sum(axis=1, keepdims=True)
        variance = (weights * (away - mean) ** 2).sum(axis=1, keepdims=True)
        weights *= 1 - mean * (away - mean) / variance
    rows, columns = np.nonzero(weights)
    sources = np.clip(taps[rows, columns], 0, size - 1)
    first, last = int(sources.min()), int(sources.max())
    matrix = coo_array(
        (weights[rows, columns].astype(np.float32), (rows, sources - first)),
        shape=(stop - start, last - first + 1),
    )
    return first, matrix.tocsr()


def _along(values: np.ndarray, matrix: csr_array, *, axis: int) -> np.ndarray:
    moved = np.moveaxis(values, axis, 0)
    result = matrix @ np.ascontiguousarray(moved).reshape(len(moved), -1)
    return np.moveaxis(result.reshape(matrix.shape[0], *moved.shape[1:]), 0, axis)


def _grid(
    source: Volume, spacing_um: tuple[float, ...] | None, shape: Sequence[int] | None
) -> tuple[tuple[float, ...], Sequence[int], tuple[float, ...] | None]:
    """Steps in source voxels, shape and spacing of the grid that is asked for."""
    if spacing_um is None:
        if shape is None:
            raise InputError("no grid to resample to", remedy="give spacing_um, shape or like")
        steps = tuple(old / new for old, new in zip(source.shape, shape, strict=True))
        own = source.spacing_um
        spacing = None if own is None else tuple(a * b for a, b in zip(own, steps, strict=True))
        _check_steps(steps, source, f"shape {tuple(shape)} for {source.shape}", "give a shape nearer to it")
        return steps, shape, spacing
    own = _known(source)
    steps = tuple(new / old for new, old in zip(spacing_um, own, strict=True))
    _check_steps(
        steps,
        source,
        f"voxel size {_text(spacing_um)} um is wanted where it is {_text(own)} um",
        f"give micrometres (not mm or nm); at most {MOST_RATIO:g} times coarser or finer",
    )
    if shape is None:
        shape = [
            max(1, math.floor(size / step + 0.5)) for size, step in zip(source.shape, steps, strict=True)
        ]
    return steps, shape, spacing_um


def _check_steps(steps: Sequence[float], source: Volume, problem: str, remedy: str) -> None:
    if not all(1 / MOST_RATIO <= step <= MOST_RATIO for step in steps):
        raise InputError(problem, path=source.path or None, remedy=remedy)


def _known(volume: Volume) -> tuple[float, ...]:
    if volume.spacing_um is None:
        raise InputError(
            "no voxel size is known, and a rescale is asked for",
            path=volume.path or None,
            remedy="give spacing_um (micrometres) in the datalist or on the command line",
        )
    return volume.spacing_um


def _text(spacing_um: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in spacing_um)


def _meta_off_grid(meta: Mapping[str, Any]) -> dict[str, Any]:
    # slices of another grid have other names, and another affine
    return {key: value for key, value in meta.items() if key not in ("slice_names", "slice_files", "affine")}
