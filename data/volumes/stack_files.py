# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are a volume's slices."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ...utils import InputError
from ..slices import list_slices, slice_number
from .views import checked_range


def stack_files(folder: str | PathLike, *, slices: Sequence[int] | None = None) -> list[Path]:
    """List a folder's slices in order; none may be missing.

    Args:
        folder: one file a slice, see ``list_slices``.
        slices: (first, last) numbers in the file names, inclusive; None takes all files.

    Raises:
        InputError: see ``list_slices``; or a number between first and last without a file.
    """
    if slices is None:
        return list_slices(folder)
    first, last = checked_range(slices)
    numbered = {slice_number(file): file for file in list_slices(folder, allow_gaps=True)}
    missing = [number for number in range(first, last + 1) if number not in numbered]
    if missing:
        some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise InputError(
            f"slices are missing: number {some} of {first}..{last}",
            path=folder,
            remedy="restore them, or give the first and the last number of files that exist",
        )
    return [numbered[number] for number in range(first, last + 1)]


def stack_meta(
    path: str | PathLike, *, form: str, files: Sequence[Path], slices: Sequence[int] | None
) -> dict[str, Any]:
    """What is known of a stack of files, see ``Volume``'s ``meta``."""
    meta = {
        "path": str(path),
        "form": form,
        "slice_names": [file.stem for file in files],
        "slice_files": [file.name for file in files],
    }
    return meta if slices is None else {**meta, "slices": [int(number) for number in slices]}
