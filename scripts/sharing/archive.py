# SPDX-License-Identifier: Apache-2.0
"""A zip whose bytes depend on the names and the contents of its files alone."""

from __future__ import annotations

import shutil
import stat
import zipfile
from os import PathLike
from pathlib import Path

from ...utils import InputError, atomic_path

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state
_UNIX = 3


def write_archive(folder: str | PathLike[str], path: str | PathLike[str]) -> None:
    """Write a folder as a zip whose only top folder it is.

    Names are sorted; dates, permissions (0644) and the system are fixed. Files are stored as they are:
    compressed bytes change with the release of zlib, and weights hardly shrink.

    Args:
        folder: its own name becomes the top folder's; hidden files are written, empty folders are not.
        path: the zip to write; whole or not there.

    Raises:
        InputError: if there is a symbolic link below the folder.
    """
    root = Path(folder)
    files = sorted(root.rglob("*"), key=lambda file: file.relative_to(root).as_posix())
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", compression=zipfile.ZIP_STORED) as archive,
    ):
        for file in files:
            if file.is_symlink():
                raise InputError("is a symbolic link", path=file, remedy="Put the file itself there.")
            if file.is_file():
                _add(archive, file, name=file.relative_to(root.parent).as_posix())


def _add(archive: zipfile.ZipFile, file: Path, *, name: str) -> None:
    entry = zipfile.ZipInfo(name, date_time=_FIRST_DATE)
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.file_size = file.stat().st_size  # decides between the short and the long (zip64) form
    with file.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)
