# SPDX-License-Identifier: Apache-2.0
"""A folder of PNG, JPEG or BMP files, one slice a file; or one such file."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...utils import InputError
from ..slices import read_slice
from .sliced import SliceVolume
from .stack_files import stack_meta


class ImageStack(SliceVolume):
    """Slices in image files. The files' sizes are compared when it is opened, the rest when decoded.

    Args:
        path: the folder, for messages and ``meta``.
        files: the slices' files in order.
        spacing_um: see ``Volume``; such files do not tell.
        slices: numbers of the first and the last file, where not all of the folder are taken.

    Raises:
        InputError: a slice of another size or bit depth, colour, or a damaged file. Each names the file.
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
        first = _read(self.files[0])
        super().__init__(
            shape=(len(self.files), *first.shape),
            dtype=first.dtype,
            spacing_um=spacing_um,
            meta=stack_meta(path, form="images", files=self.files, slices=slices),
        )
        for file in self.files[1:]:
            self._check_size(_size(file), file)

    def _decode(self, index: int) -> np.ndarray:
        file = self.files[index]
        pixels = _read(file)
        self._check_size(pixels.shape, file)
        if pixels.dtype != self.dtype:
            raise InputError(
                f"slice of type {pixels.dtype}, but {self.files[0].name} is {self.dtype}: mixed bit depths",
                path=file,
                remedy="all slices of a volume need the same bit depth: export it again",
            )
        return pixels

    def _check_size(self, size: tuple[int, ...], file: Path) -> None:
        if size != self.shape[1:]:
            wanted = f"{self.files[0].name} has {self.shape[1]} x {self.shape[2]}"
            raise InputError(
                f"slice of {size[0]} x {size[1]} pixels, but {wanted}",
                path=file,
                remedy="all slices of a volume need the same size: export it again",
            )


def _size(file: Path) -> tuple[int, int]:
    """Rows and columns, from the file's header."""
    with _image_errors(file), Image.open(file) as image:
        return image.height, image.width


def _read(file: Path) -> np.ndarray:
    with _image_errors(file):
        return read_slice(file)


class _NoBombWarning:
    """Pillow warns of slices beyond 89 megapixels, which HiP-CT has, and refuses twice as many.

    Filters belong to the process: of slices read side by side the first sets them, the last restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings(
                    action="ignore", category=Image.DecompressionBombWarning
                )
                self._filters.__enter__()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_no_bomb_warning = _NoBombWarning()


@contextmanager
def _image_errors(file: Path) -> Iterator[None]:
    try:
        with _no_bomb_warning:
            yield
    except Image.DecompressionBombError as error:
        raise InputError("slice too large for this format", path=file, remedy="save it as TIFF") from error
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"cannot be read as an image: {reason}", path=file, remedy="export or copy it again"
        ) from error
