# SPDX-License-Identifier: Apache-2.0
"""Pages of TIFF files: what may be a slice, and its pixels."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

import numpy as np
import tifffile

from ...utils import InputError
from .flat import checked_dtype, read_dtype

TIFF_SUFFIXES = (".tif", ".tiff")
# what tifffile and its decoders raise for damaged files; imagecodecs' errors are RuntimeErrors
TIFF_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    IndexError,
    KeyError,
    TypeError,
    ZeroDivisionError,
    struct.error,
)
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_GRAY = (_WHITE_IS_ZERO, _BLACK_IS_ZERO)


@contextmanager
def tiff_errors(path: str | PathLike) -> Iterator[None]:
    """Turn whatever a damaged TIFF raises into an ``InputError`` that names it; keep tifffile's log quiet."""
    try:
        with _quiet:
            yield
    except TIFF_ERRORS as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"cannot be read as TIFF: {reason}",
            path=path,
            remedy="the file is missing, truncated or of another format: export or copy it again",
        ) from error


def check_gray(page: tifffile.TiffPage | tifffile.TiffFrame, path: str | PathLike) -> np.dtype:
    """Check that a page holds one gray value a pixel.

    Returns:
        the type that ``read_page`` gives.

    Raises:
        InputError: RGB, a palette, several channels, or values that are no plain numbers.
    """
    photometric, samples = int(page.photometric), page.samplesperpixel
    problem = None
    if photometric == 3:
        problem = "palette TIFF: its values are places in a table of colours"
    elif photometric not in _GRAY:
        problem = f"{getattr(page.photometric, 'name', photometric)} TIFF where gray is expected"
    elif samples > 1 or page.ndim != 2:
        problem = f"TIFF with {samples} channels" if samples > 1 else f"TIFF page of shape {page.shape}"
    if problem is not None:
        raise InputError(problem, path=path, remedy="export the scan in gray: one channel, 8, 16 or 32 bit")
    if page.dtype is None:
        raise InputError(
            f"TIFF of {page.bitspersample} bits a pixel", path=path, remedy="export it with 8, 16 or 32 bit"
        )
    return read_dtype(checked_dtype(page.dtype, path=path))


def check_whole(page: tifffile.TiffPage | tifffile.TiffFrame, path: str | PathLike, *, size: int) -> None:
    """Check, without decoding, that all of a page's data lie within the file.

    Args:
        page: any page.
        path: its file, for the message.
        size: bytes of the file.

    Raises:
        InputError: data beyond the file's end, or parts that were never written.
    """
    counts, offsets = page.databytecounts, page.dataoffsets
    end = max((offset + count for offset, count in zip(offsets, counts, strict=False)), default=0)
    absent = not counts or min(counts) == 0 or min(offsets) == 0
    if end > size or absent:
        problem = "parts of the image were never written" if absent else f"{size} bytes of {end}"
        raise InputError(
            f"truncated TIFF: {problem}", path=path, remedy="copy or export the file again, it is not whole"
        )


def read_page(page: tifffile.TiffPage | tifffile.TiffFrame, *, workers: int | None = None) -> np.ndarray:
    """Decode a gray page (rows, columns), bilevel as 0 and 1; where 0 is meant to be white, invert it."""
    pixels = page.asarray(maxworkers=workers)
    kind = page.keyframe  # a frame has its pixels alone
    if int(kind.photometric) == _WHITE_IS_ZERO and pixels.dtype.kind in "bu":
        bits = kind.bitspersample
        pixels = ~pixels if pixels.dtype == bool else pixels.dtype.type(2**bits - 1) - pixels
    return np.ascontiguousarray(pixels, dtype=read_dtype(pixels.dtype))


def full_pages(tiff: tifffile.TiffFile, path: str | PathLike) -> list[tifffile.TiffPage]:
    """Pages that are no smaller copies of another page (overviews, thumbnails).

    Raises:
        InputError: the last page names a next one, which the file does not hold; tifffile only logs that.
    """
    pages = list(tiff.pages)
    if pages and _next_page(tiff, pages[-1].offset):
        raise InputError(
            f"truncated TIFF: pages are missing after the first {len(pages)}",
            path=path,
            remedy="copy or export the file again, it is not whole",
        )
    return [page for page in pages if not page.is_reduced]


def _next_page(tiff: tifffile.TiffFile, page: int) -> int:
    """Byte of the page that follows the one at a byte, 0 after the last."""
    form, file = tiff.tiff, tiff.filehandle
    file.seek(page)
    tags = struct.unpack(form.tagnoformat, file.read(form.tagnosize))[0]
    file.seek(page + form.tagnosize + tags * form.tagsize)
    return struct.unpack(form.offsetformat, file.read(form.offsetsize))[0]


class _Quiet:
    """tifffile's log off, while any thread is inside: what matters is raised, and names the file."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.logger = logging.getLogger("tifffile")

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.logger.addFilter(_nothing)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


_quiet = _Quiet()
