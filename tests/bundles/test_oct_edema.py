# SPDX-License-Identifier: Apache-2.0
"""oct_edema from files to files: training, evaluation, inference, every overlay."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import OCT, ROOT, workflow, write_slices
from tomobundles.data import read_volume
from tomobundles.utils import InputError, find_input_error

TRAIN, EVALUATE, INFERENCE = (OCT / f"{name}.json" for name in ("train", "evaluate", "inference"))
SMALL = {"epochs": 1, "batch_size": 4}


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def _infer(source, model, output, *overlays, **overrides):
    workflow(
        INFERENCE,
        *overlays,
        kind="infer",
        dataset_dir=str(source),
        ckpt_dir=str(model),
        output_dir=str(output),
        **overrides,
    ).run()


def test_training_leaves_what_the_documentation_says(trained):
    for name in ("models/model.pt", "models/last.pt", "models/intensity.json", "curves.png", "history.csv"):
        assert (trained / name).stat().st_size > 0
    with (trained / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss_wce", "loss_eldice", "loss_bce"} <= set(rows[0])
    state = torch.load(trained / "models/model.pt", weights_only=True)
    assert sum(value.numel() for name, value in state.items() if "running" not in name) > 2_900_000


def test_same_seed_same_weights(trained, contest_dir, tmp_path):
    """The fixture's run again: bit for bit; another seed gives other weights."""
    weights = {}
    for seed in (1234, 5):
        output = tmp_path / str(seed)
        workflow(
            TRAIN, dataset_dir=str(contest_dir), output_dir=str(output), epochs=2, batch_size=4, seed=seed
        ).run()
        weights[seed] = torch.load(output / "models/last.pt", weights_only=True)["network"]
    first = torch.load(trained / "models/last.pt", weights_only=True)["network"]
    assert all(torch.equal(first[name], weights[1234][name]) for name in first)
    assert not all(torch.equal(first[name], weights[5][name]) for name in first)


def test_evaluation_scores_and_draws(trained, contest_dir, tmp_path):
    workflow(
        TRAIN,
        EVALUATE,
        dataset_dir=str(contest_dir),
        output_dir=str(tmp_path),
        ckpt_dir=str(trained / "models"),
        evaluate_section="test",
    ).run()
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert 0 <= metrics["dice"] <= 1
    assert metrics["score"] == pytest.approx((metrics["dice"] + metrics["auc_volume"]) / 2)
    with (tmp_path / "evaluation" / "volumes.csv").open() as stream:
        assert [row["volume"] for row in csv.DictReader(stream)] == ["P7_a.img"]
    assert (tmp_path / "evaluation" / "P7_a" / "P7_a_contact_sheet.png").is_file()
    assert (tmp_path / "evaluation" / "P7_a" / "P7_a.gif").is_file()


def test_inference_writes_the_inputs_own_form(trained, contest_dir, tmp_path):
    source = contest_dir / "Edema_testset" / "original_images" / "P7_a.img"
    outputs = ["mask", "csv", "overlays", "animation", "contact_sheet", "presence_strip", "contest"]
    _infer(source, trained / "models", tmp_path, outputs=outputs)
    folder = tmp_path / "P7_a"
    assert sorted(path.name for path in (folder / "P7_a_labelMark").iterdir()) == [
        f"{k}.bmp" for k in range(1, 5)
    ]
    grays = np.unique(
        np.stack([np.asarray(Image.open(path)) for path in (folder / "P7_a_labelMark").iterdir()])
    )
    assert set(grays) <= {0, 255, 191, 128}
    classes = np.load(folder / "P7_a_labelMark_volumes.npy")
    assert classes.shape == (4, 32, 24)
    assert np.load(folder / "P7_a_labelMark_detections.npy").shape == (4, 3)
    with (tmp_path / "findings.csv").open() as stream:
        row = next(csv.DictReader(stream))
    assert int(row["REA_voxels"]) == (classes == 1).sum()
    assert row["REA_volume_mm3"] == ""  # a folder of bitmaps has no spacing
    assert (tmp_path / "submission.zip").is_file()


