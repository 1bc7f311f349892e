# SPDX-License-Identifier: Apache-2.0
"""The plan of a network's figure: which modules make a block, and where it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..utils import InputError
from .network_arrows import Place
from .network_recorder import IMAGE
from .network_trace import Trace

WIDTH = 9.0  # inches
BOX = (0.88, 0.74)
END = (1.1, 0.46)  # of the image and the outputs, which have no border
TOP, BOTTOM, SIDE = 0.72, 0.58, 0.66
FRAME_TOP = 0.3  # for the frame's text


@dataclass(frozen=True)
class Box:
    """Where and how a block is drawn; what it says is measured.

    Attributes:
        modules: names of the submodules in it.
        kind: "encoder", "decoder", "gate" or "head": its colour.
        column: place from left to right.
        title: short name; the block's own where empty.
        row: place from top to bottom; None: log2 of its scale, so that a row is a resolution.
        width: in boxes of the usual width.
        height: in boxes of the usual height.
        extra: what the channels are that the network makes itself, such as coordinates.
    """

    modules: tuple[str, ...]
    kind: str
    column: float
    title: str = ""
    row: float | None = None
    width: float = 1.0
    height: float = 1.0
    extra: str = ""


@dataclass(frozen=True)
class Layout:
    """A figure's plan.

    Attributes:
        boxes: name of a block -> its box.
        outputs: name of an output -> column, row and its text; others are not drawn.
        image: column, row and text of the input.
        pitch: inches from row to row.
        bands: rows are resolutions, named at the left; if False each box names its own.
        frames: text -> names of the blocks that are framed together under it.
    """

    boxes: Mapping[str, Box]
    outputs: Mapping[str, tuple[float, float, str]]
    image: tuple[float, float, str] = (-1, 0, "image")
    pitch: float = 1.12
    bands: bool = True
    frames: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def modules(self) -> dict[str, tuple[str, ...]]:
        """Name of each block -> its submodules, as :func:`trace_network` takes them."""
        return {name: box.modules for name, box in self.boxes.items()}

    def places(self, trace: Trace) -> dict[str, Place]:
        """Where the image, every block and every output is drawn, in inches.

        Raises:
            InputError: if the trace has other blocks or lacks an output, or a block without a map no row.
        """
        cells = self._cells(trace)
        first, last = (edge(cell[0] for cell in cells.values()) for edge in (min, max))
        left = SIDE + (0.3 if self.bands else 0)
        step = (WIDTH - left - SIDE) / max(last - first, 1)
        return {
            name: Place(left + (column - first) * step, self.row_y(row), width, height, scale)
            for name, (column, row, width, height, scale) in cells.items()
        }

    def row_y(self, row: float) -> float:
        """Middle of a row in inches."""
        rows = [self.image[1], *(row for _, row, _ in self.outputs.values())]
        rows += [box.row for box in self.boxes.values() if box.row is not None]
        return TOP + (FRAME_TOP if self.frames else 0) + BOX[1] / 2 + (row - min(rows)) * self.pitch

    def _cells(self, trace: Trace) -> dict[str, tuple[float, float, float, float, float | None]]:
        """Column, row, width, height and scale of everything that is drawn."""
        if set(trace.blocks) != set(self.boxes):
            raise InputError("the layout has other blocks than the network that ran")
        cells = {IMAGE: (*self.image[:2], *END, 1.0)}
        for name, box in self.boxes.items():
            scale = trace.blocks[name].scale
            if box.row is None and scale is None:
                raise InputError(f"block {name} has no map", remedy="Give its box a row.")
            row = math.log2(scale) if box.row is None else box.row
            cells[name] = (box.column, row, BOX[0] * box.width, BOX[1] * box.height, scale)
        for name, (column, row, _) in self.outputs.items():
            if name not in trace.outputs:
                raise InputError(f"the network has no output {name!r}")
            cells[output_key(name)] = (column, row, *END, None)
        return cells


def output_key(name: str) -> str:
    """Name of an output among the blocks."""
    return f"output {name}"
