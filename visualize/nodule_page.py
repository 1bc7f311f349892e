# SPDX-License-Identifier: Apache-2.0
"""One HTML page for the nodule candidates of a chest CT, everything inside one file, light or dark."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from os import PathLike
from pathlib import Path

from PIL import Image

from ..utils import atomic_path
from .html_page import element, facts, page, table

_STYLE = """
:root { color-scheme: light dark; }
td.number { white-space: normal; overflow-wrap: anywhere; }
.verdict { border-left: .4rem solid #d55e00; background: #f3f3f3; padding: .6rem .9rem; margin: 1rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #16181c; } tbody tr { border-color: #444; }
  .note, figcaption, footer { color: #b8b8b8; } .verdict { background: #24272d; }
}
@media print { :root { color-scheme: light; } body { color: #000; background: #fff; }
  figure { break-inside: avoid; } }
"""


def write_nodule_page(
    path: str | PathLike,
    *,
    title: str,
    intended_use: str,
    identity: Sequence[tuple[str, str]],
    verdict: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    table_note: str = "",
    warnings: Sequence[str] = (),
    overview: Mapping[str, Image.Image] | None = None,
    cards: Mapping[str, Image.Image] | None = None,
    quality: Sequence[tuple[str, str]] = (),
    limits: Sequence[str] = (),
    footer: str = "",
) -> Path:
    """Write the page of one scan; it loads and runs nothing, and follows the reader's light or dark screen.

    Args:
        path: HTML file to write.
        title: heading, any text.
        intended_use: one line below it.
        identity: names and values that say which scan this is; those without a value are left out.
        verdict: what was found, in words.
        header: titles of the table of candidates.
        rows: its cells.
        table_note: line below the table.
        warnings: what the reader must know about this scan.
        overview: caption -> picture of the whole lungs.
        cards: caption -> picture of a candidate.
        quality: names and values of the lung mask.
        limits: what readers must know about the model, one sentence each.
        footer: last line.

    Returns:
        ``path``.
    """
    body = [element("h1", title), element("p", intended_use, kind="note"), _facts(identity)]
    body.append(element("p", verdict, kind="verdict"))
    if warnings:
        body += [element("h2", "Warnings"), _bullets(warnings)]
    if rows:
        body += [element("h2", "Candidates"), table(header, rows), element("p", table_note, kind="note")]
    if overview:
        body += [element("h2", "Where they lie"), *(_figure(one, text) for text, one in overview.items())]
    if cards:
        figures = "\n".join(_figure(one, text) for text, one in cards.items())
        body += [element("h2", "Three planes"), f'<div class="cards">\n{figures}\n</div>']
    if quality:
        body += [element("h2", "Lung mask"), _facts(quality)]
    body += [element("h2", "Limits"), _bullets(limits)] if limits else []
    body += [element("footer", footer)] if footer else []
    text = page(title, body).replace("</style>", f"{_STYLE}</style>", 1)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    return facts([(name, value) for name, value in rows if value])


def _bullets(texts: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(element("li", text) for text in texts) + "\n</ul>"


def _figure(picture: Image.Image, caption: str) -> str:
    """A picture inside the page; its caption is also read to those who cannot see it."""
    content = BytesIO()
    picture.save(content, format="PNG")
    source = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
    text = escape(caption)
    return f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'
