# SPDX-License-Identifier: Apache-2.0
"""Names of scans in tables of nodules: one scan, however a table spells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import Any

from ..writers_names import volume_name

_TIANCHI = re.compile(r"LKDS[-_ ]?(\d+)", re.IGNORECASE)  # tables write LKDS_00001, files LKDS-00001


def uid_key(name: str | PathLike) -> str:
    """What a scan's name is compared by.

    Args:
        name: a seriesuid as a table has it, or a file or folder: folders and endings do not count, and
            LKDS_00001 is LKDS-00001.
    """
    plain = volume_name(str(name).strip()) if str(name).strip() else ""
    match = _TIANCHI.fullmatch(plain)
    return f"LKDS-{match[1]}" if match else plain


def seriesuid_of(item: Mapping[str, Any]) -> str:
    """The name of an item's scan in tables: its "seriesuid", else its DICOM "series_uid", else its file's."""
    return str(item.get("seriesuid") or item.get("series_uid") or volume_name(item["image"]))
