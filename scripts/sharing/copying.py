# SPDX-License-Identifier: Apache-2.0
"""Plain files from one folder to another; links are refused, hidden files stay."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...utils import InputError


def plain_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted, without hidden ones, what lies in hidden folders, and bytecode.

    Raises:
        InputError: if the folder or anything below it is a symbolic link.
    """
    found = []
    for path in [folder, *sorted(folder.rglob("*"))]:
        if path.is_symlink():
            raise _link(path)
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            found.append(path)
    return found


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes; folders above the target are made.

    Raises:
        InputError: if there is no such file, or if it is a symbolic link.
    """
    if source.is_symlink():
        raise _link(source)
    if not source.is_file():
        raise InputError("no such file", path=source)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _link(path: Path) -> InputError:
    return InputError("is a symbolic link", path=path, remedy="Put the file itself there.")
