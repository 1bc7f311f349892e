# SPDX-License-Identifier: Apache-2.0
"""The structure of a network as a figure: blocks on their grids and what feeds what."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image, PngImagePlugin

from ..utils import InputError, atomic_path
from .network_arrows import INK, Place, draw_edge, draw_legend, edge_kind
from .network_layout import BOTTOM, BOX, WIDTH, Box, Layout, output_key
from .network_recorder import IMAGE, TracedBlock
from .network_trace import Trace
from .plots import new_plot

FACTS = "network"  # name of the PNG's text that holds the facts
_DPI = 200
_COLORS = 128
_TINTS = {
    "encoder": "#d6e6f5",
    "decoder": "#d9efe2",
    "gate": "#fdebc8",
    "context": "#fdebc8",
    "head": "#ecdff2",
}
_QUIET, _BAND = "#57606a", "#f3f5f7"


def draw_network(path: str | PathLike, trace: Trace, layout: Layout) -> Path:
    """Draw a network's structure as PNG, 1800 pixels wide, with the facts that it states in the file's text.

    Args:
        path: file to write. The same trace and layout give the same bytes.
        trace: the network as it ran.
        layout: where each of its blocks goes.

    Returns:
        ``path``.

    Raises:
        InputError: if the layout does not fit the trace.
    """
    places = layout.places(trace)
    height = max(place.y for place in places.values()) + BOX[1] / 2 + BOTTOM
    figure, axis = new_plot(size=(WIDTH, height), dpi=_DPI)
    figure.set_layout_engine("none")
    axis.set(position=(0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    axis.axis("off")
    if layout.bands:
        _draw_bands(axis, layout, places)
    for text, names in layout.frames.items():
        _draw_frame(axis, text, [places[name] for name in names])
    edges = _draw_edges(axis, trace, layout, places)
    for name, box in layout.boxes.items():
        _draw_box(axis, places[name], box, trace.blocks[name], scaled=not layout.bands)
    _draw_ends(axis, trace, layout, places)
    axis.text(0.3, 0.3, trace.network, fontsize=13, fontweight="bold", color=INK, va="center")
    axis.text(WIDTH - 0.3, 0.3, _sums(trace), fontsize=9.5, color=INK, va="center", ha="right")
    kinds = dict.fromkeys(box.kind for box in layout.boxes.values())
    draw_legend(axis, height - 0.27, [(kind, _TINTS[kind]) for kind in kinds], edges)
    return _save(figure, path, trace)


def read_facts(path: str | PathLike) -> dict[str, Any]:
    """What a figure written by :func:`draw_network` states (:meth:`Trace.facts`).

    Raises:
        InputError: if the picture holds none.
    """
    with Image.open(path) as picture:
        text = getattr(picture, "text", {}).get(FACTS)
    if text is None:
        raise InputError("the picture states no facts of a network", path=path)
    return json.loads(text)


def _draw_edges(axis: Axes, trace: Trace, layout: Layout, places: Mapping[str, Place]) -> list[str]:
    """Returns the kinds of edges that occur."""
    kinds = []
    sources = {name: block.sources for name, block in trace.blocks.items()}
    sources |= {output_key(name): trace.outputs[name][1] for name in layout.outputs}
    for target, above in sources.items():
        for source in above:
            joined = len(above) > 1
            draw_edge(axis, source, target, places, joined=joined)
            kinds.append(edge_kind(places[source], places[target], joined=joined))
    return kinds


def _draw_bands(axis: Axes, layout: Layout, places: Mapping[str, Place]) -> None:
    """One stripe a resolution, named at the left."""
    for scale in sorted({place.scale for place in places.values() if place.scale is not None}):
        own = layout.row_y(math.log2(scale))
        top = min(own, *(place.y for place in places.values() if place.scale == scale)) - 0.47
        axis.add_patch(
            Rectangle((0, top), WIDTH, own + 0.47 - top, facecolor=_BAND, edgecolor="none", zorder=0)
        )
        label = "1" if scale == 1 else f"1/{scale:g}"
        axis.text(0.24, own, label, fontsize=9.5, color=_QUIET, va="center", ha="center")


def _draw_frame(axis: Axes, text: str, places: list[Place]) -> None:
    left, top = min(p.side(-1, -1)[0] for p in places) - 0.1, min(p.side(-1, -1)[1] for p in places) - 0.3
    right, bottom = max(p.side(1, 1)[0] for p in places) + 0.1, max(p.side(1, 1)[1] for p in places) + 0.1
    style = {"facecolor": "none", "edgecolor": _QUIET, "linestyle": (0, (3, 2)), "linewidth": 0.9}
    axis.add_patch(FancyBboxPatch((left, top), right - left, bottom - top, boxstyle="round,pad=0", **style))
    axis.text((left + right) / 2, top + 0.15, text, fontsize=9, color=_QUIET, va="center", ha="center")


def _draw_box(axis: Axes, place: Place, box: Box, block: TracedBlock, *, scaled: bool) -> None:
    style = {"facecolor": _TINTS[box.kind], "edgecolor": INK, "linewidth": 0.9, "zorder": 3}
    corner, rounding = place.side(-1, -1), "round,pad=0,rounding_size=0.05"
    axis.add_patch(FancyBboxPatch(corner, place.width, place.height, boxstyle=rounding, **style))
    lines = [(box.title or block.name, 8, "normal", _QUIET), (f"{block.channels:,}", 11, "bold", INK)]
    lines += [(text, 7.5, "normal", INK) for text in _operations(block)]
    if scaled and block.scale is not None:
        lines.append((f"at 1/{block.scale:g}", 7.5, "normal", _QUIET))
    if box.extra:
        lines.append((f"+ {block.extra_channels} {box.extra}", 7.5, "normal", INK))
    heights = [size / 72 * 1.22 for _, size, _, _ in lines]
    y = place.y - sum(heights) / 2
    for (text, size, weight, color), own in zip(lines, heights, strict=True):
        style = {"fontsize": size, "fontweight": weight, "color": color, "zorder": 4}
        axis.text(place.x, y + own / 2, text, ha="center", va="center", **style)
        y += own


def _operations(block: TracedBlock) -> list[str]:
    """Convolutions of a block, the most frequent kernel first: "2 conv 3²", "1 up 4²"."""
    texts = []
    for kernel, count in sorted(block.convolutions.items(), key=lambda item: -item[1]):
        sizes, _, up = kernel.partition(" ")
        parts = sizes.split("x")
        short = f"{parts[0]}{'²³'[len(parts) - 2]}" if len(set(parts)) == 1 < len(parts) else sizes
        texts.append(f"{count} {up or 'conv'} {short}")
    return texts


def _draw_ends(axis: Axes, trace: Trace, layout: Layout, places: Mapping[str, Place]) -> None:
    """The input and the outputs, with their shapes."""
    ends = [(IMAGE, layout.image[2], trace.image)]
    ends += [
        (output_key(name), text, trace.outputs[name][0]) for name, (_, _, text) in layout.outputs.items()
    ]
    for name, text, shape in ends:
        style = {"ha": "center", "va": "center", "color": INK, "zorder": 4}
        axis.text(places[name].x, places[name].y - 0.1, text, fontsize=8.5, fontweight="bold", **style)
        axis.text(places[name].x, places[name].y + 0.1, _shape(shape), fontsize=7.5, **style)


def _shape(shape: tuple[int, ...]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, shape))


def _sums(trace: Trace) -> str:
    return (
        f"{trace.parameters:,} parameters · {trace.macs / 1e9:.1f} G multiply-adds at {_shape(trace.image)}"
    )


def _save(figure: Figure, path: str | PathLike, trace: Trace) -> Path:
    """With a palette, a third of the size; no time or version in the file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    info = PngImagePlugin.PngInfo()
    info.add_text(FACTS, json.dumps(trace.facts()))
    with Image.open(buffer) as picture, atomic_path(path) as temporary:
        picture.convert("RGB").quantize(_COLORS).save(temporary, format="PNG", optimize=True, pnginfo=info)
    return Path(path)
