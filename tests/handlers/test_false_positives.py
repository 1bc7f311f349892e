# SPDX-License-Identifier: Apache-2.0
"""Hard negatives of an evaluation."""

import logging
from dataclasses import asdict

import ignite.distributed as idist
import pytest

from tests.handlers.chest_scans import chest, evaluate, false, hit, run
from tests.handlers.fake_ranks import fake_ranks
from tomobundles.data.nodules import read_false_positives
from tomobundles.handlers import FalsePositivesHandler, NoduleScore
from tomobundles.handlers.nodule_records import ScanRecord
from tomobundles.utils import InputError

HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm,probability"


def lines(folder, name="false_positives"):
    return (folder / f"{name}.csv").read_text().splitlines()


def test_which_candidates(tmp_path, caplog):
    """The nodule's radius is 4: 3.9 mm is a hit, 5 mm neither, 6.1 mm a false positive.

    The excluded finding of 10 mm keeps what is nearer than 7.5 mm; 0.05 is too improbable.
    """
    found = [hit(0.5, offset=5), hit(0.25, offset=6.1), hit(0.75, offset=3.9), false(0.875), false(0.05)]
    found += [[207.4, 0, 0, 5, 0.5], [207.6, 0, 0, 5, 0.625]]
    scans = [chest("a", found=found, excluded=[[200, 0, 0, -1]]), chest("b", found=[hit(0.05)])]
    with caplog.at_level(logging.INFO, "tomobundles"):
        run(scans, FalsePositivesHandler(tmp_path / "new"))
    assert lines(tmp_path / "new") == [
        HEADER,
        "a,100.0000,0.0000,0.0000,5.0000,0.875",
        "a,207.6000,0.0000,0.0000,5.0000,0.625",
        "a,16.1000,20.0000,30.0000,8.0000,0.25",
    ]
    assert lines(tmp_path / "new", "hits") == [
        HEADER,
        "a,13.9000,20.0000,30.0000,8.0000,0.75",
        "b,11.0000,20.0000,30.0000,8.0000,0.05",
    ]
    assert "3 false positives of probability 0.1 or more and 2 hits in 2 scans" in caplog.text


def test_the_most_probable_of_a_scan(tmp_path):
    scans = [chest(name, found=[false(0.2), false(0.6, 50), false(0.4, 60)]) for name in "ab"]
    run(scans, FalsePositivesHandler(tmp_path, max_per_scan=2))
    assert [line.split(",")[-1] for line in lines(tmp_path)[1:]] == ["0.6", "0.4"] * 2
    run(scans, FalsePositivesHandler(tmp_path, max_per_scan=0))
    assert len(lines(tmp_path)) == 7


def test_margin_and_probability(tmp_path):
    scans = [chest("a", found=[hit(0.5, offset=5), false(0.05)])]
    run(scans, FalsePositivesHandler(tmp_path, margin=1, min_probability=0))
    assert len(lines(tmp_path)) == 3


def test_nothing_found_leaves_headers(tmp_path):
    run([chest("a"), chest("b", nodules=[])], FalsePositivesHandler(tmp_path))
    assert lines(tmp_path) == lines(tmp_path, "hits") == [HEADER]


def test_training_reads_it(tmp_path):
    handlers = [FalsePositivesHandler(tmp_path)]
    evaluate([chest("LKDS-00007", found=[false(0.9), hit()])], handlers, cpm=NoduleScore())
    assert read_false_positives(tmp_path / "false_positives.csv") == {"LKDS-00007": [[100, 0, 0, 5]]}


def test_an_evaluation_starts_anew(tmp_path):
    handler = FalsePositivesHandler(tmp_path)
    run([chest("a", found=[false()])], handler)
    run([chest("b", found=[false()])], handler)
    assert [line[0] for line in lines(tmp_path)[1:]] == ["b"]


def test_rank_0_writes_those_of_all(tmp_path, monkeypatch):
    other = ScanRecord(seriesuid="b", world=[[0.0, 0, 0, 4]], probability=[0.5])
    fake_ranks(monkeypatch, after=[[asdict(other)]])
    run([chest("a", found=[false()])], FalsePositivesHandler(tmp_path))
    assert [line[0] for line in lines(tmp_path)[1:]] == ["a", "b"]


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    run([chest("a", found=[false()])], FalsePositivesHandler(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [{"min_probability": 1.5}, {"max_per_scan": -1}, {"margin": 0.9}])
def test_bad_arguments(given, tmp_path):
    with pytest.raises(InputError, match=f"{next(iter(given))} {next(iter(given.values()))}"):
        FalsePositivesHandler(tmp_path, **given)
