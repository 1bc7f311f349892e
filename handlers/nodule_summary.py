# SPDX-License-Identifier: Apache-2.0
"""The result of an evaluation of nodules: scores, FROC as table and picture, a row a scan and a nodule."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.utils import is_scalar
from numpy.typing import NDArray

from ..metrics import (
    FROC_RATES,
    Froc,
    FrocBand,
    Interval,
    ScanMatch,
    bootstrap_froc,
    cpm,
    froc_curve,
    matches_of_size,
    sensitivity_at,
    size_bins,
)
from ..metrics.nodule_bins import EDGES
from ..utils import InputError
from ..visualize.froc_plot import draw_froc
from .rows import Row, cell, write_metrics, write_rows

_logger = logging.getLogger("tomobundles")


class NoduleSummaryHandler:
    """Write the scores of an evaluation, its FROC and its tables when it completes; log a table.

    - metrics.json: the scalars of ``engine.state.metrics``, an undefined one as null; with ``bootstrap`` the
      bounds ``_low`` and ``_high`` of the 95 % interval of the CPM, its parts and the CPM of each size;
    - froc.csv: fps_per_scan, sensitivity and threshold of each point; froc_bootstrap.csv the band;
    - froc.png: both, and the curve of each size;
    - scans.csv and nodules.csv: a row a scan and a row an annotated nodule, see ``NoduleScore``;
    - masks.csv: a row a scan, where ``NoduleMaskScore`` is among the metrics.

    Files are replaced as a whole; only rank 0 writes.

    Args:
        output_dir: folder of the files; made when needed.
        bootstrap: samples of scans for the intervals; 0 leaves them out.
        seed: of the samples.
        edges: of the bins of diameter in mm, as ``NoduleScore`` has them.

    Raises:
        InputError: edges that do not rise; at the end of the evaluation, no ``NoduleScore``.
    """

    def __init__(
        self,
        output_dir: str | PathLike,
        *,
        bootstrap: int = 1000,
        seed: int = 0,
        edges: Sequence[float] = EDGES,
    ) -> None:
        size_bins(edges)
        self.output_dir = Path(output_dir)
        self.bootstrap = bootstrap
        self.seed = seed
        self.edges = tuple(edges)

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI evaluator with ``NoduleScore`` among its metrics."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the files and log the table."""
        state = engine.state
        if not hasattr(state, "nodule_matches"):
            raise InputError("no nodules were scored", remedy="put NoduleScore among the evaluator's metrics")
        if masks := getattr(state, "mask_rows", None):
            write_rows(self.output_dir / "masks.csv", masks)
        table = write_nodule_summary(
            self.output_dir,
            state.nodule_matches,
            metrics={name: float(value) for name, value in state.metrics.items() if is_scalar(value)},
            scans=state.scan_rows,
            nodules=state.nodule_rows,
            bootstrap=self.bootstrap,
            seed=self.seed,
            edges=self.edges,
        )
        count = len(state.nodule_matches)
        _logger.info("%d scans evaluated, written to %s\n%s", count, self.output_dir, table)


def write_nodule_summary(
    output_dir: str | PathLike,
    matches: Sequence[ScanMatch],
    *,
    metrics: Mapping[str, float],
    scans: Sequence[Row],
    nodules: Sequence[Row],
    bootstrap: int = 1000,
    seed: int = 0,
    edges: Sequence[float] = EDGES,
) -> str:
    """Write the files of ``NoduleSummaryHandler``, masks.csv left out.

    Args:
        output_dir: folder of the files; made when needed.
        matches: one a scan.
        metrics: of ``nodule_scores``, and others.
        scans: rows of scans.csv.
        nodules: rows of nodules.csv.
        bootstrap: samples of scans, 0 for none.
        seed: of the samples.
        edges: of the bins of diameter in mm.

    Returns:
        the scores as lines of text.

    Raises:
        InputError: no scan.
    """
    folder = Path(output_dir)
    groups = _groups(matches, edges)
    curves = {name: froc_curve(group) for name, group in groups.items()}
    bands = {}
    if bootstrap:
        bands = {name: bootstrap_froc(group, samples=bootstrap, seed=seed) for name, group in groups.items()}
    write_metrics(folder / "metrics.json", {**metrics, **_bounds(bands)})
    _write_curves(folder, curves[""], bands.get(""))
    write_rows(folder / "scans.csv", scans)
    write_rows(folder / "nodules.csv", nodules)
    _draw(folder / "froc.png", curves, bands.get(""))
    return summary_table(curves, bands)


def summary_table(curves: Mapping[str, Froc], bands: Mapping[str, FrocBand]) -> str:
    """A line for all nodules and one for each size: how many, the CPM, its interval, its parts."""
    rates = [f"{rate:g}" for rate in FROC_RATES]
    lines = [["nodules", "number", "CPM", "95 % interval", *rates]]
    for name, curve in curves.items():
        parts = [cell(value, digits=".3f") or "-" for value in sensitivity_at(curve).tolist()]
        interval = bands[name].cpm if name in bands else None
        known = interval is not None and cell(interval.low)
        span = f"{interval.low:.3f}-{interval.high:.3f}" if known else "-"
        lines.append([_title(name), str(curve.nodules), cell(cpm(curve), digits=".4f") or "-", span, *parts])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines
    )


def _groups(matches: Sequence[ScanMatch], edges: Sequence[float]) -> dict[str, list[ScanMatch]]:
    """All matches as "", and those of each size by its name."""
    sizes = {name: matches_of_size(matches, *bounds) for name, bounds in size_bins(edges).items()}
    return {"": list(matches), **sizes}


def _bounds(bands: Mapping[str, FrocBand]) -> dict[str, float]:
    found = {}
    for name, band in bands.items():
        found |= _low_high(f"cpm_{name}" if name else "cpm", band.cpm)
        if not name:
            for rate, interval in band.sensitivity.items():
                found |= _low_high(f"sensitivity_at_{rate:g}", interval)
    return found


def _low_high(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _write_curves(folder: Path, curve: Froc, band: FrocBand | None) -> None:
    """Nine digits as in LUNA16's files: thresholds of six would run together."""
    points = {"sensitivity": curve.sensitivity, "threshold": curve.thresholds}
    write_rows(folder / "froc.csv", _columns({"fps_per_scan": curve.fps_per_scan, **points}))
    if band is not None:
        columns = {"fps_per_scan": band.fps_per_scan, "mean": band.mean, "low": band.low, "high": band.high}
        write_rows(folder / "froc_bootstrap.csv", _columns(columns))


def _columns(columns: Mapping[str, NDArray]) -> list[Row]:
    texts = [[cell(value, digits=".9g") for value in values.tolist()] for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*texts, strict=True)]


def _draw(path: Path, curves: Mapping[str, Froc], band: FrocBand | None) -> None:
    drawn = {
        f"{_title(name)}, n = {curve.nodules}": (curve.fps_per_scan, curve.sensitivity)
        for name, curve in curves.items()
        if curve.nodules
    }
    bounds = None if band is None else (band.fps_per_scan, band.low, band.high)
    score = cell(cpm(curves[""]), digits=".3f")
    draw_froc(path, drawn, rates=FROC_RATES, band=bounds, title=f"CPM {score}" if score else "")


def _title(name: str) -> str:
    low, _, high = name.partition("_")
    return "all" if not name else f"{low}-{high} mm" if high else f"{low} mm and more"
