# SPDX-License-Identifier: Apache-2.0
"""One TIFF file that holds a volume: pages, OME, ImageJ, BigTIFF."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ...utils import InputError
from .flat import FlatVolume
from .sliced import SliceVolume
from .tiff_pages import check_gray, check_whole, full_pages, read_page, tiff_errors
from .tiff_spacing import tiff_spacing

_NOT_SLICES = {"C": "channels", "S": "channels", "T": "time points"}


class TiffPages(SliceVolume):
    """Slices in the pages of one TIFF file, decoded page by page.

    Args:
        path: the file.
        shape: (Z, Y, X).
        dtype: of the pages, see ``check_gray``.
        spacing_um: see ``Volume``.
        meta: see ``Volume``.
    """

    def __init__(
        self,
        path: str | PathLike,
        *,
        shape: Sequence[int],
        dtype: np.dtype,
        spacing_um: Sequence[float] | float | None,
        meta: dict[str, Any],
    ) -> None:
        super().__init__(shape=shape, dtype=dtype, spacing_um=spacing_um, meta=meta)
        self.file = Path(path)

    def _decode(self, index: int) -> np.ndarray:
        with tiff_errors(self.file):
            pixels = read_page(self._pages()[index])
        if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
            raise InputError(
                f"page {index} has changed since the file was opened", path=self.file, remedy="start again"
            )
        return pixels

    def _pages(self) -> list[tifffile.TiffPage | tifffile.TiffFrame]:
        state = self._process_state()
        if state.opened is None:
            tiff = tifffile.TiffFile(self.file)  # open as long as this process reads it
            weakref.finalize(state, tiff.close)
            state.opened = _planes(tiff, self.file)
        return state.opened


def open_tiff(
    path: str | PathLike, *, spacing_um: Sequence[float] | float | None = None
) -> FlatVolume | TiffPages:
    """Open a TIFF file as a volume; its pages, or ImageJ's or OME's Z, are the slices.

    Args:
        path: the file.
        spacing_um: see ``Volume``; None takes what the file states.

    Returns:
        a volume read in place where the file is uncompressed and in one piece, else page by page.

    Raises:
        InputError: RGB, a palette, several channels or time points, pages of several sizes or bit depths,
            planes in other files, a truncated or unreadable file.
    """
    with tiff_errors(path), tifffile.TiffFile(path) as tiff:
        dtype = _check_alike(full_pages(tiff, path), path)
        series = _series(tiff, path)
        shape = _volume_shape(series, path)
        meta = {"path": str(path), "form": "tiff", "slice_names": [str(index) for index in range(shape[0])]}
        if spacing_um is None:
            spacing_um, meta["spacing_source"] = tiff_spacing(tiff, path)
        offset = _flat_offset(series)
        if offset is not None:
            stored = series[0].dtype.newbyteorder(tiff.byteorder)
            about = {"spacing_um": spacing_um, "meta": meta}
            return FlatVolume(path, offset=offset, shape=shape, dtype=stored, **about)
        _check_pages(_planes(tiff, path), path, count=shape[0], size=tiff.filehandle.size)
    return TiffPages(path, shape=shape, dtype=dtype, spacing_um=spacing_um, meta=meta)


def _check_alike(pages: Sequence[tifffile.TiffPage], path: str | PathLike) -> np.dtype:
    """Compare all pages: tifffile takes pages of one file to be alike after a look at three of them."""
    if not pages:
        raise InputError("TIFF without a page", path=path, remedy="export the scan again")
    dtype = check_gray(pages[0], path)
    for index, page in enumerate(pages[1:], start=1):
        other = check_gray(page, path)
        if page.shape != pages[0].shape or other != dtype:
            raise InputError(
                f"page {index} is {_describe(page.shape, other)}, page 0 {_describe(pages[0].shape, dtype)}",
                path=path,
                remedy="all slices of a volume need the same size and bit depth: export it again",
            )
    return dtype


def _describe(shape: Sequence[int], dtype: np.dtype) -> str:
    return " x ".join(map(str, shape)) + f" {dtype}"


def _series(tiff: tifffile.TiffFile, path: str | PathLike) -> list[tifffile.TiffPageSeries]:
    """The image, or the images of one page each that a program has written one after the other."""
    series = [one for one in tiff.series if one.keyframe is not None and not one.keyframe.is_reduced]
    if len(series) > 1 and (tiff.is_ome or any(one.ndim != 2 for one in series)):
        raise InputError(
            f"TIFF with {len(series)} images", path=path, remedy="save the volume to be used to its own file"
        )
    return series


def _planes(tiff: tifffile.TiffFile, path: str | PathLike) -> list[tifffile.TiffPage | tifffile.TiffFrame]:
    series = _series(tiff, path)
    return list(series[0].levels[0]) if len(series) == 1 else [one[0] for one in series]


def _volume_shape(series: Sequence[tifffile.TiffPageSeries], path: str | PathLike) -> tuple[int, int, int]:
    if len(series) > 1:
        return (len(series), *series[0].shape)
    letters, sizes = series[0].axes[:-2], series[0].shape[:-2]  # the rest are rows and columns
    stacked = [(letter, size) for letter, size in zip(letters, sizes, strict=True) if size > 1]
    several = next((pair for pair in stacked if pair[0] in _NOT_SLICES), None)
    if several is not None:
        raise InputError(
            f"TIFF with {several[1]} {_NOT_SLICES[several[0]]} where one gray volume is expected",
            path=path,
            remedy="save one channel and one time point, its planes as slices (Z)",
        )
    if len(stacked) > 1 or series[0].is_multifile:
        problem = "planes in other files" if series[0].is_multifile else f"axes {series[0].axes}"
        raise InputError(f"TIFF with {problem}", path=path, remedy="save one volume of slices to a file")
    return (stacked[0][1] if stacked else 1, *series[0].shape[-2:])


def _flat_offset(series: Sequence[tifffile.TiffPageSeries]) -> int | None:
    """First byte of the voxels where they lie in one piece as they are to be read."""
    page = series[0].keyframe
    plain = page.compression == 1 and int(page.photometric) == 1 and page.bitspersample % 8 == 0
    return series[0].dataoffset if plain and len(series) == 1 else None


def _check_pages(
    pages: Sequence[tifffile.TiffPage | tifffile.TiffFrame | None],
    path: str | PathLike,
    *,
    count: int,
    size: int,
) -> None:
    if len(pages) != count or None in pages:
        present = sum(page is not None for page in pages)
        raise InputError(
            f"truncated TIFF: {present} pages of {count}", path=path, remedy="copy or export the file again"
        )
    for page in pages:
        check_whole(page, path, size=size)
