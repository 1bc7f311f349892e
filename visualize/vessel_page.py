# SPDX-License-Identifier: Apache-2.0
"""One HTML page for a vessel tree: 3D view, figures, tables and pictures, in one file that works offline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

from ..utils import atomic_path
from .html_page import element, facts, page, table
from .html_page import pictures as html_pictures
from .surface_tools import color_by_radius, simplify_surface, smooth_surface
from .surfaces import Surface, extract_surface
from .vessel_view import plotly_script, view_script
from .volume_like import VolumeLike

MAX_FACES = 150_000  # a laptop turns them smoothly; about 5 MB in the page
_FINE = 8  # times as many triangles are drawn first and then joined: one step of pooling quarters them

_VIEW_NOTE = (
    "Drag to turn, scroll to zoom, double-click to reset; a click on a name in the legend hides it. "
    "The surface is smoothed and reduced for the screen"
)


def write_vessel_page(
    path: str | PathLike,
    *,
    title: str,
    mask_volume: VolumeLike | None = None,
    reference: VolumeLike | None = None,
    surface: Surface | None = None,
    summary: Mapping[str, Any] | None = None,
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    pictures: Mapping[str, str | PathLike] | None = None,
    notes: Sequence[str] = (),
    max_faces: int = MAX_FACES,
) -> Path:
    """Write the page of one volume; everything is inside it, plotly.js too, and it loads nothing.

    Args:
        path: HTML file to write; 5 to 12 MB, of which plotly.js takes 5.
        title: heading, any text.
        mask_volume: (Z, Y, X), 0 is background; its surface is drawn, coloured by the vessels' radius.
        reference: (Z, Y, X), 0 is background; a second, half transparent surface.
        surface: drawn in place of the mask's, with its own ``values``.
        summary: name -> value, for the table of figures.
        tables: heading -> rows, each column name -> value; the first column names the rows.
        pictures: caption -> PNG, in this order.
        notes: sentences below the figures.
        max_faces: triangles of each surface in the page.

    Returns:
        ``path``.

    Raises:
        OSError: a picture cannot be read.
    """
    surfaces = _surfaces(mask_volume, reference, surface, max_faces)
    body = [element("h1", title), *_view(surfaces), *_figures(summary or {}, notes)]
    for heading, rows in (tables or {}).items():
        body += [element("h2", heading), _table(rows)]
    if pictures:
        body += [element("h2", "Pictures"), html_pictures(pictures)]
    scripts = [plotly_script(), view_script(surfaces, target="view")] if surfaces else []
    with atomic_path(path) as temporary:
        temporary.write_text(page(title, body, scripts=scripts), encoding="utf-8")
    return Path(path)


def surface_for_view(mask_volume: VolumeLike, *, max_faces: int = MAX_FACES, radius: bool = True) -> Surface:
    """Extract the surface of a mask of any size, light enough for the screen.

    Args:
        mask_volume: (Z, Y, X), 0 is background.
        max_faces: triangles allowed.
        radius: colour by the vessels' radius.

    Returns:
        a smoothed surface; without triangles where the mask is empty.
    """
    surface = extract_surface(mask_volume, max_faces=_FINE * max_faces)
    if radius:
        surface = color_by_radius(surface, mask_volume)
    return simplify_surface(smooth_surface(surface), max_faces=max_faces)


def format_value(value: Any) -> str:
    """Return a number with four significant digits, other values as they are; nothing for None and NaN."""
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _surfaces(
    mask_volume: VolumeLike | None, reference: VolumeLike | None, surface: Surface | None, max_faces: int
) -> dict[str, Surface]:
    """Return the surfaces that have triangles, the vessels' own first."""
    found = {}
    if surface is not None:
        found["Vessels"] = simplify_surface(surface, max_faces=max_faces)
    elif mask_volume is not None:
        found["Vessels"] = surface_for_view(mask_volume, max_faces=max_faces)
    if reference is not None:
        found["Reference"] = surface_for_view(reference, max_faces=max_faces, radius=False)
    return {name: one for name, one in found.items() if len(one.faces)}


def _view(surfaces: Mapping[str, Surface]) -> list[str]:
    parts = [element("h2", "3D view")]
    if "Vessels" not in surfaces:
        parts.append(element("p", "No vessel was found: the mask is empty."))
    if surfaces:
        step = max(one.step for one in surfaces.values())
        pooled = (
            f"; {step} voxels were pooled along each axis, so thin vessels look thicker" if step > 1 else ""
        )
        parts += ['<div id="view" class="view"></div>', element("p", f"{_VIEW_NOTE}{pooled}.", kind="note")]
    return parts


def _figures(summary: Mapping[str, Any], notes: Sequence[str]) -> list[str]:
    parts = []
    if summary:
        rows = [(name, format_value(value)) for name, value in summary.items()]
        parts += [element("h2", "Figures"), facts(rows)]
    return parts + [element("p", note, kind="note") for note in notes]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return element("p", "No rows.")
    header = list(dict.fromkeys(name for row in rows for name in row))
    return table(header, [[format_value(row.get(name)) for name in header] for row in rows])
