# SPDX-License-Identifier: Apache-2.0
"""Score a table of detected nodules as LUNA16 and Tianchi do: FROC, its seven sensitivities, their mean."""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..data.label_csv import read_table
from ..data.nodules import read_annotations, read_seriesuids, uid_key
from ..data.nodules.annotations import parse_number
from ..handlers.nodule_records import ScanRecord, nodule_rows, scan_row
from ..handlers.nodule_summary import write_nodule_summary
from ..metrics import nodule_scores
from ..utils import InputError

_logger = logging.getLogger("tomobundles")

_NEEDED = ("seriesuid", "coordX", "coordY", "coordZ", "probability")

Candidates = dict[str, list[tuple[list[float], float]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--annotations", type=Path, required=True, help="annotations.csv: the nodules")
    parser.add_argument("--excluded", type=Path, help="annotations_excluded.csv: findings that do not count")
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        help="CSV with seriesuid,coordX,coordY,coordZ,probability (diameter_mm may be there)",
    )
    parser.add_argument(
        "--seriesuids",
        type=Path,
        help="a seriesuid a line: the scans that count, without nodules too (default: all in the tables)",
    )
    parser.add_argument(
        "--bootstrap", type=int, default=1000, help="samples of scans for the intervals; 0 for none"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder of the tables and the picture")


def run(arguments: argparse.Namespace) -> None:
    """Read, score, write, and print the scores."""
    records = _records(arguments)
    matches = [record.match() for record in records]
    pairs = list(zip(records, matches, strict=True))
    table = write_nodule_summary(
        arguments.output_dir,
        matches,
        metrics=nodule_scores(matches),
        scans=[scan_row(*pair) for pair in pairs],
        nodules=[row for pair in pairs for row in nodule_rows(*pair)],
        bootstrap=max(0, arguments.bootstrap),
        seed=arguments.seed,
    )
    print(f"{len(records)} scans, {sum(match.marks for match in matches)} marks\n{table}")
    print(f"wrote {arguments.output_dir}")


def _records(arguments: argparse.Namespace) -> list[ScanRecord]:
    nodules = read_annotations(arguments.annotations)
    excluded = read_annotations(arguments.excluded, excluded=True) if arguments.excluded else {}
    found = _read_predictions(arguments.predictions)
    named = sorted({*nodules, *excluded, *found})
    listed = read_seriesuids(arguments.seriesuids) if arguments.seriesuids else named
    if not arguments.seriesuids:
        _logger.warning("no --seriesuids: a scan that no table names does not count, rates are too high")
    _check_names(found, nodules, listed, arguments)
    return [
        ScanRecord(
            seriesuid=key,
            world=[point for point, _ in found.get(key, ())],
            probability=[probability for _, probability in found.get(key, ())],
            nodules=[one.row for one in nodules.get(key, ())],
            excluded=[one.row for one in excluded.get(key, ())],
        )
        for key in listed
    ]


def _read_predictions(path: Path) -> Candidates:
    """Read candidates x, y, z, diameter (NaN where there is none) and their probability by scan."""
    found: Candidates = {}
    for line, row in read_table(path, needed=_NEEDED, delimiter=None):
        where = {"path": path, "line": line}
        *point, probability = (parse_number(row[name.lower()], column=name, **where) for name in _NEEDED[1:])
        size = row.get("diameter_mm", "")
        diameter = parse_number(size, column="diameter_mm", **where) if size else math.nan
        found.setdefault(uid_key(row["seriesuid"]), []).append(([*point, diameter], probability))
    return found


def _check_names(
    found: Candidates, nodules: Mapping, listed: Sequence[str], arguments: argparse.Namespace
) -> None:
    """Refuse tables of other scans; say what a list of scans leaves out, as the contest does silently."""
    known = set(listed) if arguments.seriesuids else set(nodules)
    if found and known and not known & set(found):
        raise InputError(
            f"none of its {len(found)} scans is known, e.g. {min(found)!r}",
            path=arguments.predictions,
            remedy=f"scans are named as in {arguments.seriesuids or arguments.annotations}",
        )
    for path, table in ((arguments.annotations, nodules), (arguments.predictions, found)):
        if other := sorted(set(table) - set(listed)):
            _logger.warning("%s: %d scans are not in the list, e.g. %s", path, len(other), other[0])


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("froc")
