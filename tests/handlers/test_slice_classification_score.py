# SPDX-License-Identifier: Apache-2.0
"""The scores of slices and patients in a MONAI evaluator."""

from __future__ import annotations

import math

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from torch import nn

from tests.handlers.fake_ranks import fake_ranks
from tomobundles.data import collate_volumes
from tomobundles.handlers import SliceClassificationScore
from tomobundles.transforms import SlicePosteriorsd
from tomobundles.utils import InputError

NAMES = ["IPH", "IVH"]
NAN = math.nan
# Two classes and any, four slices: IPH is in slices 0 and 1; of slice 3 only IPH is known.
LABEL = torch.tensor([[1, 1, 0, 0], [0, 0, 0, NAN], [1, 1, 0, NAN]])
# Called (logit at 0 or above) is IPH in slices 0 and 2, IVH in slice 3, which is unknown and counts nowhere:
# TP 1, FN 1, FP 1, F2 = 5 / (5 + 4 + 1).
LOGITS = torch.tensor([[2.0, -1.0, 1.0, -2.0], [-3.0, -3.0, -3.0, 3.0]])
F2 = 0.5


def study(name="/scans/v0", label=LABEL, patient="P0", meta=None, **more):
    image = MetaTensor(torch.zeros(1, 2, 2, 4), meta={"filename_or_obj": name} | (meta or {}))
    item = {"image": image, "patient": patient} | more
    return item if label is None else item | {"label": label}


def evaluator_of(studies, metric, *, logits=LOGITS, name="f2_micro", **options):
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(studies), collate_fn=collate_volumes),
        network=nn.Identity(),
        inferer=lambda _inputs, _network: {"logits": logits[None]},
        postprocessing=SlicePosteriorsd(),
        key_val_metric={name: metric},
        **options,
    )


def scored(studies, **options):
    evaluator = evaluator_of(studies, SliceClassificationScore(NAMES, key="f2_micro", **options))
    evaluator.run(1)
    return evaluator.state


def test_scores_and_studies_in_the_state():
    state = scored([study(), study("/scans/v1", torch.zeros(3, 4), "P1")])
    # study 1 has no bleed: IPH is called in 2 of its slices, IVH in 1: TP 1, FN 1, FP 1 + 3
    assert state.metrics["f2_micro"] == pytest.approx(5 / (5 + 4 + 4))
    assert state.best_metric == state.metrics["f2_micro"]
    # IPH, positives 2 and -1, negatives 1 -2 and 2 -1 1 -2: of 12 pairs 2 wins 5.5, -1 wins 2.5
    assert state.metrics["auc_IPH"] == pytest.approx(8 / 12)
    assert math.isnan(state.metrics["auc_IVH"])
    assert state.metrics["patient_auc_IPH"] == 0.5  # both studies have the same scores
    assert state.volume_names == ["/scans/v0", "/scans/v1"]
    assert [record.patient for record in state.slice_metrics.records] == ["P0", "P1"]
    assert not [key for key in state.metrics if key.endswith(("_low", "_high"))]


def test_each_evaluation_starts_anew():
    evaluator = evaluator_of([study()], SliceClassificationScore(NAMES, key="f2_micro"))
    evaluator.run(1)
    evaluator.run(2)
    assert len(evaluator.state.volume_names) == 1


def test_bootstrap_puts_intervals_beside_the_values():
    studies = [study(f"/scans/v{k}", LABEL if k % 2 else torch.zeros(3, 4), f"P{k}") for k in range(6)]
    metrics, again, other = (scored(studies, bootstrap=200, seed=seed).metrics for seed in (0, 0, 1))
    for key in ("f2_micro", "auc_IPH", "auc_any", "patient_auc_IPH"):
        assert metrics[f"{key}_low"] <= metrics[key] <= metrics[f"{key}_high"]
    # draws have 0 to 6 patients with a bleed: the F2 reaches from less than half of it to the one of study()
    assert metrics["f2_micro_low"] < metrics["f2_micro"] < metrics["f2_micro_high"] <= F2
    assert math.isnan(metrics["auc_IVH_low"])
    assert metrics["f2_micro_low"] == again["f2_micro_low"]
    assert any(metrics[key] != other[key] for key in metrics if key.endswith("_low"))


def test_patients_are_drawn_with_all_their_studies():
    # each of two patients has one study with a bleed and one without: every draw is alike
    studies = [study(f"/scans/v{k}", LABEL if k % 2 else torch.zeros(3, 4), f"P{k // 2}") for k in range(4)]
    metrics = scored(studies, bootstrap=50).metrics
    assert metrics["f2_micro_low"] == metrics["f2_micro_high"] == metrics["f2_micro"]


def test_a_patient_without_a_name_goes_by_the_file():
    items = [study(), study("/scans/v1")]
    for item in items:
        del item["patient"]
    assert [record.patient for record in scored(items).slice_metrics.records] == ["/scans/v0", "/scans/v1"]


def test_the_study_label_counts_for_the_patient():
    known = {"study_label": torch.tensor([0.0, 1.0, 1.0])}
    state = scored([study(), study("/scans/v1", None, "P1", **known)])
    # slices of study 1 are unknown, so the F2 is that of study 0
    assert state.metrics["f2_micro"] == pytest.approx(F2)
    assert state.metrics["patient_auc_IPH"] == 0.5
    assert state.slice_metrics.records[1].study_label.tolist() == [0, 1, 1]


