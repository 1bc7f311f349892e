# SPDX-License-Identifier: Apache-2.0
"""Folders of slice images: which files are slices, in which order, and their pixels at full bit depth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from ..utils import InputError

SLICE_SUFFIXES = (".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
# Pillow modes that hold one gray value a pixel; palettes ("P") are gray in old OCT exports, checked below.
_JPEG_SUFFIXES = (".jpg", ".jpeg")
# Gray scans saved as colour JPEG come back with channels up to 22 levels from their mean (measured over 329
# published B-scans); colour that somebody drew lies beyond 80.
_JPEG_CHROMA_NOISE = 32
_GRAY_MODES = ("1", "L", "I", "I;16", "I;16L", "I;16B", "F")


def slice_number(path: str | PathLike) -> int | None:
    """Return the last number in the file's stem (``img_007.png`` -> 7), or None where there is none."""
    numbers = re.findall(r"\d+", Path(path).stem)
    return int(numbers[-1]) if numbers else None


def natural_key(path: str | PathLike) -> list[tuple[int, int | str]]:
    """Sort key that compares digits as numbers, so that ``slice_10`` follows ``slice_9``."""
    parts = re.split(r"(\d+)", Path(path).name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


def is_slice_folder(path: str | PathLike) -> bool:
    """Say whether ``path`` is a folder that holds at least one slice image."""
    folder = Path(path)
    return folder.is_dir() and any(_is_slice(file) for file in folder.iterdir())


def list_slices(folder: str | PathLike, *, allow_gaps: bool = False) -> list[Path]:
    """List a folder's slice images in natural order and check that none is missing.

    Args:
        folder: folder of BMP, PNG, JPG or TIFF files, one slice a file.
        allow_gaps: accept numbers that do not follow each other (every second slice kept, say).

    Returns:
        the files, in the order of their last number.

    Raises:
        InputError: not a folder, unreadable, no slice in it, two formats mixed, a number twice, or a gap.
    """
    folder = Path(folder)
    try:
        files = [file for file in folder.iterdir() if _is_slice(file)]
    except OSError as error:
        raise InputError(
            f"cannot list this folder: {error.strerror or error}",
            path=folder,
            remedy="check that the path is a folder of slice images and that you may read it",
        ) from error
    if not files:
        raise InputError(
            "no slice image in this folder",
            path=folder,
            remedy=f"put one file a slice there ({', '.join(SLICE_SUFFIXES)})",
        )
    _check_one_format(folder, files)
    files.sort(key=natural_key)
    numbers = [slice_number(file) for file in files]
    if None not in numbers:
        files = [file for _, file in sorted(zip(numbers, files, strict=True), key=lambda pair: pair[0])]
        _check_numbers(folder, sorted(numbers), allow_gaps=allow_gaps)
    return files


def read_slice(path: str | PathLike) -> np.ndarray:
    """Read one gray slice image as (rows, columns), its bit depth kept (uint8, uint16, int32 or float32).

    TIFF goes through tifffile, everything else through Pillow. Three channels that are all equal are gray
    stored as colour and are accepted, so are those of a JPEG that differ by no more than its compression
    does (their mean is taken); real colour is refused.

    Raises:
        InputError: missing, truncated or not an image, more than one page, or colour.
    """
    path = Path(path)
    try:
        pixels = _read_tiff(path) if path.suffix.lower() in (".tif", ".tiff") else _read_pillow(path)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"cannot be read as an image: {reason}",
            path=path,
            remedy="the file is missing, truncated or of another format: export or copy it again",
        ) from error
    return _to_gray(pixels, path)


def read_slices(files: Sequence[str | PathLike]) -> np.ndarray:
    """Read slice images into one array (slices, rows, columns), all of one size and bit depth.

    Raises:
        InputError: a slice whose size or bit depth differs from the first one's.
    """
    first = read_slice(files[0])
    volume = np.empty((len(files), *first.shape), dtype=first.dtype)
    volume[0] = first
    for index, file in enumerate(files[1:], start=1):
        pixels = read_slice(file)
        if pixels.shape != first.shape or pixels.dtype != first.dtype:
            raise InputError(
                f"slice is {_describe(pixels)}, but {Path(files[0]).name} is {_describe(first)}",
                path=file,
                remedy="all slices of a volume need the same size and bit depth",
            )
        volume[index] = pixels
    return volume


def _is_slice(path: Path) -> bool:
    return path.suffix.lower() in SLICE_SUFFIXES and not path.name.startswith(".")


def _check_one_format(folder: Path, files: Sequence[Path]) -> None:
    suffixes = Counter(file.suffix.lower() for file in files)
    if len(suffixes) > 1:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common())
        raise InputError(
            f"slice images of several formats in one folder: {counts}",
            path=folder,
            remedy="keep one volume, in one format, in each folder",
        )


def _check_numbers(folder: Path, numbers: Sequence[int], *, allow_gaps: bool) -> None:
    doubles = sorted(number for number, count in Counter(numbers).items() if count > 1)
    if doubles:
        raise InputError(
            f"slice number {doubles[0]} occurs more than once",
            path=folder,
            remedy="keep one volume in each folder",
        )
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing and not allow_gaps:
        some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise InputError(
            f"slices are missing: number {some} of {numbers[0]}..{numbers[-1]}",
            path=folder,
            remedy="restore them, or renumber the files if the volume really has gaps",
        )


def _read_tiff(path: Path) -> np.ndarray:
    with tifffile.TiffFile(path) as tiff:
        if len(tiff.pages) != 1:
            raise InputError(
                f"TIFF with {len(tiff.pages)} pages where one slice is expected",
                path=path,
                remedy="write one page a file, or give the volume as NIfTI or .npy",
            )
        return tiff.pages[0].asarray()


def _read_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        if image.mode in _GRAY_MODES:
            pixels = np.asarray(image)
            return pixels.astype(np.uint8) if pixels.dtype == bool else pixels
        return np.asarray(image.convert("RGB"))


def _to_gray(pixels: np.ndarray, path: Path) -> np.ndarray:
    if pixels.ndim == 2:
        return pixels
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        red, green, blue = (pixels[..., channel] for channel in range(3))
        if np.array_equal(red, green) and np.array_equal(red, blue):
            return np.ascontiguousarray(red)
        if path.suffix.lower() in _JPEG_SUFFIXES:
            mean = pixels.mean(axis=2, keepdims=True)
            if np.abs(pixels - mean).max() <= _JPEG_CHROMA_NOISE:
                return np.rint(mean[..., 0]).astype(np.uint8)
        raise InputError(
            "colour image where gray is expected",
            path=path,
            remedy="export the scan in gray (one channel), without annotations drawn on it",
        )
    raise InputError(
        f"image of shape {pixels.shape} where one gray slice is expected",
        path=path,
        remedy="give one file a slice, rows by columns",
    )


def _describe(pixels: np.ndarray) -> str:
    return f"{pixels.shape[0]} x {pixels.shape[1]} {pixels.dtype}"
