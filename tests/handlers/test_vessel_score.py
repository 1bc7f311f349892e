# SPDX-License-Identifier: Apache-2.0
"""Scores of volumes on disk as an evaluator's key metric."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from ignite.engine import Engine

from tests.handlers.fake_ranks import fake_ranks
from tomobundles.data.volumes import ArrayVolume
from tomobundles.handlers import VesselScore
from tomobundles.metrics import VesselScores
from tomobundles.utils import InputError

LABEL = np.zeros((4, 6, 6), np.uint8)
LABEL[:, 2:4, 2:4] = 1  # 16 voxels
HALF = LABEL * np.float32(0.7)
HALF[2:] = 0.2  # 8 of them


def _output(probability, label=LABEL, **known):
    return {
        "pred": ArrayVolume(np.asarray(probability, np.float32)),
        "label": None if label is None else ArrayVolume(label),
        **known,
    }


def _run(metric, outputs, names=None):
    """Run an engine whose batches are samples and whose output is a volume's."""
    names = names or [f"k{index}" for index in range(len(outputs))]
    evaluator = Engine(lambda engine, batch: outputs[batch["index"]])
    metric.attach(evaluator, "surface_dice")
    batches = [
        {"index": index, "name": name, "image": SimpleNamespace(path=f"/scans/{index}")}
        for index, name in enumerate(names)
    ]
    evaluator.run(batches)
    return evaluator.state


def test_scores_and_means():
    """Half of the vessel found: Dice 2 * 8 / (8 + 16); the other volume is perfect."""
    state = _run(VesselScore(bands=None), [_output(HALF), _output(LABEL)])
    assert state.metrics["dice"] == pytest.approx((2 / 3 + 1) / 2)
    assert state.metrics["recall"] == pytest.approx(0.75)
    assert state.metrics["precision"] == 1
    records = state.vessel_records
    assert [record["name"] for record in records] == ["k0", "k1"]
    assert records[0]["dice"] == pytest.approx(2 / 3)
    mean = (records[0]["surface_dice"] + 1) / 2
    assert state.metrics["surface_dice"] == pytest.approx(mean)
    assert records[0]["slabs"][0]["first_slice"] == 0


def test_another_number_as_the_metric():
    state = _run(VesselScore(key="recall", cldice=False, bands=None), [_output(HALF)])
    assert state.metrics["surface_dice"] == 0.5  # the metric's name is the one it was attached under
    assert "cldice" not in state.metrics


def test_the_threshold():
    state = _run(VesselScore(threshold=0.75, bands=None), [_output(HALF)])
    assert state.metrics["predicted_voxels"] == 0
    assert state.metrics["dice"] == 0


def test_a_volume_without_a_name_goes_by_its_path():
    state = _run(VesselScore(bands=None), [_output(LABEL)], names=[""])
    assert state.vessel_records[0]["name"] == "/scans/0"


def test_a_volume_without_a_label_counts_for_nothing():
    state = _run(VesselScore(bands=None), [_output(LABEL, None), _output(HALF)])
    assert [record["name"] for record in state.vessel_records] == ["k1"]


def test_no_label_at_all():
    with pytest.raises(InputError, match="no volume has a label"):
        _run(VesselScore(), [_output(LABEL, None)])


def test_an_evaluation_starts_anew():
    metric = VesselScore(bands=None)
    _run(metric, [_output(HALF)])
    assert len(_run(metric, [_output(LABEL)]).vessel_records) == 1


def test_undefined_numbers_are_left_out_of_the_mean(monkeypatch):
    found = iter([{"surface_dice": math.nan, "dice": 0.5}, {"surface_dice": 0.25, "dice": math.nan}])
    monkeypatch.setattr(VesselScores, "score", lambda *given: next(found))
    metrics = _run(VesselScore(), [_output(HALF), _output(HALF)]).metrics
    assert metrics == {"surface_dice": 0.25, "dice": 0.5}
    found = iter([{"surface_dice": math.nan}])
    assert math.isnan(_run(VesselScore(), [_output(HALF)]).metrics["surface_dice"])


def test_small_components_are_removed_first(tmp_path):
    specks = np.array(LABEL, np.float32)
    specks[0, 0, 0] = specks[3, 5, 0] = 1
    options = {"bands": None, "work_dir": tmp_path / "work"}
    [record] = _run(VesselScore(min_component_voxels=2, **options), [_output(specks)]).vessel_records
    assert (record["dice"], record["predicted_voxels"]) == (1, 16)
    assert not list((tmp_path / "work").iterdir())
    [record] = _run(VesselScore(min_component_voxels=1, **options), [_output(specks)]).vessel_records
    assert record["predicted_voxels"] == 18


def test_removing_components_takes_a_folder():
    with pytest.raises(InputError, match="small components are removed on disk"):
        VesselScore(min_component_voxels=2)


def test_a_threshold_that_is_none():
    with pytest.raises(InputError, match="threshold"):
        VesselScore(threshold=0)


def test_records_of_all_processes_count_once(monkeypatch):
    """Two ranks; the sampler gave volume k0 to both, to make their shares even."""
    metric = VesselScore(bands=None)
    metric.update(_output(LABEL, name="k0"))
    others = [{"name": "k1", "surface_dice": 0.5}, {"name": "k0", "surface_dice": 1.0}]
    fake_ranks(monkeypatch, after=[others])
    assert metric.compute() == metric.compute() == 0.75
    assert [record["name"] for record in metric.records] == ["k0", "k1"]


def test_volumes_without_label_keep_the_place_of_the_others(monkeypatch):
    """Volumes k0 to k3 dealt out to two ranks; k0 and k3 have no label."""
    metric = VesselScore(bands=None)
    for name, label in (("k0", None), ("k2", LABEL)):
        metric.update(_output(LABEL, label, name=name))
    fake_ranks(monkeypatch, after=[[{"name": "k1", "surface_dice": 0.5}, None]])
    assert metric.compute() == 0.75
    assert [record["name"] for record in metric.records] == ["k1", "k2"]