def test_a_mask_does_not_depend_on_the_form_of_the_volume(trained, contest_dir, tmp_path):
    source = contest_dir / "Edema_testset" / "original_images" / "P7_a.img"
    slices = np.moveaxis(read_volume(source)[0], -1, 0)
    many = tmp_path / "volumes"
    many.mkdir()
    np.save(many / "b.npy", slices)
    affine = np.diag([0.5, 0.25, 2.0, 1.0])  # columns, rows, slices in mm
    nib.save(nib.Nifti1Image(slices.transpose(2, 1, 0), affine), many / "c.nii.gz")
    _infer(source, trained / "models", tmp_path / "a", outputs=["contest"])
    _infer(many, trained / "models", tmp_path / "bc", outputs=["mask", "csv"])
    expected = np.load(tmp_path / "a" / "P7_a" / "P7_a_labelMark_volumes.npy")
    grays = {255: 1, 191: 2, 128: 3, 0: 0}
    stored = np.load(tmp_path / "bc" / "b" / "b_labelMark.npy")
    np.testing.assert_array_equal(np.vectorize(grays.get)(stored), expected)
    image = nib.load(tmp_path / "bc" / "c" / "c_labelMark.nii.gz")
    np.testing.assert_array_equal(
        np.vectorize(grays.get)(np.asarray(image.dataobj)).transpose(2, 1, 0), expected
    )
    np.testing.assert_allclose(image.affine, affine)
    with (tmp_path / "bc" / "findings.csv").open() as stream:
        row = next(row for row in csv.DictReader(stream) if row["volume"] == "c")
    assert float(row["REA_volume_mm3"]) == pytest.approx(0.25 * int(row["REA_voxels"]))


@pytest.mark.parametrize(
    "overlay",
    ["resnet18", "unet_single_wce", "unet_single", "unet", "unetpp_dice", "dilated", "resized", "demo"],
)
def test_every_overlay_trains_evaluates_and_infers(overlay, contest_dir, tmp_path):
    config, shared = OCT / f"{overlay}.json", {"output_dir": str(tmp_path)}
    smaller = {"resized": {"slice_size": [16, 16]}, "resnet18": {"network_def#input_size": [32, 32]}}
    shared |= smaller.get(overlay, {})
    workflow(TRAIN, config, dataset_dir=str(contest_dir), **SMALL, **shared).run()
    workflow(TRAIN, config, EVALUATE, dataset_dir=str(contest_dir), **shared).run()
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert ("dice_REA" in metrics) == (overlay != "resnet18")
    assert ("auc_pooled" in metrics) == ("single" not in overlay)
    source = contest_dir / "Edema_testset" / "original_images"
    _infer(source, tmp_path / "models", tmp_path / "results", config, **smaller.get(overlay, {}))
    assert (tmp_path / "results" / "findings.csv").is_file()


def test_fusion_of_two_trained_networks(trained, contest_dir, tmp_path):
    workflow(
        TRAIN, OCT / "unet.json", dataset_dir=str(contest_dir), output_dir=str(tmp_path / "unet"), **SMALL
    ).run()
    paths = [str(trained / "models/model.pt"), str(tmp_path / "unet/models/model.pt")]
    shared = {"fusion_paths": paths, "ckpt_dir": str(trained / "models")}
    workflow(
        TRAIN,
        EVALUATE,
        OCT / "fusion.json",
        dataset_dir=str(contest_dir),
        output_dir=str(tmp_path / "fusion"),
        **shared,
    ).run()
    assert (tmp_path / "fusion" / "evaluation" / "metrics.json").is_file()
    source = contest_dir / "Edema_testset" / "original_images"
    workflow(
        INFERENCE,
        OCT / "fusion.json",
        kind="infer",
        dataset_dir=str(source),
        output_dir=str(tmp_path / "results"),
        **shared,
    ).run()
    assert (tmp_path / "results" / "P7_a" / "P7_a_labelMark").is_dir()


