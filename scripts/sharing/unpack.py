# SPDX-License-Identifier: Apache-2.0
"""Archives from strangers: looked through before anything of them is written."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

from ...utils import InputError
from .archive_layout import why_not_layout
from .archive_names import why_not_names

_MIB = 2**20
_CHUNK = _MIB
_SMALL_FILES = 64 * _MIB
_UNSOUND = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(NotImplementedError, EOFError, RuntimeError, UnicodeError),
)
_REPARSE_POINT = 0x400  # Windows' links


def unpack(
    archive: Path,
    output_dir: Path,
    *,
    max_bytes: int = 8 * 2**30,
    max_ratio: float = 200.0,
    max_entries: int = 20_000,
) -> Path:
    """Unpack a bundle's zip; one that could harm is refused and leaves nothing behind.

    Refused are names that lead out of the folder or mean other files on other systems, links and special
    files, encrypted, doubled and overlapping entries, archives inside, several top folders, and bombs.

    Args:
        archive: the zip; all its entries lie in one folder.
        output_dir: where that folder is written; made if needed.
        max_bytes: of all files together, unpacked.
        max_ratio: of unpacked to packed size, of a file over 1 MiB, and of all files over 64 MiB together.
        max_entries: of the zip's list.

    Returns:
        The bundle's folder, ``output_dir / <top folder>``.

    Raises:
        InputError: says what is wrong with which entry, or that the folder is already there.
    """
    archive, output_dir = Path(archive), Path(output_dir)
    try:
        with zipfile.ZipFile(archive) as opened:
            _check(opened, archive, max_bytes=max_bytes, max_ratio=max_ratio, max_entries=max_entries)
            top = opened.infolist()[0].filename.split("/")[0]
            if os.path.lexists(output_dir / top):
                raise InputError(
                    "is already there", path=output_dir / top, remedy="Remove it, or name another folder."
                )
            return _write(opened, archive, output_dir / top)
    except FileNotFoundError:
        raise InputError("there is no such file", path=archive) from None
    except _UNSOUND as error:
        raise _refused(archive, f"no sound zip file ({error})") from None


def _refused(archive: Path, problem: str) -> InputError:
    remedy = "Get the bundle again from whom you trust; do not unpack it."
    return InputError(f"refused: {problem}", path=archive, remedy=remedy)


def _check(
    opened: zipfile.ZipFile, archive: Path, *, max_bytes: int, max_ratio: float, max_entries: int
) -> None:
    entries = opened.infolist()
    if len(entries) > max_entries:
        raise _refused(archive, f"{len(entries)} entries, more than {max_entries}")
    # zipfile cuts names at a NUL and turns the system's separators; the names as written are what counts
    problem = why_not_names([entry.orig_filename for entry in entries])
    for entry in entries:
        problem = problem or _why_not_entry(entry, max_ratio=max_ratio)
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if not problem and total > max_bytes:
        problem = f"more than {max_bytes} bytes unpacked"
    if not problem and total > max(_SMALL_FILES, max_ratio * packed):
        problem = f"all together unpack to over {max_ratio:g} times their size"
    problem = problem or why_not_layout(opened)
    if problem:
        raise _refused(archive, problem)


def _why_not_entry(entry: zipfile.ZipInfo, *, max_ratio: float) -> str | None:
    name = entry.orig_filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    expected = stat.S_IFDIR if name.endswith("/") else stat.S_IFREG
    if entry.filename != name:  # newer Pythons take it from the Unicode field beside it
        return f"{name}: stands under a second name"
    if kind not in (0, expected) or entry.external_attr & _REPARSE_POINT:
        return f"{name}: a link or another special file"
    if entry.flag_bits & 0x41:
        return f"{name}: encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{name}: packed by an unusual method"
    if name.endswith("/") and entry.file_size:
        return f"{name}: a folder with content"
    if entry.file_size > _MIB and entry.file_size > max_ratio * entry.compress_size:
        return f"{name}: unpacks to over {max_ratio:g} times its size"
    return None


def _write(opened: zipfile.ZipFile, archive: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as scratch:
        for entry in opened.infolist():
            path = Path(scratch, *entry.filename.strip("/").split("/"))
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_file(opened, archive, entry, path)
        os.replace(Path(scratch, target.name), target)
    return target


def _write_file(opened: zipfile.ZipFile, archive: Path, entry: zipfile.ZipInfo, path: Path) -> None:
    """Copy one entry; zipfile stops at the declared size, and what it then sums up must fit."""
    with opened.open(entry) as source, path.open("xb") as sink:
        shutil.copyfileobj(source, sink, _CHUNK)
    if path.stat().st_size != entry.file_size:
        raise _refused(archive, f"{entry.filename}: {path.stat().st_size} bytes, {entry.file_size} declared")
