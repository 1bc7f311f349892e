# SPDX-License-Identifier: Apache-2.0
"""A copy of a volume that boxes can be read from cheaply, whichever their shape."""

from __future__ import annotations

import errno
import hashlib
import json
from os import PathLike
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...utils import InputError, atomic_path, one_process
from .base import Volume, slabs
from .free_space import check_free_space
from .raw import RawVolume

_SLAB_BYTES = 64 << 20


def stage(volume: Volume, folder: str | PathLike, *, progress: bool = True) -> RawVolume:
    """Copy a volume to an uncompressed file, slab by slab; a copy that is there already is used again.

    Of several processes that want it one makes the copy, while the others wait.

    The copy's name tells what it is a copy of: the volume's kind and ``meta`` (path, level, slices, ...),
    size and time of its files, its type and shape. So wrappers whose effect ``meta`` does not tell should be
    put around the copy, not be copied.

    Args:
        volume: any; most useful where ``random_access`` is False.
        folder: where the copy is kept, ``<folder>/<name>.npy``; made where absent.
        progress: show a bar.

    Returns:
        the copy, with the volume's voxel size and ``meta``.

    Raises:
        InputError: the disk is too full (asked before, and where it fills up while writing; nothing stays
            behind then), or the volume cannot be read.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{fingerprint(volume)}.npy"
    copy = _existing(target, volume)
    if copy is None:
        with one_process(target.with_suffix(".lock")):
            copy = _existing(target, volume) or _new_copy(volume, target, progress=progress)
    return copy


def _new_copy(volume: Volume, target: Path, *, progress: bool) -> RawVolume:
    folder = target.parent
    wanted = int(np.prod(volume.shape, dtype=np.int64)) * volume.dtype.itemsize
    check_free_space(folder, wanted, what=f"a copy of {volume.path}")
    try:
        with atomic_path(target) as temporary:
            _copy(volume, temporary, progress=progress)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"disk full while a copy of {wanted / 1e9:.2f} GB was written",
            path=folder,
            remedy="free space, or name a folder on another disk; nothing was left behind",
        ) from error
    return RawVolume(target, spacing_um=volume.spacing_um, meta=volume.meta)


def fingerprint(volume: Volume) -> str:
    """A name for a volume's content, 24 hexadecimal digits; see ``stage``."""
    about = [type(volume).__name__, volume.shape, volume.dtype.str, volume.meta, _files(volume)]
    text = json.dumps(about, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _files(volume: Volume) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files that a volume comes from."""
    path = Path(volume.path)
    names = volume.meta.get("slice_files")
    if path.is_dir():
        # chunks of a zarr are too many to ask each; its folders and metadata change when it is written again
        files = [path / name for name in names] if names else [path, *path.glob("*"), *path.glob("*/.z*")]
    else:
        files = [path]
    stats = [(str(file.resolve()), file.stat()) for file in sorted(files) if file.exists()]
    return [(name, status.st_size, status.st_mtime_ns) for name, status in stats]


def _existing(target: Path, volume: Volume) -> RawVolume | None:
    if not target.is_file():
        return None
    try:
        copy = RawVolume(target, spacing_um=volume.spacing_um, meta=volume.meta)
    except InputError:  # damaged since it was written
        return None
    return copy if (copy.shape, copy.dtype) == (volume.shape, volume.dtype) else None


def _copy(volume: Volume, path: Path, *, progress: bool) -> None:
    copy = RawVolume.create(path, shape=volume.shape, dtype=volume.dtype)
    axis = volume.slab_axis
    plane = int(np.prod(volume.shape, dtype=np.int64)) * volume.dtype.itemsize // volume.shape[axis]
    thickness = max(1, _SLAB_BYTES // max(plane, 1))
    name = Path(volume.path).name or "volume"
    with tqdm(total=volume.shape[axis], desc=f"copy {name}", unit="slice", disable=not progress) as bar:
        for box in slabs(volume.shape, thickness=thickness, axis=axis):
            copy.write(box, volume.read(box))
            bar.update(box[axis].stop - box[axis].start)
