# SPDX-License-Identifier: Apache-2.0
"""The documents of a bundle, with the pictures and pages of the repository that they show."""

from __future__ import annotations

import re
from pathlib import Path

from ...utils import InputError
from .copying import copy_file, plain_files

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")
_FIGURES = "figures"
# code first, so that what looks like a link inside it is none
_LINK = re.compile(r"```.*?```|`[^`\n]*`|(?P<kind>!?)\[(?P<text>[^\]]*)\]\((?P<to>[^)\s]+)\)", re.DOTALL)
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*:|#")


def pack_documents(bundle: Path, root: Path) -> None:
    """Copy the documents of a bundle so that every link in them leads to something in the zip.

    A picture that lies outside the bundle is copied to docs/figures, a page outside it to docs, and the link
    is rewritten. Of a page that was copied so, links to other pages become plain text; so do links from any
    document to code and folders outside the bundle.

    Args:
        bundle: the bundle's folder.
        root: the packed bundle's folder; its other files are there already.

    Raises:
        InputError: if a link leads nowhere, if two files would get one name, or for symbolic links.
    """
    for path in plain_files(bundle / "docs"):
        copy_file(path, root / path.relative_to(bundle))
    for path in sorted((root / "docs").rglob("*.md")):
        source = bundle / path.relative_to(root)
        pages = _rewrite(source, path, bundle=bundle, root=root, follow=True)
        for page in pages:
            _rewrite(page, root / "docs" / page.name, bundle=bundle, root=root, follow=False)


def _rewrite(source: Path, target: Path, *, bundle: Path, root: Path, follow: bool) -> list[Path]:
    """Write a document with its links rewritten; return the pages that were copied for it."""
    pages: list[Path] = []

    def link(match: re.Match[str]) -> str:
        to = match["to"]
        if to is None or _ADDRESS.match(to):
            return match[0]
        name, hash_sign, anchor = to.partition("#")
        found = (source.parent / name).resolve()
        if not found.exists():
            raise InputError(f"links to {to}, which does not exist", path=source)
        inside = _inside(found, bundle, root)
        if inside is None:
            inside = _bring(found, root, follow=follow)
            pages.extend([found] if inside is not None and found.suffix == ".md" else [])
        if inside is None:
            return match["text"]
        relative = _relative(inside, target.parent)
        return f"{match['kind']}[{match['text']}]({relative}{hash_sign}{anchor})"

    text = _LINK.sub(link, source.read_text(encoding="utf-8"))
    target.write_bytes(text.encode("utf-8"))
    return pages


def _inside(found: Path, bundle: Path, root: Path) -> Path | None:
    """Where a file of the bundle is in the packed one; None if it is not packed."""
    if not found.is_relative_to(bundle.resolve()):
        return None
    packed = root / found.relative_to(bundle.resolve())
    return packed if packed.exists() else None


def _bring(found: Path, root: Path, *, follow: bool) -> Path | None:
    """Copy a picture, or a page where pages are followed, to its place in the packed bundle."""
    picture = found.suffix.lower() in PICTURES
    if not picture and not (follow and found.suffix == ".md"):
        return None
    target = root / "docs" / _FIGURES / found.name if picture else root / "docs" / found.name
    if target.exists() and (not picture or target.read_bytes() != found.read_bytes()):
        problem = f"would be docs/{target.relative_to(root / 'docs').as_posix()}, which is another file"
        raise InputError(problem, path=found, remedy="Rename one of them.")
    copy_file(found, target)
    return target


def _relative(path: Path, start: Path) -> str:
    steps = 0
    while not path.is_relative_to(start):
        start, steps = start.parent, steps + 1
    return "../" * steps + path.relative_to(start).as_posix()
