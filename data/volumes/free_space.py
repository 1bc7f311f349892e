# SPDX-License-Identifier: Apache-2.0
"""Is there room on the disk, asked before hours of work."""

from __future__ import annotations

import shutil
from os import PathLike

from ...utils import InputError


def check_free_space(folder: str | PathLike, wanted: int, *, what: str) -> None:
    """Check that a folder's disk has room.

    Args:
        folder: an existing folder.
        wanted: bytes.
        what: what they are for, for the message.

    Raises:
        InputError: not enough space.
    """
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise InputError(
            f"disk too full: {wanted / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free",
            path=folder,
            remedy=f"free space, or name a folder on another disk (needed for {what})",
        )
