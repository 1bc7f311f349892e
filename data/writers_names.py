# SPDX-License-Identifier: Apache-2.0
"""Names of results: a volume's name without the endings of its file or folder, each name once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from .slices import SLICE_SUFFIXES

LABEL_SUFFIX = "_labelMark"  # the contest's name for masks: <volume>_labelMark
ENDINGS = (".nii.gz", ".nii", ".npy", ".mhd", ".mha", *SLICE_SUFFIXES)


def volume_name(source: str | PathLike, *, endings: Sequence[str] = ENDINGS) -> str:
    """Return the name of a volume: its file or folder name without format endings.

    ``P0012_cube_z.img`` (a folder), ``P0012_cube_z.nii.gz`` and ``P0012_cube_z.npy`` all give
    ``P0012_cube_z``.

    Args:
        source: file or folder of the volume; it need not exist.
        endings: endings of files to drop, in lower case.
    """
    path = Path(source)
    name = path.name or path.resolve().name  # "." has no name of its own
    for ending in (".img", *endings):
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def distinct_names(paths: Sequence[str], *, endings: Sequence[str] = ENDINGS) -> dict[str, str]:
    """Name each volume by its file; where names repeat, parent folders are put in front until they differ.

    Volumes of one folder that differ in their ending alone keep it.

    Args:
        paths: files or folders.
        endings: see :func:`volume_name`.
    """
    names = {path: volume_name(path, endings=endings) for path in paths}
    for depth in range(1, max((len(Path(path).parts) for path in paths), default=1)):
        for path in _repeated(names):
            parents = Path(path).parts[:-1]
            if depth <= len(parents):
                names[path] = f"{parents[-depth].strip('/')}_{names[path]}"
    return names | {path: Path(path).name for path in _repeated(names)}


def _repeated(names: Mapping[str, str]) -> list[str]:
    counts = Counter(names.values())
    return [path for path, name in names.items() if counts[name] > 1]
