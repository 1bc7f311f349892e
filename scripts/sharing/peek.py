# SPDX-License-Identifier: Apache-2.0
"""A look into a packed bundle: it is unpacked to a scratch folder, checked, read, and gone again."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils import InputError
from .config_values import METADATA
from .manifest import MANIFEST, file_sums, read_manifest
from .unpack import unpack

LARGEST_PICTURE = 4 << 20
# also under a prefix (<svg:script>), by a style sheet, or put together by an entity, a default or "&#106;"
_ACTIVE = re.compile(
    rb"<(?:[^\s<>/]*:)?(?:script|foreignobject|handler)|javascript:|<!entity|<!attlist|<\?xml-stylesheet|&#"
    rb"|\son\w+\s*=",
    re.IGNORECASE,
)
_REMEDY = "pack it again (tomobundles package), or take it out of the folder"


@dataclass(frozen=True)
class Contents:
    """What a zip holds.

    Attributes:
        name: the one folder at its top, which is the bundle's name.
        metadata: ``configs/metadata.json``; ``version`` in it is text.
        picture: ending (".png", ".svg") and bytes of a picture for a page, None where there is none.
    """

    name: str
    metadata: dict[str, Any]
    picture: tuple[str, bytes] | None


def look_inside(path: Path) -> Contents:
    """Check a zip by the rules of ``unpack`` and against its manifest, and read what a zoo says of it.

    Raises:
        InputError: the zip is damaged or not safe to unpack, differs from its manifest, or holds no bundle.
    """
    with tempfile.TemporaryDirectory(prefix="tomobundles-") as scratch:
        root = unpack(path, Path(scratch))
        problem = _why_not_sums(root)
        if problem is None and not (root / "configs" / METADATA).is_file():
            problem = f"holds no bundle: configs/{METADATA} is not in it"
        if problem:
            raise InputError(problem, path=path, remedy=_REMEDY)
        return Contents(root.name, _metadata(root, path), find_picture(root / "docs"))


def _why_not_sums(root: Path) -> str | None:
    try:
        stated = read_manifest(root)
    except InputError as error:  # it names the scratch folder's file
        return f"{MANIFEST}: {error.problem}"
    found = file_sums(root)
    wrong = sorted(name for name in stated.keys() | found if stated.get(name) != found.get(name))
    return f"differs from its {MANIFEST}: {', '.join(wrong[:3])}" if wrong else None


def _metadata(root: Path, path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((root / "configs" / METADATA).read_bytes())
    except ValueError as error:
        problem = f"configs/{METADATA} in it is not JSON: {error}"
        raise InputError(problem, path=path, remedy=_REMEDY) from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("version"), str):
        raise InputError(f"configs/{METADATA} in it states no version", path=path, remedy=_REMEDY)
    return metadata


def find_picture(docs: Path) -> tuple[str, bytes] | None:
    """Read a picture for a page: ``network.png`` or else the first PNG or SVG of a folder.

    Passed over are pictures that are not what their names say, that are larger than ``LARGEST_PICTURE``
    bytes, and SVG that could run a script when opened by itself.

    Returns:
        its ending (".png", ".svg") and its bytes; None where there is none.
    """
    for path in sorted(docs.glob("*"), key=lambda path: (path.name != "network.png", path.name)):
        suffix = path.suffix.lower()
        if suffix not in (".png", ".svg") or path.stat().st_size > LARGEST_PICTURE:
            continue
        data = path.read_bytes()
        if _is_png(data) if suffix == ".png" else _is_still_svg(data):
            return suffix, data
    return None


def _is_png(data: bytes) -> bool:
    return data.startswith(b"\x89PNG\r\n\x1a\n")


def _is_still_svg(data: bytes) -> bool:
    return b"<svg" in data and not _ACTIVE.search(data)
