# SPDX-License-Identifier: Apache-2.0
"""Names in an archive: each must mean one file inside one folder, on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

_MAX_DEPTH = 20
_MAX_LENGTH = 255
# names that Windows gives to devices, whatever their ending
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".whl"}


def why_not_names(names: Sequence[str]) -> str | None:
    """Say why an archive's names are refused.

    Args:
        names: as they are written in the archive; "/" at the end marks a folder.

    Returns:
        The name and the reason; None if they are names of files inside one folder, each once.
    """
    for name in names:
        reason = _why_not(name)
        if reason:
            return f"{_shown(name)}: {reason}"
    folders = {name.split("/")[0] for name in names}
    if len(folders) != 1 or not any("/" in name.rstrip("/") for name in names):
        return "not all entries lie in one folder" if names else "no entries"
    return _why_not_together(names)


def _why_not(name: str) -> str | None:
    if not name or not name.strip("/"):
        return "an empty name"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "control characters in the name"
    if "\\" in name or ":" in name:
        return "a backslash or a colon in the name"
    if name.startswith("/"):
        return "an absolute name"
    parts = name.removesuffix("/").split("/")
    if "" in parts or "." in parts or ".." in parts:
        return "a name that leads elsewhere"
    if len(parts) > _MAX_DEPTH or len(name.encode("utf-8", "replace")) > _MAX_LENGTH:
        return "too deep or too long a name"
    if any(map(_is_odd_on_windows, parts)):
        return "a name that Windows cannot hold"
    if PurePosixPath(name).suffix.lower() in _ARCHIVES:
        return "an archive inside the archive"
    return None


def _is_odd_on_windows(part: str) -> bool:
    return part != part.strip() or part.endswith(".") or part.split(".")[0].lower() in _DEVICES


def _why_not_together(names: Sequence[str]) -> str | None:
    """Names that fold to one on a system without upper and lower case, or are a file and a folder."""
    files, folders = set(), set()
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold().rstrip("/")
        parts = folded.split("/")
        if folded in files or (folded in folders and not name.endswith("/")):
            return f"{_shown(name)}: twice"
        above = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if above & files:
            return f"{_shown(name)}: in a folder that is also a file"
        folders |= above | ({folded} if name.endswith("/") else set())
        files |= set() if name.endswith("/") else {folded}
    return None


def _shown(name: str) -> str:
    return ascii(name[:80])
