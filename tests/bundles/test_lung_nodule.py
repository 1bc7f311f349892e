# SPDX-License-Identifier: Apache-2.0
"""lung_nodule: training, mining, last stage, second stage, evaluation, every overlay."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.bundles.kidney_runs import fault, rows_of
from tests.bundles.lung_runs import TRAIN, chest, evaluate, infer, mine, train, truth, world
from tests.helpers import LUNG, ROOT, TINY_DETECTOR, TINY_NETWORK, workflow
from tomobundles.losses import MisclassifiedWeights, NoduleDetectionLoss

LAST = [LUNG / "last_stage.json", LUNG / "hard_negatives.json"]
SECOND = LUNG / "second_stage.json"
CLASSIFIER = TINY_NETWORK | {"batch_size": 8, "augmentation#elastic": 0.3}
UNET = {"features": [4, 4, 8, 8, 8, 4], "crop_size": 32, "augmentation#elastic": 0.5}
UNET_2D = UNET | {"batch_size": 8}
CONTEST = ["seriesuid", "coordX", "coordY", "coordZ", "probability", "diameter_mm"]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def stages(chests_dir, trained_lung, tmp_path_factory):
    """Folders of the detector's last stage and of the second stage, both an epoch long, and mined points."""
    folder = tmp_path_factory.mktemp("stages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        shutil.copytree(trained_lung / "models", folder / "first" / "models")
        mined = mine(chests_dir, folder / "first")
        given = {"false_positives": str(mined)}
        weights = str(trained_lung / "models" / "model.pt")
        train(chests_dir, folder / "last", *LAST, init_weights=weights, **given)
        given |= {"network": CLASSIFIER, "detector_dir": str(folder / "last" / "models")}
        train(chests_dir, folder / "second", SECOND, **given)
    return folder


def _weights(folder, name="last.pt"):
    return torch.load(folder / name, weights_only=True)["network"]


def _same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_training_leaves_what_the_documentation_says(trained_lung):
    for name in ("models/model.pt", "models/last.pt", "curves.png", "history.csv"):
        assert (trained_lung / name).stat().st_size > 0
    rows = rows_of(trained_lung / "history.csv")
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 11)]
    assert {"loss_positive", "loss_negative", "loss_box", "cpm"} <= set(rows[0])
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2


@pytest.mark.parametrize("seed", [1, 2])
def test_a_detector_learns_what_a_nodule_is(seed, trained_lung, chests_dir, tmp_path):
    """After seconds of training the one nodule of an unseen chest ranks first, its vessels behind."""
    model = trained_lung / "models"
    if seed > 1:
        model = train(chests_dir, tmp_path, epochs=10, crops_per_epoch=64, seed=seed, val_interval=10)
    rows = infer(chests_dir, model, tmp_path / "results")
    [nodule] = truth(chests_dir, "LKDS-00801")
    distances = np.linalg.norm(world(rows)[:, :3] - nodule[:3], axis=1)
    assert distances[0] < nodule[3]
    assert float(rows[0]["probability"]) > 0.5
    far = [float(row["probability"]) for row, mm in zip(rows, distances, strict=True) if mm > 2 * nodule[3]]
    assert max(far, default=0) < float(rows[0]["probability"])


def test_mining_finds_false_positives_of_the_training_scans(stages, chests_dir):
    rows = rows_of(stages / "first" / "mining" / "false_positives.csv")
    hits = rows_of(stages / "first" / "mining" / "hits.csv")
    assert rows
    assert hits
    names = {row["seriesuid"] for row in rows + hits}
    assert len(names) <= 4  # the fifth is validated on, the sixth is for tests
    assert "LKDS-00801" not in names
    for row in rows:
        found, nodules = world([row])[0], truth(chests_dir, row["seriesuid"])
        distances = np.linalg.norm(nodules[:, :3] - found[:3], axis=1)
        assert (distances > 1.5 * nodules[:, 3] / 2).all()
        assert float(row["probability"]) >= 0.1


def test_the_last_stage_goes_on_from_the_first(stages, trained_lung):
    first, last = _weights(trained_lung / "models"), _weights(stages / "last" / "models")
    assert not _same(first, last)
    name = "stem.conv.weight" if "stem.conv.weight" in first else next(iter(first))
    assert (first[name] - last[name]).abs().max() < 0.1
    assert (stages / "last" / "history.csv").is_file()


def test_every_stage_is_scored_on_held_out_chests(stages, chests_dir, tmp_path):
    first = evaluate(chests_dir, stages / "last", *LAST, **_of_stage(stages, tmp_path / "last"))
    given = _of_stage(stages, tmp_path / "second") | {"detector_dir": str(stages / "last" / "models")}
    given["outputs"] = ["contest_csv", "ranked", "contact_sheet", "html"]
    second = evaluate(chests_dir, stages / "second", SECOND, **given)
    for metrics in (first, second):
        assert 0 <= metrics["cpm"] <= 1
        assert {"cpm_low", "cpm_high", "sensitivity_at_8", "cpm_6_10"} <= set(metrics)
    names = {path.name for path in (tmp_path / "second").iterdir()}
    assert {"metrics.json", "froc.csv", "froc.png", "froc_bootstrap.csv", "scans.csv"} <= names
    assert {"nodules.csv", "cases.csv", "predictions.csv", "LKDS-00801"} <= names
    [scan] = rows_of(tmp_path / "second" / "scans.csv")
    assert scan["seriesuid"] == "LKDS-00801"
    assert list(rows_of(tmp_path / "second" / "predictions.csv")[0]) == CONTEST


