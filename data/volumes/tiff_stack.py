# SPDX-License-Identifier: Apache-2.0
"""A folder of TIFF files, one slice a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import tifffile

from ...utils import InputError
from .sliced import SliceVolume
from .stack_files import stack_meta
from .tiff_pages import check_gray, check_whole, full_pages, read_page, tiff_errors
from .tiff_spacing import Spacing, tiff_spacing


class TiffStack(SliceVolume):
    """Slices in TIFF files: 1, 8, 16 or 32 bit or float, tiled or in strips, compressed or not, BigTIFF.

    When it is opened, the header of each file is read and compared; pixels are decoded where they are asked
    for, at full bit depth.

    Args:
        path: the folder, for messages and ``meta``.
        files: the slices' files in order.
        spacing_um: see ``Volume``; None takes what the first file states.
        slices: numbers of the first and the last file, where not all of the folder are taken.

    Raises:
        InputError: a slice of another size or bit depth, colour, a palette, several channels or pages, a
            truncated or unreadable file. Each names the file.
    """

    parallel = True

    def __init__(
        self,
        path: str | PathLike,
        *,
        files: Sequence[Path],
        spacing_um: Sequence[float] | float | None = None,
        slices: Sequence[int] | None = None,
    ) -> None:
        self.files = list(files)
        first = read_header(self.files[0])
        for file in self.files[1:]:
            _check_same(read_header(file), first, file, self.files[0])
        meta = stack_meta(path, form="tiff_stack", files=self.files, slices=slices)
        if spacing_um is None:
            spacing_um, meta["spacing_source"] = stated_spacing(self.files[0])
        shape = (len(self.files), *first.shape)
        super().__init__(shape=shape, dtype=first.dtype, spacing_um=spacing_um, meta=meta)

    def _decode(self, index: int) -> np.ndarray:
        file = self.files[index]
        with tiff_errors(file), tifffile.TiffFile(file) as tiff:
            pixels = read_page(_only_page(tiff, file), workers=1)
        header = TiffHeader(pixels.shape, pixels.dtype)
        _check_same(header, TiffHeader(self.shape[1:], self.dtype), file, self.files[0])
        return pixels


@dataclass(frozen=True)
class TiffHeader:
    """Size (rows, columns) and type of a slice."""

    shape: tuple[int, int]
    dtype: np.dtype


def read_header(file: Path) -> TiffHeader:
    """Read and check what a TIFF of one slice says of itself, without decoding it.

    Raises:
        InputError: see ``TiffStack``.
    """
    with tiff_errors(file), tifffile.TiffFile(file) as tiff:
        page = _only_page(tiff, file)
        dtype = check_gray(page, file)
        check_whole(page, file, size=tiff.filehandle.size)
        return TiffHeader(tuple(page.shape), dtype)


def stated_spacing(file: Path) -> tuple[Spacing | None, str]:
    """Voxel size in a TIFF file, and where it stands; see ``tiff_spacing``."""
    with tiff_errors(file), tifffile.TiffFile(file) as tiff:
        return tiff_spacing(tiff, file)


def _only_page(tiff: tifffile.TiffFile, file: Path) -> tifffile.TiffPage:
    pages = full_pages(tiff, file)
    if len(pages) != 1:
        raise InputError(
            f"TIFF with {len(pages)} pages in a folder of slices",
            path=file,
            remedy="keep one slice a file in a folder, or give the path of the file with all slices",
        )
    return pages[0]


def _check_same(header: TiffHeader, first: TiffHeader, file: Path, first_file: Path) -> None:
    if header.shape != first.shape:
        problem = f"slice of {_size(header)} pixels, but {first_file.name} has {_size(first)}"
    elif header.dtype != first.dtype:
        problem = f"slice of type {header.dtype}, but {first_file.name} is {first.dtype}: mixed bit depths"
    else:
        return
    raise InputError(
        problem, path=file, remedy="all slices of a volume need the same size and bit depth: export it again"
    )


def _size(header: TiffHeader) -> str:
    return f"{header.shape[0]} x {header.shape[1]}"
