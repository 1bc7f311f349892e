# SPDX-License-Identifier: Apache-2.0
"""Names of results: a volume's name without the endings of its file or folder."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from .slices import SLICE_SUFFIXES

LABEL_SUFFIX = "_labelMark"  # the contest's name for masks: <volume>_labelMark
_ENDINGS = (".nii.gz", ".nii", ".npy", *SLICE_SUFFIXES)


def volume_name(source: str | PathLike) -> str:
    """Return the name of a volume: its file or folder name without format endings.

    ``P0012_cube_z.img`` (a folder), ``P0012_cube_z.nii.gz`` and ``P0012_cube_z.npy`` all give
    ``P0012_cube_z``.

    Args:
        source: file or folder of the volume; it need not exist.
    """
    path = Path(source)
    name = path.name or path.resolve().name  # "." has no name of its own
    for ending in (".img", *_ENDINGS):
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name