def _of_stage(stages, folder):
    mined = stages / "first" / "mining" / "false_positives.csv"
    section = {"evaluate_section": "test", "evaluation_dir": str(folder)}
    return section | {"false_positives": str(mined), "init_weights": None}


def test_two_stages_infer_what_the_evaluation_scored(stages, chests_dir, tmp_path):
    given = _of_stage(stages, tmp_path / "evaluated") | {"detector_dir": str(stages / "last" / "models")}
    evaluate(chests_dir, stages / "second", SECOND, **given)
    evaluated = rows_of(tmp_path / "evaluated" / "predictions.csv")
    given = {"detector_dir": str(stages / "last" / "models"), "report_probability": 0.0}
    two = LUNG / "two_stage.json"
    rows = infer(chests_dir, stages / "second" / "models", tmp_path / "inferred", two, **given)
    assert rows == evaluated
    judged = [row for row in rows_of(tmp_path / "inferred" / "nodules.csv") if row["classifier"]]
    assert judged
    for row in judged:
        scores = torch.tensor([float(row["detector"]), float(row["classifier"])])
        assert float(row["probability"]) == pytest.approx(scores.logit().mean().sigmoid().item(), rel=1e-3)


@pytest.mark.parametrize(("overlay", "network"), [("unet_3d", UNET), ("unet_2d", UNET_2D)])
def test_a_segmentation_arm_trains_evaluates_and_infers(overlay, network, chests_dir, tmp_path):
    file, features = LUNG / f"{overlay}.json", {"features": UNET["features"]}
    train(chests_dir, tmp_path, file, network=network)
    metrics = evaluate(chests_dir, tmp_path, file, network=features, mask_threshold=0.3)
    assert {"cpm", "dice", "mask", "centre_error_mm", "diameter_error_mm"} <= set(metrics)
    assert 0 <= metrics["dice"] <= 1
    [row] = rows_of(tmp_path / "evaluation" / "masks.csv")
    assert float(row["dice"]) == pytest.approx(metrics["dice"], rel=1e-5)
    model = tmp_path / "models"
    infer(chests_dir, model, tmp_path / "out", file, network=features, outputs=["mask", "ranked"])
    assert (tmp_path / "out" / "LKDS-00801" / "LKDS-00801_nodules.nii.gz").is_file()


def test_a_segmentation_arm_learns_in_crops_what_it_sees_in_larger_windows(chests_dir, tmp_path):
    """Crops of 32 pixels, windows of 256: a norm by the window's own mean would find nothing."""
    file, features = LUNG / "unet_2d.json", {"features": UNET["features"]}
    given = {"epochs": 6, "crops_per_epoch": 256, "val_interval": 10, "learning_rate": 0.05}
    train(chests_dir, tmp_path, file, network=UNET_2D, **given)
    metrics = evaluate(chests_dir, tmp_path, file, network=features, evaluate_section="training")
    assert metrics["cpm"] > 0.5
    assert metrics["centre_error_mm"] < 3


FULL = {"channels": [4, 4, 4, 8, 8], "decoder_channels": [8, 8], "head_channels": 8}


@pytest.mark.parametrize(
    "given",
    [
        {"network": TINY_DETECTOR | FULL, "overlay": "full_network"},
        {"stride": 2},
        {"anchors": [6, 14]},
        {"lung_mask": "none"},
        {"augmentation": None, "network": TINY_NETWORK | {"crop_size": 32}},
        {"spacing": 1.5},
    ],
    ids=lambda given: next(reversed(given)),
)
def test_other_networks_and_grids_train_and_are_scored(given, chests_dir, tmp_path):
    overlays = [LUNG / f"{given.pop('overlay')}.json"] if "overlay" in given else []
    network = given.pop("network", TINY_DETECTOR)
    train(chests_dir, tmp_path, *overlays, network=network, **given)
    given.pop("augmentation", None)
    network = {name: value for name, value in network.items() if "augmentation" not in name}
    metrics = evaluate(chests_dir, tmp_path, *overlays, network=network, evaluate_section="test", **given)
    assert 0 <= metrics["cpm"] <= 1


