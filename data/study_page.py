# SPDX-License-Identifier: Apache-2.0
"""The frame of an HTML page: escaped text, tables and pictures inside one file that loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

# No script runs and nothing is fetched, whatever a text inside might say.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.45 system-ui, "Segoe UI", Arial, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 76rem; margin: 1.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.45rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
table { border-collapse: collapse; } th, td { padding: .25rem .8rem; text-align: left; vertical-align: top; }
th { font-weight: 600; }
thead th { border-bottom: 2px solid #666; } tbody tr { border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
tr.called td, tr.called th { background: #fdf0d5; } .uid { overflow-wrap: anywhere; }
.verdict { border-left: .4rem solid #777; background: #f3f3f3; padding: .6rem .9rem; margin: 1rem 0; }
.verdict.called { border-color: #d55e00; background: #fdf0d5; }
.note { color: #444; font-size: .92em; } img { max-width: 100%; height: auto; display: block; }
footer { margin-top: 2rem; border-top: 1px solid #999; padding-top: .6rem; color: #444; font-size: .9em; }
@media print { body { font-size: 9.5pt; margin: 0; max-width: none; padding: 0; } h2 { break-after: avoid; }
  th, td { padding: .15rem .4rem; } tr, img { break-inside: avoid; } }
"""


def page(title: str, body: Sequence[str]) -> str:
    """Put parts of HTML into a whole document.

    Args:
        title: plain text for the window.
        body: HTML, as the functions below return it.
    """
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    return head + "<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"


def element(tag: str, text: str, *, kind: str | None = None) -> str:
    """Return an element that holds plain text, escaped, with a class where ``kind`` is given."""
    attribute = "" if kind is None else f' class="{escape(kind)}"'
    return f"<{tag}{attribute}>{escape(text)}</{tag}>"


def bullets(texts: Sequence[str]) -> str:
    """Return a list of plain texts."""
    return "<ul>\n" + "\n".join(element("li", text) for text in texts) + "\n</ul>"


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Return a table of names and values, those without a value left out."""
    lines = [
        f'<tr><th scope="row">{escape(name)}</th><td class="uid">{escape(value)}</td></tr>'
        for name, value in rows
        if value
    ]
    return "<table><tbody>\n" + "\n".join(lines) + "\n</tbody></table>"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool]) -> str:
    """Return a table whose first column names the rows and whose other columns are numbers.

    Args:
        header: titles of the columns.
        rows: plain text of the cells.
        marked: which rows stand out.
    """
    titles = "".join(
        f'<th scope="col"{"" if place == 0 else _NUMBER}>{escape(title)}</th>'
        for place, title in enumerate(header)
    )
    lines = []
    for row, mark in zip(rows, marked, strict=True):
        cells = "".join(f"<td{_NUMBER}>{escape(cell)}</td>" for cell in row[1:])
        kind = ' class="called"' if mark else ""
        lines.append(f'<tr{kind}><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    inner = "\n".join(lines)
    return f"<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{inner}\n</tbody>\n</table>"


def picture(file: Path, description: str) -> str:
    """Return a PNG inside the page.

    Args:
        file: the PNG.
        description: what it shows, for readers who cannot see it.
    """
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{data}">'


_NUMBER = ' class="number"'
