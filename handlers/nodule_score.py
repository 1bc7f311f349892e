# SPDX-License-Identifier: Apache-2.0
"""The contests' score of detected nodules as key metric of an evaluator."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ignite.engine import Engine
from ignite.metrics import Metric

from ..metrics import ScanMatch, nodule_scores, size_bins
from ..metrics.nodule_bins import EDGES
from ..metrics.nodule_matching import MAX_MARKS
from ..metrics.nodule_scores import RANKS
from ..utils import InputError
from .nodule_records import ScanRecord, engine_scans, gather_records, nodule_rows, scan_record, scan_row

_logger = logging.getLogger("tomobundles")


class NoduleScore(Metric):
    """Scores of candidates against nodules over all scans of an evaluation; ``compute`` gives one of them.

    Use as ``"key_val_metric": {"cpm": {"_target_": ...}}``. Reads of ``engine.state.output`` the detection
    result "pred" with "world" and "probability", and of ``engine.state.batch`` "nodules" and "excluded" (see
    ``NodulesToWorldd`` and ``LoadNodulesd``). When an epoch of evaluation ends,

    - ``engine.state.metrics`` gets every value of ``metrics.nodule_scores``, and ``key`` under the metric's
      own name;
    - ``engine.state.nodule_records`` gets the ``ScanRecord`` of each scan, ``engine.state.nodule_matches``
      its ``ScanMatch``, ``engine.state.scan_rows`` a row a scan and ``engine.state.nodule_rows`` a row a
      nodule: whether it is found, with what probability, at which rank of its scan.

    With several processes the scans of all count, each once, on every rank. Without any nodule the scores are
    NaN, which never makes a best epoch. The CPM is coarse on few scans: early in a training it may stay at 0
    for epochs; ``max_sensitivity`` and ``recall_at_rank_10`` rise sooner.

    Args:
        key: the score that is the metric's value.
        edges: of the bins of diameter in mm.
        ranks: see ``nodule_scores``.
        max_marks: candidates of a scan that count, 0 for all.

    Raises:
        InputError: edges that do not rise, a key that is no score; at the end of the epoch, no scan.
    """

    def __init__(
        self,
        *,
        key: str = "cpm",
        edges: Sequence[float] = EDGES,
        ranks: Sequence[int] = RANKS,
        max_marks: int = MAX_MARKS,
    ) -> None:
        size_bins(edges)
        self.key = key
        self.edges = tuple(edges)
        self.ranks = tuple(ranks)
        self.max_marks = max_marks
        self.records: list[ScanRecord] = []
        self._warned = False
        super().__init__()

    def reset(self) -> None:
        """Forget all scans; called when an evaluation starts."""
        self.records = []

    def iteration_completed(self, engine: Engine) -> None:
        """Take in the scans of one iteration."""
        for output, item in engine_scans(engine):
            self.update((output, item))

    def update(self, scan: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
        """Take in one scan: its output and its batch item."""
        output, item = scan
        self.records.append(scan_record(output["pred"], item))

    def compute(self) -> float:
        """The key score over all scans of all processes."""
        return self._key_of(self._scores([record.match(max_marks=self.max_marks) for record in self._all()]))

    def completed(self, engine: Engine, name: str) -> None:
        """Put all scores and rows into the engine's state."""
        records = self._all()
        matches = [record.match(max_marks=self.max_marks) for record in records]
        scores = self._scores(matches)
        pairs = list(zip(records, matches, strict=True))
        self._warn(scores, pairs)
        engine.state.metrics.update(scores)
        engine.state.metrics[name] = self._key_of(scores)
        engine.state.nodule_records, engine.state.nodule_matches = records, matches
        engine.state.scan_rows = [scan_row(*pair) for pair in pairs]
        engine.state.nodule_rows = [row for pair in pairs for row in nodule_rows(*pair)]

    def _all(self) -> list[ScanRecord]:
        records = gather_records(self.records)
        if not records:
            raise InputError("no scan was evaluated", remedy="check that the datalist's section has scans")
        return records

    def _scores(self, matches: Sequence[ScanMatch]) -> dict[str, float]:
        return nodule_scores(matches, edges=self.edges, ranks=self.ranks)

    def _key_of(self, scores: Mapping[str, float]) -> float:
        if self.key not in scores:
            raise InputError(f"no score {self.key!r}", remedy=f"There are {', '.join(list(scores)[:8])}, ...")
        return scores[self.key]

    def _warn(self, scores: Mapping[str, float], pairs: Sequence[tuple[ScanRecord, ScanMatch]]) -> None:
        """Say once what makes the scores less than they seem."""
        if self._warned:
            return
        shared = [record.seriesuid for record, match in pairs if match.shared]
        if math.isnan(scores["cpm"]):
            _logger.warning("none of the %d scans has a nodule: their FROC is undefined", len(pairs))
        if shared:
            _logger.warning("candidates that hit two nodules count for both: %s", ", ".join(shared[:5]))
        self._warned = bool(shared) or math.isnan(scores["cpm"])
