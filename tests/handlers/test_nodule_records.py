# SPDX-License-Identifier: Apache-2.0
"""What is kept of a scan, its name, and its rows."""

import math
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tests.handlers.chest_scans import NODULE, chest, false, hit
from tests.handlers.fake_ranks import fake_ranks
from tomobundles.handlers.nodule_records import (
    ScanRecord,
    engine_scans,
    gather_records,
    nodule_rows,
    scan_record,
    scan_row,
    scan_uid,
)
from tomobundles.utils import InputError


def record_of(**options):
    item = chest(**options)
    return scan_record(item["pred"], item)


def test_a_record_is_plain():
    record = record_of(found=[hit(0.75)], excluded=[[1, 2, 3, -1.0]], quality={"level_hu": -600})
    assert (record.seriesuid, record.patient) == ("LKDS-00001", "LKDS-00001")
    assert record.world == [[11, 20, 30, 8]]
    assert (record.probability, record.nodules) == ([0.75], [NODULE])
    assert (record.excluded, record.quality) == ([[1, 2, 3, -1]], {"level_hu": -600})


def test_nothing_annotated_nothing_found():
    item = chest()
    del item["nodules"], item["excluded"], item["lung_quality"], item["patient"]
    record = scan_record(item["pred"], item)
    assert (record.world, record.probability, record.nodules, record.excluded) == ([], [], [], [])
    assert (record.quality, record.patient) == ({}, "")


def test_no_world_coordinates():
    with pytest.raises(InputError, match="LKDS-00001\nthe candidates have no world"):
        scan_record({"points": 1}, chest())


@pytest.mark.parametrize(
    ("item", "meta", "uid"),
    [
        ({"seriesuid": "a", "series_uid": "b"}, {"series_uid": "c"}, "a"),
        ({"series_uid": "b"}, {"series_uid": "c"}, "b"),
        ({"seriesuid": ""}, {"series_uid": "c", "filename_or_obj": "/x/d.mhd"}, "c"),
        ({"name": "e"}, {"filename_or_obj": "/x/d.mhd"}, "d"),
        ({"name": "e"}, {}, "e"),
        ({}, {}, ""),
    ],
)
def test_names_of_scans(item, meta, uid):
    assert scan_uid(item | {"image": MetaTensor(torch.zeros(1), meta=meta)}) == uid


def test_a_plain_image_has_no_name():
    assert scan_uid({"image": torch.zeros(1)}) == ""


def test_output_and_batch_alone_or_in_lists():
    one = SimpleNamespace(state=SimpleNamespace(output={"pred": 1}, batch={"name": "a"}))
    many = SimpleNamespace(state=SimpleNamespace(output=[{"pred": 1}], batch=[{"name": "a"}]))
    assert list(engine_scans(one)) == list(engine_scans(many)) == [({"pred": 1}, {"name": "a"})]


def test_rows():
    quality = {"level_hu": -320.0, "warnings": ["thick slices", "one lung"]}
    found = [false(0.9), hit(0.5, offset=2, diameter=9), hit(0.4), [50, 0, 0, 4, 0.3]]
    truth = {"nodules": [NODULE, [0, 0, 0, 5.0]], "excluded": [[50, 0, 0, -1]]}
    record = record_of(found=found, quality=quality, **truth)
    match = record.match()
    assert scan_row(record, match) == {
        "seriesuid": "LKDS-00001",
        "patient": "LKDS-00001",
        "nodules": 2,
        "found": 1,
        "candidates": 4,
        "marks": 4,
        "false_positives": 1,
        "in_excluded": 1,
        "double_hits": 1,
        "shared_hits": 0,
        "top_false_positive": pytest.approx(0.9),
        "level_hu": -320,
        "warnings": "thick slices; one lung",
    }
    first, second = nodule_rows(record, match)
    assert (first["coordX"], first["coordZ"], first["diameter_mm"]) == (10, 30, 8)
    assert (first["found"], first["probability"], first["rank"]) == (1, 0.5, 2)
    assert (first["centre_error_mm"], first["diameter_error_mm"]) == (2, 1)
    assert (second["found"], second["rank"]) == (0, None)
    assert math.isnan(second["probability"])
    assert math.isnan(second["centre_error_mm"])


def test_an_empty_scan_has_a_row():
    record = ScanRecord(seriesuid="a")
    row = scan_row(record, record.match())
    assert math.isnan(row["top_false_positive"])
    assert (row["level_hu"], row["warnings"]) == (None, "")
    assert nodule_rows(record, record.match()) == []


def test_errors_name_the_scan():
    with pytest.raises(InputError, match="LKDS-7\nprobabilities of candidates hold NaN"):
        ScanRecord(seriesuid="LKDS-7", world=[[0, 0, 0, 1]], probability=[math.nan]).match()


def test_candidates_without_a_diameter():
    record = ScanRecord(seriesuid="a", world=[[10, 20, 30, math.nan]], probability=[0.5], nodules=[NODULE])
    [row] = nodule_rows(record, record.match())
    assert (row["found"], row["centre_error_mm"]) == (1, 0)
    assert math.isnan(row["diameter_error_mm"])


def test_one_process_keeps_all():
    record = ScanRecord(seriesuid="a")
    assert gather_records([record, record]) == [record, record]


def test_records_of_two_processes_count_once(monkeypatch):
    """Both ranks have scan a; unnamed scans are never the same; numbers of torch go along."""
    mine = [record_of(name="a", found=[hit()], quality={"level_hu": np.float64(-500), "path": Path("x")})]
    unnamed = asdict(ScanRecord(seriesuid=""))
    others = [asdict(mine[0]) | {"quality": {}}, unnamed, unnamed]
    fake_ranks(monkeypatch, after=[others])
    found = gather_records(mine)
    assert [record.seriesuid for record in found] == ["a", "", ""]
    assert found[0].world == mine[0].world
    assert found[0].quality == {"level_hu": -500, "path": "x"}
