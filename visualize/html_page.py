# SPDX-License-Identifier: Apache-2.0
"""The frame of an HTML page: escaped text, tables and pictures inside one file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from os import PathLike
from pathlib import Path

from PIL import Image

_BROAD = 1.6  # width over height from which a picture has a row for itself
_STYLE = """
body { font: 15px/1.45 system-ui, "Segoe UI", Arial, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 76rem; margin: 1.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.45rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
table { border-collapse: collapse; } th, td { padding: .25rem .8rem; text-align: left; vertical-align: top; }
th { font-weight: 600; } thead th { border-bottom: 2px solid #666; }
tbody tr { border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { overflow-x: auto; } .note { color: #444; font-size: .92em; }
.view { width: 100%; height: 42rem; border: 1px solid #ccc; }
.pictures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1.2rem; align-items: start; }
figure { margin: 0; } figure.broad { grid-column: 1 / -1; } figcaption { color: #444; font-size: .92em; }
img { max-width: 100%; height: auto; display: block; }
footer { margin-top: 2rem; border-top: 1px solid #999; padding-top: .6rem; color: #444; font-size: .9em; }
@media print { body { font-size: 9.5pt; margin: 0; max-width: none; padding: 0; } h2 { break-after: avoid; }
  th, td { padding: .15rem .4rem; } tr, img { break-inside: avoid; } }
"""


def page(title: str, body: Sequence[str], *, scripts: Sequence[str] = ()) -> str:
    """Put parts of HTML into a whole document that loads nothing.

    Only the given scripts run: the page's policy names them by their SHA-256, so that no text inside can add
    one, and forbids every connection.

    Args:
        title: plain text for the window.
        body: HTML, as the functions below return it.
        scripts: JavaScript, run in this order after the body; "</script" must not occur in it.
    """
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_policy(scripts))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    parts = [*body, *(f"<script>{script}</script>" for script in scripts)]
    return head + "<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"


def element(tag: str, text: str, *, kind: str | None = None) -> str:
    """Return an element that holds plain text, escaped, with a class where ``kind`` is given."""
    attribute = "" if kind is None else f' class="{escape(kind)}"'
    return f"<{tag}{attribute}>{escape(text)}</{tag}>"


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Return a table of names and values."""
    lines = [
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{escape(value)}</td></tr>'
        for name, value in rows
    ]
    return "<table><tbody>\n" + "\n".join(lines) + "\n</tbody></table>"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column names the rows and whose other columns are numbers.

    Args:
        header: titles of the columns.
        rows: plain text of the cells, as many in each row as in the header.
    """
    kinds = ["", *([' class="number"'] * (len(header) - 1))]
    titles = "".join(
        f'<th scope="col"{kind}>{escape(title)}</th>' for kind, title in zip(kinds, header, strict=True)
    )
    lines = [
        "<tr>"
        + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    ]
    head, inner = f"<thead><tr>{titles}</tr></thead>", "\n".join(lines)
    return f'<div class="wide"><table>\n{head}\n<tbody>\n{inner}\n</tbody>\n</table></div>'


def pictures(files: Mapping[str, str | PathLike]) -> str:
    """Return PNGs inside the page with their captions, three in a row; broad ones have a row for themselves.

    Args:
        files: caption -> PNG, in this order; captions are also read to those who cannot see the pictures.
    """
    return '<div class="pictures">\n' + "\n".join(map(_picture, files.values(), files)) + "\n</div>"


def _picture(file: str | PathLike, caption: str) -> str:
    content = Path(file).read_bytes()
    with Image.open(BytesIO(content)) as opened:
        broad = opened.width >= _BROAD * opened.height
    source = "data:image/png;base64," + base64.b64encode(content).decode("ascii")
    text, kind = escape(caption), ' class="broad"' if broad else ""
    return f'<figure{kind}><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'


def _policy(scripts: Sequence[str]) -> str:
    policy = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'"
    if scripts:
        hashes = [
            base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode() for script in scripts
        ]
        policy += "; script-src " + " ".join(f"'sha256-{one}'" for one in hashes)
    return policy
