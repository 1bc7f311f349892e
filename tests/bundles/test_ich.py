# SPDX-License-Identifier: Apache-2.0
"""ich from files to files: training, refining, calibration, evaluation, inference, every overlay."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.helpers import ICH, ROOT, bundle_run, workflow
from tomobundles.data import read_volume
from tomobundles.data.phantoms import write_dicom_series
from tomobundles.metrics import Calibration
from tomobundles.utils import InputError, find_input_error

TRAIN, EVALUATE, CALIBRATE, INFERENCE = (
    ICH / f"{name}.json" for name in ("train", "evaluate", "calibrate", "inference")
)
SMALL = {"epochs": 1, "batch_size": 4, "network_def#backbone": "resnet18"}
NAMES = ("IPH", "IVH", "SAH", "SDH", "EDH", "any")
TABLES = ["csv", "contest", "rsna"]


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
        **({"network_def#backbone": "resnet18"} | overrides),
    ).run()


def _rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_training_leaves_what_the_documentation_says(trained_ich):
    for name in ("models/model.pt", "models/last.pt", "models/calibration.json", "curves.png", "history.csv"):
        assert (trained_ich / name).stat().st_size > 0
    rows = _rows(trained_ich / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss_asl", "f2_micro", "auc_IPH", "patient_auc_any"} <= set(rows[0])
    assert Calibration.load(trained_ich / "models/calibration.json").row_names == NAMES


def test_same_seed_same_weights(trained_ich, heads_dir, tmp_path):
    options = {"dataset_dir": str(heads_dir), "output_dir": str(tmp_path)}
    workflow(TRAIN, **(SMALL | {"epochs": 2}), **options).run()
    again, first = (
        torch.load(folder / "models/last.pt", weights_only=True)["network"]
        for folder in (tmp_path, trained_ich)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_evaluation_scores_both_ways(trained_ich, heads_dir, tmp_path):
    workflow(
        TRAIN,
        EVALUATE,
        dataset_dir=str(heads_dir),
        output_dir=str(tmp_path),
        ckpt_dir=str(trained_ich / "models"),
        evaluate_section="test",
        **{"network_def#backbone": "resnet18"},
    ).run()
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert 0 <= metrics["f2_micro"] <= 1
    assert {"f2_micro_raw", "ece_context_any", "ece_calibrated_any", "log_loss_calibrated"} <= set(metrics)
    assert metrics["auc_EDH"] is None  # no example in two patients: undefined, not 0
    rows = _rows(tmp_path / "evaluation" / "patients.csv")
    assert [row["name"] for row in rows] == ["ID_test00", "ID_test01"]
    assert (tmp_path / "evaluation" / "ID_test00" / "ID_test00.html").is_file()


def test_inference_writes_every_form(trained_ich, heads_dir, tmp_path):
    _infer(heads_dir, trained_ich / "models", tmp_path)
    slices = _rows(tmp_path / "slices.csv")
    assert len(slices) == 10
    assert [row["file"] for row in slices[:2]] == ["test00_0.jpg", "test00_1.jpg"]
    for row in slices:
        for name in NAMES:
            for kind in ("raw", "context", "calibrated"):
                assert 0 <= float(row[f"{name}_{kind}"]) <= 1
    patients = _rows(tmp_path / "patients.csv")
    assert [row["status"] for row in patients] == ["ok", "ok"]
    contest = _rows(tmp_path / "submission_contest.csv")
    assert [row["ID"] for row in contest[:2]] == ["test00_0_ich", "test00_0_ivh"]
    assert len(_rows(tmp_path / "submission_rsna.csv")) == 60
    folder = tmp_path / "ID_test00"
    assert (folder / "ID_test00.html").is_file()
    assert list(folder.glob("*.png"))
    assert not list(tmp_path.rglob("*.dcm"))  # reports for PACS are for DICOM input alone


def test_scores_do_not_depend_on_the_form_of_the_study(trained_ich, heads_dir, tmp_path):
    source = heads_dir / "test" / "ID_test00"
    slices = np.moveaxis(read_volume(source)[0], -1, 0)
    many = tmp_path / "studies"
    many.mkdir()
    np.save(many / "b.npy", slices)
    nib.save(nib.Nifti1Image(slices.transpose(2, 1, 0), np.diag([0.9, 0.9, 5.0, 1.0])), many / "c.nii.gz")
    _infer(source, trained_ich / "models", tmp_path / "a", outputs=TABLES)
    _infer(many, trained_ich / "models", tmp_path / "bc", outputs=["csv", "heatmaps"])
    scores = [
        [[float(row[f"{name}_context"]) for name in NAMES] for row in _rows(tmp_path / folder / "slices.csv")]
        for folder in ("a", "bc")
    ]
    np.testing.assert_allclose(scores[1][:5], scores[0], rtol=1e-4)
    np.testing.assert_allclose(scores[1][5:], scores[0], rtol=1e-4)


OVERLAYS = ["bce", "single_slice", "windows", "neighbours"]
CONTEXTS = ["refine", "learned_kernel", "context_gru", "independent_draws"]


@pytest.mark.parametrize("overlay", OVERLAYS + CONTEXTS)
def test_every_overlay_trains_calibrates_evaluates_and_infers(overlay, trained_ich, tmp_path, request):
    files = [ICH / f"{overlay}.json"]
    if overlay == "independent_draws":
        files = [ICH / "refine.json", *files]
    options = {"output_dir": str(tmp_path), "network_def#backbone": "resnet18"}
    if overlay == "windows":
        source = _hounsfield(tmp_path / "data", request.getfixturevalue("heads_dir"))
        options |= {"dataset_dir": str(source), "datalist": str(source / "datalist.json")}
    else:
        options["dataset_dir"] = str(request.getfixturevalue("heads_dir"))
    short = {"epochs": 1, "batch_size": 4}
    if overlay in CONTEXTS:
        short |= {"init_weights": str(trained_ich / "models/model.pt"), "iterations_per_epoch": 2}
    workflow(TRAIN, *files, **short, **options).run()
    workflow(TRAIN, *files, CALIBRATE, **options).run()
    workflow(TRAIN, *files, EVALUATE, **options, outputs=["csv"]).run()
    assert "f2_micro" in json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    _infer(options["dataset_dir"], tmp_path / "models", tmp_path / "results", *files, outputs=TABLES)
    assert _rows(tmp_path / "results" / "patients.csv")


def _hounsfield(folder, heads):
    """The contest's slices as NIfTI in HU, with a datalist whose labels are inline and partly unknown."""
    folder.mkdir()
    sections = {"training": [], "validation": []}
    for study in sorted((heads / "train").iterdir()):
        hu = np.moveaxis(read_volume(study)[0], -1, 0).astype(np.int16) * 80 // 255
        nib.save(
            nib.Nifti1Image(hu.transpose(2, 1, 0), np.diag([0.9, 0.9, 5.0, 1.0])),
            folder / f"{study.name}.nii.gz",
        )
        label = {"slices": {str(k): {"IPH": int(k == 1), "any": 1} for k in range(4)}, "study": {"EDH": 0}}
        section = "validation" if study.name.endswith("5") else "training"
        sections[section].append({"image": f"{study.name}.nii.gz", "patient": study.name, "label": label})
    (folder / "datalist.json").write_text(json.dumps(sections))
    return folder