def test_the_name_of_the_metric_is_free():
    evaluator = evaluator_of([study()], SliceClassificationScore(NAMES, key="f2_micro"), name="val")
    evaluator.run(1)
    assert evaluator.state.metrics["val"] == evaluator.state.metrics["f2_micro"] == F2
    assert evaluator.state.key_metric_name == "val"


def test_the_value_alone():
    metric = SliceClassificationScore(NAMES, key="f2_micro")
    metric.update(({"image": None, "label": LABEL, "pred": {"logits": LOGITS}}, {}))
    assert metric.compute() == F2
    assert metric.metrics.records[0].name == ""
    metric.reset()
    assert not metric.metrics.records


def test_an_undefined_class_is_warned_of_once(caplog):
    evaluator = evaluator_of([study()], SliceClassificationScore(NAMES, key="f2_micro"))
    evaluator.run(1)
    evaluator.run(2)
    warnings = [record.getMessage() for record in caplog.records if record.name == "tomobundles"]
    assert warnings == [
        "class IVH is in none or all of the labelled slices of 1 studies: its AUC is undefined"
    ]


def test_from_a_configuration():
    name = "tomobundles.handlers.SliceClassificationScore"
    config = {"_target_": name, "class_names": NAMES, "key": "f2_micro"}
    metric = ConfigParser({"metric": config}).get_parsed_content("metric")
    engine = Engine(lambda _engine, _batch: [{"label": LABEL, "pred": {"logits": LOGITS}}])
    metric.attach(engine, "f2_micro")
    engine.run([[{"patient": "P0"}]])
    assert engine.state.metrics["f2_micro"] == F2


def test_no_label_at_all_is_an_error():
    unknown = study("/scans/v1", torch.full((3, 4), NAN), study_label=torch.full((3,), NAN))
    for studies in ([study(label=None)] * 2, [unknown, unknown]):
        with pytest.raises(InputError, match="none of the 2 studies has a label"):
            scored(studies)


def test_a_study_label_alone_is_a_label():
    state = scored([study(label=None, study_label=torch.tensor([1.0, 0.0, 1.0]))])
    assert math.isnan(state.metrics["f2_micro"])


def test_two_series_of_one_folder_have_two_names():
    metas = [{"form": "dicom", "series_uid": f"1.2.{k}"} for k in range(2)]
    assert scored([study(meta=meta) for meta in metas]).volume_names == ["1.2.0", "1.2.1"]


def gathered(monkeypatch, ranks):
    """What a rank sees of all ranks' records."""
    shares = []
    for records in ranks:
        metric = SliceClassificationScore(NAMES, key="f2_micro")
        for name, label in records:
            pred = SlicePosteriorsd()({"pred": {"logits": LOGITS}})["pred"]
            image = MetaTensor(torch.zeros(1), meta={"filename_or_obj": name})
            metric.update(({"image": image, "label": label, "pred": pred}, {"patient": f"of {name}"}))
        shares.append(metric)
    fake_ranks(monkeypatch, after=[[one.as_lists() for one in m.metrics.records] for m in shares[1:]])
    return shares[0]._gathered()


def test_all_ranks_are_scored_together_and_repeats_count_once(monkeypatch):
    none = torch.zeros(3, 4)
    found = gathered(monkeypatch, [[("v0", LABEL), ("v2", none)], [("v1", none), ("v0", LABEL)]])
    assert [record.name for record in found.records] == ["v0", "v1", "v2"]
    assert [record.patient for record in found.records] == ["of v0", "of v1", "of v2"]
    torch.testing.assert_close(found.records[0].label, LABEL, equal_nan=True)
    assert found.records[0].scores["context"].dtype == torch.float32
    assert found.aggregate()["f2_micro"] == pytest.approx(5 / (5 + 4 + 1 + 3 + 3))


def test_what_is_no_repeat(monkeypatch):
    """Nameless studies, and one study with the labels of two readers."""
    second = LABEL.clone()
    second[1, 3] = 1
    found = gathered(monkeypatch, [[("", LABEL), ("v0", LABEL)], [("", LABEL), ("v0", second)]])
    assert [record.name for record in found.records] == ["", "", "v0", "v0"]


def test_no_label_on_any_rank(monkeypatch):
    with pytest.raises(InputError, match="none of the 2 studies has a label"):
        gathered(monkeypatch, [[("a", None)], [("b", None)]])


def test_a_rank_without_labels_of_its_own(monkeypatch):
    assert gathered(monkeypatch, [[("a", LABEL)], [("b", None)]]).aggregate()["f2_micro"] == F2


def test_the_mean_auc_is_the_key_unless_another_score_is_asked_for():
    evaluator = evaluator_of([study()], SliceClassificationScore(NAMES), name="auc")
    evaluator.run(1)
    # IPH, positives 2 and -1, negatives 1 and -2: 2 wins both, -1 one of two; IVH has no example
    assert evaluator.state.best_metric == evaluator.state.metrics["auc"] == pytest.approx(3 / 4)


def test_a_key_that_is_no_score():
    metric = SliceClassificationScore(NAMES, key="dice")
    evaluator = evaluator_of([study()], metric)
    with pytest.raises(InputError, match="no score 'dice'"):
        evaluator.run(1)
