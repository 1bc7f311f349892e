# SPDX-License-Identifier: Apache-2.0
"""Locks between processes that share a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike


@contextmanager
def one_process(path: str | PathLike) -> Iterator[None]:
    """Let one process at a time run the block; the others wait.

    The lock is the operating system's, so a process that dies gives it up, and no process has to be told of
    the others. Where the disk or the system (Windows) has no such locks, the block runs without.

    Args:
        path: a file that exists only while the lock is held, in a folder that is there.
    """
    handle = _acquire(path)
    try:
        yield
    finally:
        if handle is not None:
            os.unlink(path)
            os.close(handle)


def _acquire(path: str | PathLike) -> int | None:
    try:
        import fcntl
    except ImportError:
        return None
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            os.close(handle)
            return None
        if _is_at(handle, path):
            return handle
        os.close(handle)  # who held it before removed the file: the next one made another


def _is_at(handle: int, path: str | PathLike) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), found)