def _fault(error):
    """The InputError behind whatever MONAI raised."""
    found = find_input_error(error)
    assert isinstance(found, InputError), error
    assert len(str(found).splitlines()) <= 3
    return str(found)


def test_a_refused_study_is_recorded_and_the_others_are_not_lost(trained_ich, heads_dir, tmp_path):
    data = tmp_path / "studies"
    data.mkdir()
    volume = np.moveaxis(read_volume(heads_dir / "test" / "ID_test00")[0], -1, 0).astype(np.float32)
    np.save(data / "good.npy", volume)
    volume[2, 3, 3] = np.nan
    np.save(data / "nan.npy", volume)
    (data / "broken.nii.gz").write_bytes(b"no scan")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(data, trained_ich / "models", tmp_path / "out", outputs=TABLES)
    assert "2 of 3 studies" in _fault(caught.value)
    rows = {row["name"]: row for row in _rows(tmp_path / "out" / "patients.csv")}
    assert rows["good"]["status"] == "ok"
    assert rows["nan"]["status"] == rows["broken"]["status"] == "refused"
    assert "NaN" in rows["nan"]["reason"]
    assert len(_rows(tmp_path / "out" / "slices.csv")) == 5


def test_a_study_of_one_slice_and_one_without_an_image(trained_ich, heads_dir, tmp_path):
    slices = np.moveaxis(read_volume(heads_dir / "test" / "ID_test00")[0], -1, 0)
    np.save(tmp_path / "one.npy", slices[:1])
    _infer(
        tmp_path / "one.npy",
        trained_ich / "models",
        tmp_path / "out",
        outputs=["csv", "contact_sheet", "html"],
    )
    [row] = _rows(tmp_path / "out" / "slices.csv")
    assert (tmp_path / "out" / "one" / "one.html").is_file()
    assert row["z_mm"] == ""  # .npy has no spacing
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("no image")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(tmp_path / "none", trained_ich / "models", tmp_path / "out")
    assert "no study found" in _fault(caught.value)


