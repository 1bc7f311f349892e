# SPDX-License-Identifier: Apache-2.0
"""Where a zip's entries lie in the file: one after the other, none inside another."""

from __future__ import annotations

import struct
import zipfile

_HEADER = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\x03\x04"


def why_not_layout(opened: zipfile.ZipFile) -> str | None:
    """Say which entries of a zip share bytes: the way to a bomb whose every entry looks small.

    Args:
        opened: the zip, open for reading.

    Returns:
        The entry and the reason; None if every entry has bytes of its own before the list of entries.
    """
    end = 0
    for entry in sorted(opened.infolist(), key=lambda one: one.header_offset):
        if entry.header_offset < end:
            return f"{entry.filename}: overlaps the entry before it"
        opened.fp.seek(entry.header_offset)
        header = opened.fp.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
            return f"{entry.filename}: no entry where the list says"
        *_, name_length, extra_length = _HEADER.unpack(header)
        end = entry.header_offset + _HEADER.size + name_length + extra_length + entry.compress_size
    return "entries overlap the list of entries" if end > opened.start_dir else None