def test_resuming_goes_on_with_the_next_epoch(trained, contest_dir, tmp_path):
    workflow(
        TRAIN,
        dataset_dir=str(contest_dir),
        output_dir=str(tmp_path),
        epochs=3,
        batch_size=4,
        resume=str(trained / "models/last.pt"),
    ).run()
    assert torch.load(tmp_path / "models/last.pt", weights_only=True)["epoch"] == 3


def test_fewer_classes_other_values_and_partial_annotation(tmp_path, caplog):
    """One class, values of one's own, a scan of another size, and a class without any example."""
    rng = np.random.default_rng(0)
    items = []
    for number, shape in enumerate([(3, 30, 21), (3, 30, 21), (1, 17, 40), (3, 30, 21)]):
        label = np.zeros(shape, np.uint8)
        label[0, 5:10, 5:15] = 7
        image = np.clip(60 + 10.0 * label + rng.normal(0, 5, shape), 0, 255).astype(np.uint8)
        write_slices(tmp_path / f"v{number}", image, suffix=".png")
        np.save(tmp_path / f"l{number}.npy", label)
        items.append({"image": f"v{number}", "label": f"l{number}.npy", "patient": f"P{number}"})
    items[1]["labelled_classes"] = [1]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items[:3], "validation": items[3:]}))
    shared = {
        "dataset_dir": str(tmp_path),
        "datalist": str(tmp_path / "datalist.json"),
        "output_dir": str(tmp_path / "out"),
        "label_values": {7: 1},
        "epochs": 1,
        "batch_size": 2,  # a scan that is partly annotated and one that is not may meet in a batch
        "stacks_per_volume": 1,
        "slice_size": [16, 16],  # as scans of unlike sizes may
    }
    resized = OCT / "resized.json"
    workflow(TRAIN, resized, class_names=["fluid"], class_weights=[1, 5], **shared).run()
    workflow(TRAIN, resized, class_names=["fluid", "absent"], class_weights=[1, 5, 5], **shared).run()
    assert "class absent is in none of the 1 labels" in caplog.text


def _fault(error):
    """The InputError behind whatever MONAI raised."""
    found = find_input_error(error)
    assert isinstance(found, InputError), error
    assert len(str(found).splitlines()) <= 3
    return str(found)


def test_weights_that_do_not_fit(trained, contest_dir, tmp_path):
    source = contest_dir / "Edema_testset" / "original_images"
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(source, trained / "models", tmp_path, OCT / "unet.json")
    assert "model.pt" in _fault(caught.value)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(source, tmp_path / "nowhere", tmp_path)
    assert "nowhere" in _fault(caught.value)


class _Bomb:
    """What a malicious checkpoint holds."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_bomb_is_refused_and_does_not_go_off(trained, contest_dir, tmp_path):
    (tmp_path / "intensity.json").write_bytes((trained / "models/intensity.json").read_bytes())
    torch.save({"network": _Bomb(tmp_path / "gone_off")}, tmp_path / "model.pt")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(contest_dir / "Edema_testset" / "original_images", tmp_path, tmp_path / "results")
    assert "model.pt" in _fault(caught.value)
    assert not (tmp_path / "gone_off").exists()


def test_nan_in_a_volume(trained, tmp_path):
    volume = np.zeros((2, 16, 16), np.float32)
    volume[1, 3, 3] = np.nan
    np.save(tmp_path / "v.npy", volume)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(tmp_path / "v.npy", trained / "models", tmp_path / "results")
    assert "NaN" in _fault(caught.value)
    assert "v.npy" in _fault(caught.value)


def test_stray_label_value_stops_training(contest_dir, tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        workflow(
            TRAIN,
            dataset_dir=str(contest_dir),
            output_dir=str(tmp_path),
            label_values={255: 1, 191: 2},
            **SMALL,
        ).run()
    assert "label values [128]" in _fault(caught.value)
    assert "_labelMark" in _fault(caught.value)
