# SPDX-License-Identifier: Apache-2.0
"""Arrows between the blocks of a network's figure, and the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

INK = "#1f2328"
# how an edge is drawn: colour, dashes, width, and what the legend says
EDGES = {
    "on": ("#57606a", "-", 1.2, "next block"),
    "down": ("#b35900", "-", 1.4, "to a coarser grid"),
    "up": ("#0a7d4f", "-", 1.4, "to a finer grid"),
    "skip": ("#2f6fb0", (0, (4, 2)), 1.1, "skip"),
}
_SAME_ROW = 1e-6
_OVERLAP = 0.1  # inches of common height from which an arrow runs level


@dataclass(frozen=True)
class Place:
    """A box in a figure: its centre and size in inches, y downwards; and its map's scale, if any."""

    x: float
    y: float
    width: float
    height: float
    scale: float | None

    def side(self, dx: float, dy: float) -> tuple[float, float]:
        """A point of the border: -1, 0 or 1 of half the width and height from the centre."""
        return self.x + dx * self.width / 2, self.y + dy * self.height / 2


def edge_kind(source: Place, target: Place, *, joined: bool) -> str:
    """Which of :data:`EDGES` leads from one box to another.

    A skip stays in its row and meets other maps there; otherwise the grids tell, and a vector has none.
    """
    if joined and abs(source.y - target.y) < _SAME_ROW and source.scale == target.scale:
        return "skip"
    if source.scale is None or target.scale is None or source.scale == target.scale:
        return "on"
    return "down" if source.scale < target.scale else "up"


def draw_edge(axis: Axes, source: str, target: str, places: Mapping[str, Place], *, joined: bool) -> None:
    """Draw an arrow between two boxes; over the boxes in between, where there are any in the row.

    Args:
        axis: in inches, y downwards.
        source: name of the first box.
        target: name of the second.
        places: of all boxes.
        joined: whether the target takes more than one source.
    """
    first, last = places[source], places[target]
    others = [place for name, place in places.items() if name not in (source, target)]
    start, end, bend = _route(first, last, others)
    color, dashes, width, _ = EDGES[edge_kind(first, last, joined=joined)]
    _arrow(axis, start, end, bend=bend, color=color, linestyle=dashes, linewidth=width)


def _route(
    first: Place, last: Place, others: Sequence[Place]
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Where an arrow starts and ends, and how far it bends as a share of its length."""
    right = 1 if last.x > first.x else -1
    top = max(first.side(0, -1)[1], last.side(0, -1)[1])
    bottom = min(first.side(0, 1)[1], last.side(0, 1)[1])
    if bottom - top > _OVERLAP:
        start, end = first.side(right, 0)[0], last.side(-right, 0)[0]
        for share in (0.5, 0.25, 0.15):
            y = top + share * (bottom - top)
            if not any(_blocks(other, *sorted((start, end)), y) for other in others):
                return (start, y), (end, y), 0.0
        start, end = first.side(0.5 * right, -1), last.side(-0.5 * right, -1)
        length = abs(end[0] - start[0])
        return start, end, -right * 2 * (0.1 + 0.05 * length) / length
    down = 1 if last.y > first.y else -1
    if abs(first.x - last.x) < (first.width + last.width) / 4 or first.width != last.width:
        x = min((first, last), key=lambda place: place.width).x
        return (x, first.side(0, down)[1]), (x, last.side(0, -down)[1]), 0.0
    return first.side(0.6 * right, down), last.side(-0.6 * right, -down), 0.0


def _blocks(other: Place, left: float, right: float, y: float) -> bool:
    """Whether a box lies on a level line."""
    return left < other.x < right and abs(other.y - y) < other.height / 2 + 0.03


def draw_legend(axis: Axes, y: float, kinds: Sequence[tuple[str, str]], edges: Sequence[str]) -> None:
    """Name the colours of boxes and arrows in one line.

    Args:
        axis: in inches, y downwards.
        y: middle of the line.
        kinds: name and colour of each kind of box that occurs.
        edges: kinds of edges that occur.
    """
    x = 0.35
    for name, color in kinds:
        axis.add_patch(Rectangle((x, y - 0.08), 0.24, 0.16, facecolor=color, edgecolor=INK, linewidth=0.8))
        x = _word(axis, x + 0.3, y, name)
    for kind in (kind for kind in EDGES if kind in edges):
        color, dashes, width, name = EDGES[kind]
        _arrow(axis, (x, y), (x + 0.34, y), bend=0.0, color=color, linestyle=dashes, linewidth=width)
        x = _word(axis, x + 0.39, y, name)


def _word(axis: Axes, x: float, y: float, text: str) -> float:
    """Write a legend's word; returns where the next entry starts."""
    word = axis.text(x, y, text, va="center", fontsize=8.5, color=INK)
    return word.get_window_extent().transformed(axis.transData.inverted()).x1 + 0.18


def _arrow(
    axis: Axes, start: tuple[float, float], end: tuple[float, float], *, bend: float, **style: object
) -> None:
    axis.add_patch(
        FancyArrowPatch(
            start,
            end,
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>,head_length=4,head_width=2",
            shrinkA=0,
            shrinkB=0,
            zorder=2,
            **style,
        )
    )
