# SPDX-License-Identifier: Apache-2.0
"""Zips that no bundle ever was, each with one fault: (name, bytes, what the refusal says)."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Iterator

GOOD = {"b/LICENSE": b"free", "b/configs/train.json": b"{}", "b/docs/README.md": b"# A\n"}


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of the good files and more, in the order given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in (*GOOD.items(), *entries):
            archive.writestr(name, content, compress_type=method)
    return buffer.getvalue()


def special(name: str, mode: int, content: bytes = b"/etc/passwd") -> tuple[zipfile.ZipInfo, bytes]:
    """An entry that Unix would make something other than a file."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry, content


def swapped(old: bytes, new: bytes, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip whose bytes were changed afterwards: names that zipfile itself would not write."""
    assert len(old) == len(new)
    made = zipped(*entries)
    assert old in made
    return made.replace(old, new)


def patched(offset: int, form: str, value: int, *, local: bool = False, raw: bytes | None = None) -> bytes:
    """A zip with a number of its last entry's header in the list (or before the entry) changed."""
    made = bytearray(zipped(("b/last.txt", b"12345678")) if raw is None else raw)
    place = made.rindex(b"PK\x03\x04" if local else b"PK\x01\x02") + offset
    struct.pack_into(form, made, place, value)
    return bytes(made)


def _names() -> Iterator[tuple[str, bytes, str]]:
    for title, name, reason in (
        ("up", "../evil.txt", "leads elsewhere"),
        ("up inside", "b/../../evil.txt", "leads elsewhere"),
        ("up at the end", "b/docs/..", "leads elsewhere"),
        ("dot", "b/./evil.txt", "leads elsewhere"),
        ("double slash", "b//evil.txt", "leads elsewhere"),
        ("absolute", "/etc/evil.txt", "absolute"),
        ("share", "//host/share/evil.txt", "absolute"),
        ("drive", "C:/evil.txt", "colon"),
        ("drive relative", "C:evil.txt", "colon"),
        ("stream", "b/LICENSE:evil", "colon"),
        ("line break", "b/evil\n.txt", "control"),
        ("bell", "b/evil\x07.txt", "control"),
        ("slash alone", "/", "empty name"),
        ("device", "b/docs/con.txt", "Windows"),
        ("trailing dot", "b/docs/evil.", "Windows"),
        ("trailing blank", "b/docs/evil ", "Windows"),
        ("second folder", "c/evil.txt", "one folder"),
        ("beside the folder", "evil.txt", "one folder"),
        ("zip inside", "b/docs/more.zip", "archive inside"),
        ("zip inside, in capitals", "b/docs/MORE.TAR.GZ", "archive inside"),
        ("deep", "b/" + "d/" * 30 + "evil.txt", "too deep"),
        ("long", "b/" + "d" * 300, "too long"),
        ("other case", "b/license", "twice"),
        ("other form", "b/LI\uff23ENSE", "twice"),
        ("file in a file", "b/LICENSE/evil.txt", "also a file"),
        ("file that is a folder", "b/docs", "twice"),
    ):
        yield title, zipped((name, b"evil")), reason


def _doubled() -> bytes:
    return swapped(b"b/LICENSX", b"b/LICENSE", ("b/LICENSX", b"evil"))


def _overlapping() -> bytes:
    """The last entry of the list points at the bytes of the one before it."""
    made = zipped(("b/one.txt", b"1" * 8), ("b/two.txt", b"1" * 8))
    return patched(42, "<L", made.index(b"PK\x03\x04\x14", made.index(b"docs/README") + 1), raw=made)


def hostile_zips() -> Iterator[tuple[str, bytes, str]]:
    """All of them."""
    yield from _names()
    yield "backslash", swapped(b"b/evil_.txt", b"b/..\\xx.txt", ("b/evil_.txt", b"evil")), "backslash"
    yield "NUL", swapped(b"b/evil_.txt", b"b/evil\0.txt", ("b/evil_.txt", b"evil")), "control"
    yield "same name", _doubled(), "twice"
    yield "symbolic link", zipped(special("b/link", stat.S_IFLNK | 0o777)), "special file"
    yield "device node", zipped(special("b/null", stat.S_IFCHR | 0o666)), "special file"
    yield "pipe", zipped(special("b/pipe", stat.S_IFIFO | 0o666)), "special file"
    yield "folder that says it is a file", zipped(special("b/x/", stat.S_IFREG | 0o666, b"")), "special file"
    yield "folder with content", zipped(special("b/x/", stat.S_IFDIR | 0o777, b"evil")), "folder with content"
    yield "reparse point", patched(38, "<L", 0x400), "special file"
    yield "encrypted", patched(8, "<H", 1), "encrypted"
    yield "unusual method", zipped(method=zipfile.ZIP_LZMA), "unusual method"
    yield "zeros", zipped(("b/zeros", bytes(4 << 20)), method=zipfile.ZIP_DEFLATED), "times its size"
    yield "overlap", _overlapping(), "overlaps the entry before"
    yield "entry nowhere", patched(42, "<L", 5), "overlaps|no entry"
    yield "other name before the entry", patched(30, "<B", ord("c"), local=True), "no sound zip"
    yield "bad checksum", patched(16, "<L", 1), "no sound zip"
    yield "more bytes than declared", patched(24, "<L", 4), "no sound zip|declared"
    yield "fewer bytes than declared", patched(24, "<L", 900), "no sound zip|declared"
    yield "into the list", patched(20, "<L", 5000), "overlap the list"
    yield "damaged packing", _damaged(), "no sound zip"
    yield "cut off", zipped()[:-30], "no sound zip"
    yield "text", b"not a zip at all", "no sound zip"
    yield "nothing", b"", "no sound zip"
    yield "no entries", b"PK\x05\x06" + bytes(18), "no entries"


def _damaged() -> bytes:
    made = bytearray(zipped(("b/text", b"abcdefgh" * 999), method=zipfile.ZIP_DEFLATED))
    start = made.index(b"b/text") + len(b"b/text")
    made[start : start + 8] = b"\xff" * 8
    return bytes(made)
