# SPDX-License-Identifier: Apache-2.0
"""A zoo folder's page: plain HTML, readable from a web server, a file share or a phone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from ...utils import atomic_path
from .model_info import MODEL_INFO, Archive, source
from .zoo_style import PAGE, STYLE

INDEX = "index.html"
PREVIEWS = "previews"
# what the page says where it does not know its own address
ADDRESS = "ADDRESS"


def write_index(archives: Sequence[Archive], folder: Path, *, url: str | None) -> None:
    """Write ``index.html`` and a preview picture a bundle into the zoo's folder.

    Args:
        archives: as ``find_archives`` gives them: by name, newest version first.
        folder: the zoo's folder.
        url: where it will be found; None makes links relative and lets the reader fill in the address.
    """
    cards = []
    for _, group in groupby(archives, key=lambda archive: archive.name):
        versions = list(group)
        cards.append(_card(versions, _write_preview(versions[0], folder), url))
    count = f"{len(cards)} bundle{'s' * (len(cards) > 1)}"
    page = PAGE.format(
        style=STYLE, count=count, model_info=MODEL_INFO, address=_address_note(url), cards="\n".join(cards)
    )
    with atomic_path(folder / INDEX) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _write_preview(archive: Archive, folder: Path) -> str | None:
    """Copy the picture out of a zip; the name is the bundle's, which find_archives has checked."""
    if archive.picture is None:
        return None
    suffix, data = archive.picture
    with atomic_path(folder / PREVIEWS / f"{archive.name}{suffix}") as temporary:
        temporary.write_bytes(data)
    return f"{PREVIEWS}/{archive.name}{suffix}"


def _address_note(url: str | None) -> str:
    if url is not None:
        return ""
    return (
        f"<p>In the commands, <code>{ADDRESS}</code> is the folder of this page as your browser shows it, "
        "without the page's name: <code>http://server:8000</code> or <code>file:///share/zoo</code>.</p>"
    )


def _card(versions: Sequence[Archive], preview: str | None, url: str | None) -> str:
    """One bundle: what it is, how to get the newest version, and the older ones."""
    newest = versions[0]
    text = {name: str(newest.metadata.get(name) or "") for name in ("name", "task", "description")}
    title = escape(text["name"] or newest.name)
    parts = [f'<article id="{newest.name}">', f"<h2>{title}</h2>"]
    if preview:
        parts.append(f'<img src="{preview}" alt="{title}" loading="lazy">')
    parts += [f"<p>{escape(text[name])}</p>" for name in ("task", "description") if text[name]]
    parts += [_facts(newest), _download(newest, url), _commands(newest, url)]
    if len(versions) > 1:
        items = "\n".join(f"<li>{_download(archive, url)}{_sum(archive)}</li>" for archive in versions[1:])
        parts.append(f"<details><summary>Older versions</summary>\n<ul>\n{items}\n</ul></details>")
    return "\n".join([*parts, "</article>"])


def _facts(archive: Archive) -> str:
    metadata = archive.metadata
    rows = {
        "Bundle": archive.name,
        "Version": archive.version,
        "Intended use": metadata.get("intended_use"),
        "Data": metadata.get("data_type"),
        "Needs": ", ".join(_requirements(archive)),
        "Rights": metadata.get("copyright"),
        "SHA-256": archive.sha256,
    }
    cells = "".join(
        f"<dt>{name}</dt><dd>{escape(str(value))}</dd>\n" for name, value in rows.items() if value
    )
    return f"<dl>\n{cells}</dl>"


def _requirements(archive: Archive) -> list[str]:
    """Packages and the versions that the bundle was tested with."""
    metadata = archive.metadata
    versions = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    needs = {package: metadata[name] for package, name in versions.items() if metadata.get(name)}
    more = metadata.get("required_packages_version")
    needs |= more if isinstance(more, dict) else {}
    return [f"{package} {version}" for package, version in needs.items()]


def _download(archive: Archive, url: str | None) -> str:
    link = escape(source(archive, url))
    return f'<p><a href="{link}" download>{archive.path.name}</a> ({readable_size(archive.size)})</p>'


def _sum(archive: Archive) -> str:
    return f"<p>SHA-256 <code>{archive.sha256}</code></p>"


def readable_size(count: int) -> str:
    """Bytes as people read them, in powers of 1000."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def _commands(archive: Archive, url: str | None) -> str:
    """Download and run, by MONAI alone. Without --name its download ends in an error after its work."""
    name, address = archive.name, shlex.quote(source(archive, url or ADDRESS))
    lines = [
        f"python -m monai.bundle download --name {name} --bundle_dir . --url {address}",
        f"cd {name} && python -m monai.bundle run --config_file configs/inference.json --dataset_dir SCANS",
    ]
    return f"<pre><code>{escape(chr(10).join(lines))}</code></pre>"
