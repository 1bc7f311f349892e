# SPDX-License-Identifier: Apache-2.0
"""The results of one volume of vessels, by the names that configs give them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from ..data.rle import write_submission
from ..data.volumes import Volume
from ..data.volumes.write_like import write_like
from ..data.volumes.write_zarr import write_ome_zarr
from ..metrics import threshold_plateau, threshold_sweep, vessel_table
from ..visualize.attention_maps import draw_attention_maps
from ..visualize.ply import write_ply
from ..visualize.projection_pictures import draw_projections
from ..visualize.surfaces import extract_surface
from ..visualize.threshold_plot import draw_threshold_sweep
from ..visualize.vessel_page import write_vessel_page
from ..visualize.vessel_plots import draw_radius_histogram
from ..visualize.vessel_slices import count_voxels, draw_slices, read_plane
from .attention import attention_of_slice, best_window, has_attention
from .rows import write_rows

Paths = list[Path]


@dataclass
class VesselResult:
    """All that is known about one volume, and where it goes: ``folder/name...``.

    Attributes:
        name: of the results.
        folder: that gets them.
        image: the volume as it was opened: its grays, grid, file names.
        grays: what the network saw: normalised, perhaps on another grid.
        probability: 0-1, on the image's grid.
        mask: 0/1, on the image's grid.
        label: 0/1, or None where there is none.
        threshold: that made the mask.
        rle_order: "C" or "F".
        network: that made the probabilities.
        num_slices: of its stacks.
        written: what has been written so far, by form.
    """

    name: str
    folder: Path
    image: Volume
    grays: Volume
    probability: Volume
    mask: Volume
    label: Volume | None
    threshold: float
    rle_order: str
    network: nn.Module
    num_slices: int
    written: dict[str, Paths] = field(default_factory=dict)

    @property
    def voxels(self) -> int:
        """Voxels of the volume."""
        return math.prod(self.mask.shape)

    @property
    def vessel_voxels(self) -> int:
        """Voxels of the mask."""
        return self.mask.meta["components"].kept_voxels

    @cached_property
    def table(self) -> dict[str, Any]:
        """Fractions, lengths and radii, see ``metrics.vessel_table``."""
        return vessel_table(self.mask)

    @cached_property
    def sweep(self) -> list[dict[str, float]]:
        """Scores by threshold; none without a label."""
        return [] if self.label is None else threshold_sweep(self.probability, self.label)

    def path(self, ending: str) -> Path:
        """A file of the results."""
        return self.folder / f"{self.name}{ending}"

    def write(self, form: str) -> Paths:
        """Write one of ``FORMS``, unless it is written already, as by the page that shows it."""
        if form not in self.written:
            self.written[form] = FORMS[form](self)
        return self.written[form]


def _mask(result: VesselResult) -> Paths:
    return [write_like(result.mask, result.image, result.folder, result.name)]


def _in_form(form: str) -> Callable[[VesselResult], Paths]:
    def write(result: VesselResult) -> Paths:
        folder = result.folder / "mask" if form == "tiff_stack" else result.folder
        return [write_like(result.mask, result.image, folder, result.name, form=form)]

    return write


def _probability(result: VesselResult) -> Paths:
    path = result.path("_probability.ome.zarr")
    return [write_ome_zarr(result.probability, path, kind="image", name="probability", like=result.image)]


def _rle(result: VesselResult) -> Paths:
    path = result.path("_rle.csv")
    return [write_submission(path, {result.name: result.mask}, order=result.rle_order)]


def _table(result: VesselResult) -> Paths:
    numbers = {key: value for key, value in result.table.items() if not isinstance(value, list)}
    rows = [{"name": result.name, "vessel_voxels": result.vessel_voxels, **numbers}]
    histogram = result.table["radius_histogram"]
    return [
        write_rows(result.path("_vessels.csv"), rows),
        write_rows(result.path("_radii.csv"), histogram),
        draw_radius_histogram(result.path("_radii.png"), histogram),
    ]


def _sweep(result: VesselResult) -> Paths:
    """Scores by threshold as a table and a plot; nothing without a label."""
    if not result.sweep:
        return []
    return [
        write_rows(result.path("_thresholds.csv"), result.sweep),
        draw_threshold_sweep(result.path("_thresholds.png"), result.sweep, chosen=result.threshold),
    ]


def _projections(result: VesselResult) -> Paths:
    folder = result.path("_projections")
    return list(draw_projections(folder, result.image, result.mask, reference=result.label).values())


def _slices(result: VesselResult) -> Paths:
    path = result.path("_slices.png")
    return [draw_slices(path, result.image, result.mask, reference=result.label)]


def _mesh(result: VesselResult) -> Paths:
    return [write_ply(result.path(".ply"), extract_surface(result.mask))]


def _attention(result: VesselResult) -> Paths:
    """Attention over the slice with most vessels, or a part of it; nothing from a network without gates."""
    if not has_attention(result.network):
        return []
    index = int(count_voxels(result.mask).argmax())
    # the same place on the network's grid: voxel i lies at (i + 0.5) * spacing
    shown = int((index + 0.5) * result.grays.shape[0] / result.mask.shape[0])
    part = best_window(result.grays.shape[1:], read_plane(result.mask, index))
    maps = attention_of_slice(result.network, result.grays, shown, num_slices=result.num_slices, part=part)
    masks = {}
    if result.grays.shape == result.mask.shape:
        masks["prediction"] = read_plane(result.mask, index)[part]
        masks["reference"] = None if result.label is None else read_plane(result.label, index)[part]
    gray = read_plane(result.grays, shown)[part]
    return [draw_attention_maps(result.path("_attention.png"), gray, maps, **masks)]


def _page(result: VesselResult) -> Paths:
    """One HTML page of everything; what it shows and has not been written yet is written for it."""
    for form in ("table", "projections", "slices", "sweep", "attention"):
        result.write(form)
    pictures = [path for paths in result.written.values() for path in paths if path.suffix == ".png"]
    numbers = {key: value for key, value in result.table.items() if not isinstance(value, list)}
    tables = {"Vessel radii": result.table["radius_histogram"]}
    if result.sweep:
        numbers |= {f"threshold: {key}": value for key, value in threshold_plateau(result.sweep).items()}
        tables["Scores by threshold"] = result.sweep
    options = {
        "summary": {"volume": result.image.path, "threshold": result.threshold, **numbers},
        "tables": tables,
        "pictures": {path.stem.replace("_", " "): path for path in pictures},
        "reference": result.label,
    }
    return [write_vessel_page(result.path(".html"), title=result.name, mask_volume=result.mask, **options)]


FORMS: dict[str, Callable[[VesselResult], Paths]] = {
    "mask": _mask,
    "tiff": _in_form("tiff_stack"),
    "nifti": _in_form("nifti"),
    "ome_zarr": _in_form("ome_zarr"),
    "npy": _in_form("npy"),
    "probability": _probability,
    "rle": _rle,
    "table": _table,
    "sweep": _sweep,
    "projections": _projections,
    "slices": _slices,
    "mesh": _mesh,
    "attention": _attention,
    "page": _page,
}