def test_same_seed_same_weights(chests_dir, tmp_path):
    weights = [
        _weights(train(chests_dir, tmp_path / name, seed=seed))
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert _same(weights[0], weights[1])
    assert not _same(weights[0], weights[2])


def test_training_goes_on_where_it_stopped(chests_dir, tmp_path):
    model = train(chests_dir, tmp_path)
    first = _weights(model)
    train(chests_dir, tmp_path, resume=str(model / "last.pt"), epochs=2)
    assert [row["epoch"] for row in rows_of(tmp_path / "history.csv")] == ["1", "2"]
    assert not _same(first, _weights(model))


def test_bf16_trains_and_infers(trained_lung, chests_dir, tmp_path):
    train(chests_dir, tmp_path, bf16=True)
    found = {}
    for name, bf16 in (("narrow", True), ("wide", False)):
        rows = infer(chests_dir, trained_lung / "models", tmp_path / name, bf16_inference=bf16)
        found[name] = rows[0]
    assert abs(float(found["narrow"]["probability"]) - float(found["wide"]["probability"])) < 0.02
    np.testing.assert_allclose(world([found["narrow"]]), world([found["wide"]]), atol=0.5)


def test_the_loss_of_the_last_stage_is_the_first_with_weights(chests_dir, tmp_path):
    """The overlay sets the weighting and nothing else; with none the loss is that of train.json."""
    given = {"dataset_dir": str(chests_dir), "output_dir": str(tmp_path), "init_weights": None}
    first = workflow(TRAIN, **given, **TINY_DETECTOR).parser
    last = workflow(TRAIN, LUNG / "last_stage.json", **given, **TINY_DETECTOR).parser
    null = workflow(TRAIN, LUNG / "last_stage.json", **given, **TINY_DETECTOR, **{"loss#weighting": None})
    losses = [made.get_parsed_content("loss") for made in (first, last, null.parser)]
    assert all(isinstance(loss, NoduleDetectionLoss) for loss in losses)
    assert [type(loss.weighting) for loss in losses] == [type(None), MisclassifiedWeights, type(None)]
    label = torch.zeros(2, 16, 5)
    label[:, 0] = torch.tensor([10.0, 12, 14, 9, 1])
    output = torch.randn(2, 15, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    values = []
    for loss in losses:
        torch.manual_seed(0)
        values.append(loss(output, label).item())
    assert values[0] == values[2] != values[1]


def _boxes(chests, folder):
    """The chests as MONAI's detection datalist has them."""
    items = []
    for path in sorted(chests.glob("train/*.mhd")):
        rows = truth(chests, path.stem).round(3)
        boxes = [[*row[:3].tolist(), *[float(row[3])] * 3] for row in rows]
        items.append({"image": f"{path.stem}.nii.gz", "box": boxes, "label": [0] * len(boxes)})
    sections = {"training": items[:3], "validation": items[3:]}
    (folder / "datalist.json").write_text(json.dumps(sections))
    return {"dataset_dir": str(chests), "datalist": str(folder / "datalist.json")}


def test_monais_boxes_and_nndetections_labels_train(chests_dir, tmp_path):
    given = _boxes(chests_dir, tmp_path)
    train(chests_dir, tmp_path / "boxes", **given)
    root = tmp_path / "Task1"
    for name in ("imagesTr", "labelsTr"):
        (root / name).mkdir(parents=True)
    for number in (1, 2, 5):
        hu, affine = chest(chests_dir, f"LKDS-0000{number}")
        nib.save(nib.Nifti1Image(hu, affine), root / "imagesTr" / f"c{number}_0000.nii.gz")
        mask = nib.load(chests_dir / "masks" / f"LKDS-0000{number}.nii.gz")
        labels = np.asarray(mask.dataobj).transpose(1, 0, 2)
        nib.save(nib.Nifti1Image(labels, affine), root / "labelsTr" / f"c{number}.nii.gz")
        classes = {str(value): 0 for value in range(1, labels.max() + 1)}
        (root / "labelsTr" / f"c{number}.json").write_text(json.dumps({"instances": classes}))
    train(root, tmp_path / "nndetection")
    metrics = evaluate(root, tmp_path / "nndetection")
    assert 0 <= metrics["cpm"] <= 1


def test_a_second_stage_without_a_false_positive(stages, chests_dir, tmp_path):
    """A detector that errs nowhere leaves a table of its header alone: other places are the negatives."""
    table = tmp_path / "false_positives.csv"
    table.write_text("seriesuid,coordX,coordY,coordZ,diameter_mm,probability\n")
    given = {"detector_dir": str(stages / "last" / "models"), "false_positives": str(table)}
    train(chests_dir, tmp_path, SECOND, network=CLASSIFIER, **given)
    assert (tmp_path / "models" / "model.pt").is_file()


def test_a_test_section_without_labels_is_not_scored(chests_dir, trained_lung, tmp_path):
    """The contest kept those of its test scans: that is said, not scored as scans without nodules."""
    data = shutil.copytree(chests_dir, tmp_path / "data")
    rows = (data / "annotations.csv").read_text().splitlines()
    (data / "annotations.csv").write_text("\n".join(row for row in rows if "00801" not in row) + "\n")
    shutil.copytree(trained_lung / "models", tmp_path / "models")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        evaluate(data, tmp_path, evaluate_section="test")
    assert "label" in fault(caught.value)
