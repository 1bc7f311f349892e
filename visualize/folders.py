# SPDX-License-Identifier: Apache-2.0
"""Folders that are either whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from ..utils import InputError


@contextmanager
def atomic_folder(path: str | PathLike) -> Iterator[Path]:
    """Give an empty temporary folder beside ``path``, of any depth; on success it takes ``path``'s place.

    An older folder of that name is replaced only then. If the block raises, the temporary folder is removed
    and ``path`` is untouched. Parent folders are made.

    Args:
        path: the folder to make.

    Raises:
        InputError: ``path`` exists and is not a folder.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise InputError("a file stands where a folder shall be written", path=target, remedy="move it away")
    target.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(tempfile.mkdtemp(prefix=".partial-", suffix="-" + target.name, dir=target.parent))
    fresh, old = workspace / "fresh", workspace / "old"
    try:
        fresh.mkdir()  # inside mkdtemp's private folder, so it has the user's own permissions when moved out
        yield fresh
        for file in fresh.rglob("*"):
            if file.is_file():
                _sync(file)
        _swap(fresh, target, old)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _sync(file: Path) -> None:
    """Have the file's content on disk before its name is."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())


def _swap(fresh: Path, target: Path, old: Path) -> None:
    """Move ``fresh`` to ``target``; a folder that is there goes to ``old``, and comes back if that fails.

    No portable call exchanges two folders, so for an instant between two renames ``target`` is not there.
    """
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(fresh, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
