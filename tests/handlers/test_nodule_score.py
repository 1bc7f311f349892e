# SPDX-License-Identifier: Apache-2.0
"""The contest's score in an evaluator."""

import logging
import math
from dataclasses import asdict

import pytest

from tests.handlers.chest_scans import NODULE, chest, evaluate, false, hit, run
from tests.handlers.fake_ranks import fake_ranks
from tomobundles.handlers import NoduleScore
from tomobundles.handlers.nodule_records import ScanRecord
from tomobundles.utils import InputError


def test_scores_and_rows():
    """Two scans, two nodules of 8 mm: one hit behind a false positive of 0.5 a scan, one missed."""
    scans = [chest("a", found=[false(0.9), hit(0.5)]), chest("b", found=[false(0.1)])]
    state = run(scans, cpm=NoduleScore())
    expected = (0 + 0 + 5 * 0.5) / 7
    assert state.metrics["cpm"] == state.metrics["cpm_6_10"] == pytest.approx(expected)
    assert [state.metrics[f"sensitivity_at_{rate}"] for rate in ("0.25", "0.5", "8")] == [0, 0.5, 0.5]
    assert math.isnan(state.metrics["cpm_3_6"])
    assert (state.metrics["max_sensitivity"], state.metrics["false_positives_per_scan"]) == (0.5, 1)
    assert (state.metrics["recall_at_rank_1"], state.metrics["recall_at_rank_5"]) == (0, 0.5)
    assert [record.seriesuid for record in state.nodule_records] == ["a", "b"]
    assert [match.marks for match in state.nodule_matches] == [2, 1]
    assert [row["found"] for row in state.scan_rows] == [1, 0]
    assert [(row["seriesuid"], row["rank"]) for row in state.nodule_rows] == [("a", 2), ("b", None)]


def test_in_monais_evaluator():
    state = evaluate([chest("a", found=[hit(0.9)]), chest("b", nodules=[])], cpm=NoduleScore())
    assert state.metrics["cpm"] == state.best_metric == 1
    assert state.key_metric_name == "cpm"
    assert [row["nodules"] for row in state.scan_rows] == [1, 0]


def test_excluded_findings_and_limits():
    scans = [chest("a", found=[hit(0.5), false(0.9)], excluded=[[100, 0, 0, -1]])]
    assert run(scans, cpm=NoduleScore()).metrics["cpm"] == 1
    # with one mark a scan the excluded finding takes it
    assert run(scans, cpm=NoduleScore(max_marks=1)).metrics["cpm"] == 0


def test_another_key_and_other_bins():
    scans = [chest("a", found=[hit(0.5), false(0.9)])]
    state = run(scans, best=NoduleScore(key="max_sensitivity", edges=[5], ranks=[3]))
    assert state.metrics["best"] == 1
    assert state.metrics["cpm_5"] == state.metrics["cpm"] == pytest.approx(4 / 7)
    assert state.metrics["recall_at_rank_3"] == 1


def test_a_key_that_is_no_score():
    with pytest.raises(InputError, match=r"no score 'froc'\nThere are cpm, sensitivity_at_0\.125"):
        run([chest()], cpm=NoduleScore(key="froc"))


def test_edges_that_do_not_rise():
    with pytest.raises(InputError, match="size bins"):
        NoduleScore(edges=[6, 3])


def test_no_scan():
    with pytest.raises(InputError, match="no scan was evaluated"):
        NoduleScore().compute()


def test_no_nodule_is_nan_and_said_once(caplog):
    metric = NoduleScore()
    with caplog.at_level(logging.WARNING, "tomobundles"):
        for _ in range(2):
            assert math.isnan(run([chest("a", nodules=[], found=[false()])], cpm=metric).metrics["cpm"])
    assert caplog.text.count("none of the 1 scans has a nodule") == 1


def test_a_candidate_in_two_nodules_is_said(caplog):
    with caplog.at_level(logging.WARNING, "tomobundles"):
        run([chest("a", found=[hit()], nodules=[NODULE, NODULE])], cpm=NoduleScore())
    assert "two nodules count for both: a" in caplog.text


def test_an_evaluation_starts_anew():
    metric = NoduleScore()
    run([chest("a"), chest("b")], cpm=metric)
    assert len(run([chest("c")], cpm=metric).scan_rows) == 1


def test_scans_of_all_processes(monkeypatch):
    """The other rank has a scan with a hit, and scan a as well."""
    other = ScanRecord(seriesuid="b", world=[[0.0] * 4], probability=[0.4], nodules=[[0.0, 0, 0, 8]])
    mine = ScanRecord(seriesuid="a", patient="a", nodules=[NODULE])
    fake_ranks(monkeypatch, after=[[asdict(other), asdict(mine)]])
    metric = NoduleScore()
    metric.update(({"pred": chest("a")["pred"]}, chest("a")))
    assert metric.compute() == 0.5