def test_dicom_of_another_part_and_another_modality(trained_ich, tmp_path):
    """A chest is left to the user but said so; magnetic resonance is refused; a constant slice is refused."""
    hu = np.random.default_rng(0).integers(-50, 90, (24, 24, 4)).astype(np.int16)

    def chest(dataset, index):
        dataset.BodyPartExamined = "CHEST"

    def magnetic(dataset, index):
        dataset.Modality = "MR"

    flat = hu.copy()
    flat[..., 2] = 7
    for name, volume, edit in (("chest", hu, chest), ("mr", hu, magnetic), ("flat", flat, None)):
        options = {"study": name, "series": name, "patient": name, "edit": edit}
        write_dicom_series(tmp_path / "studies" / name, volume, spacing_mm=(0.9, 0.9, 5.0), **options)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(tmp_path / "studies", trained_ich / "models", tmp_path / "out", outputs=["csv", "html"])
    assert "2 of 3 studies" in _fault(caught.value)
    rows = _rows(tmp_path / "out" / "patients.csv")
    reasons = " ".join(row["reason"] for row in rows)
    assert "MR" in reasons
    assert "one value" in reasons or "throughout" in reasons
    [page] = (tmp_path / "out").rglob("*.html")
    assert "CHEST" in page.read_text()


def test_a_label_for_a_missing_slice(heads_dir, tmp_path):
    label = {"slices": {"9": {"IPH": 1}}}
    volume = np.zeros((3, 16, 16), np.int16) + np.arange(16, dtype=np.int16)
    items = []
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", volume)
        items.append({"image": f"{name}.npy", "patient": name, "label": label})
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items}))
    options = {"dataset_dir": str(tmp_path), "datalist": str(tmp_path / "datalist.json")}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        workflow(TRAIN, output_dir=str(tmp_path / "out"), **options, **SMALL).run()
    assert "9" in _fault(caught.value)


def test_one_patient_in_two_splits(heads_dir, tmp_path):
    items = [{"image": str(heads_dir / "train" / f"ID_train0{k}"), "patient": "same"} for k in range(2)]
    for item in items:
        item["label"] = {"study": {"any": 1}, "slices": {f"{item['image'][-7:]}_0": {"IPH": 1}}}
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items[:1], "validation": items[1:]}))
    options = {"dataset_dir": str(heads_dir), "datalist": str(tmp_path / "datalist.json")}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        workflow(TRAIN, output_dir=str(tmp_path / "out"), **options, **SMALL).run()
    assert "both training and validation" in _fault(caught.value)


def test_the_commands_as_typed_end_with_one_message(tmp_path):
    (tmp_path / "empty").mkdir()
    for run_id, config in (("training", TRAIN), ("inference", INFERENCE)):
        given = {"dataset_dir": tmp_path / "empty", "output_dir": tmp_path / "out", "ckpt_dir": tmp_path}
        done = bundle_run(run_id, config_file=config, env={"TOMOBUNDLES_DEBUG": "0"}, **given)
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        message = done.stderr.rpartition("error: ")[2]
        assert 0 < len(message.splitlines()) <= 3
