# SPDX-License-Identifier: Apache-2.0
"""The SHA-256 manifest of a packed bundle, in the form that ``sha256sum -c`` reads."""

from __future__ import annotations

import hashlib
import re
from os import PathLike
from pathlib import Path

from ...utils import InputError, atomic_path

MANIFEST = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def file_sums(root: str | PathLike[str]) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, but of the manifest at its top.

    Args:
        root: the folder.

    Returns:
        Hexadecimal digest by path: relative to ``root``, with "/", sorted.
    """
    folder = Path(root)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: file_sum(found[name]) for name in sorted(found) if name != MANIFEST}


def file_sum(path: str | PathLike[str]) -> str:
    """Return the SHA-256 of one file, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(sums: dict[str, str]) -> str:
    """Return one SHA-256 for many files: that of their manifest's text."""
    return hashlib.sha256(_text(sums).encode("utf-8")).hexdigest()


def write_manifest(root: str | PathLike[str]) -> None:
    """Write the manifest of a folder to its top.

    Raises:
        InputError: if a file's name has a line break, which the manifest's form has no room for.
    """
    sums = file_sums(root)
    for name in sums:
        if len(name.splitlines()) != 1:
            raise InputError(f"a file's name has a line break: {name!r}", path=root, remedy="Rename it.")
    with atomic_path(Path(root) / MANIFEST) as temporary:
        temporary.write_bytes(_text(sums).encode("utf-8"))


def read_manifest(root: str | PathLike[str]) -> dict[str, str]:
    """Read the manifest at the top of a folder; nothing is compared with the files.

    Returns:
        As :func:`file_sums`, in the manifest's order.

    Raises:
        InputError: if there is none, if a line is not "<SHA-256>  <path>", or if a path comes twice.
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        raise InputError("the bundle has no manifest", path=path, remedy="Pack it with tomobundles package.")
    sums: dict[str, str] = {}
    for number, line in enumerate(_lines(path), 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in sums:
            problem = "is no line of a manifest" if match is None else "names a file for the second time"
            raise InputError(f"line {number} {problem}", path=path, remedy="Get the bundle again.")
        sums[match[2]] = match[1]
    return sums


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("the manifest is not text", path=path, remedy="Get the bundle again.") from error


def _text(sums: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items())
