# SPDX-License-Identifier: Apache-2.0
"""kidney_vasculature from files to files: training, evaluation, inference, every overlay."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch

from tests.bundles.kidney_runs import (
    SHAPE,
    SMALL,
    TRAIN,
    evaluate,
    infer,
    rows_of,
    stack_of,
    stored_probability,
)
from tests.helpers import KIDNEY, ROOT, workflow
from tomobundles.data.volumes import ArrayVolume, open_volume
from tomobundles.data.volumes.write_plain import write_mha
from tomobundles.data.volumes.write_zarr import write_ome_zarr


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_training_leaves_what_the_documentation_says(trained_kidney):
    for name in ("models/model.pt", "models/last.pt", "models/empty.json", "curves.png", "history.csv"):
        assert (trained_kidney / name).stat().st_size > 0
    rows = rows_of(trained_kidney / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss_dice", "loss_bce", "surface_dice", "dice", "precision"} <= set(rows[0])


def test_same_seed_same_weights(trained_kidney, kidneys_dir, tmp_path):
    weights = {}
    for seed in (20, 5):
        options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path / str(seed)), "seed": seed}
        workflow(TRAIN, **options, epochs=2, width=4, patches_per_epoch=16).run()
        weights[seed] = torch.load(tmp_path / str(seed) / "models/last.pt", weights_only=True)["network"]
    first = torch.load(trained_kidney / "models/last.pt", weights_only=True)["network"]
    assert all(torch.equal(first[name], weights[20][name]) for name in first)
    assert not all(torch.equal(first[name], weights[5][name]) for name in first)


def test_evaluation_writes_scores_and_tables(trained_kidney, kidneys_dir, tmp_path):
    evaluate(kidneys_dir, trained_kidney / "models", tmp_path, outputs=["sweep", "table"])
    folder = tmp_path / "evaluation"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"surface_dice", "dice", "cldice", "precision", "recall"} <= set(metrics)
    assert 0 <= metrics["surface_dice"] <= 1
    [volume] = rows_of(folder / "volumes.csv")
    assert float(volume["dice"]) == pytest.approx(metrics["dice"], rel=1e-5)
    assert int(volume["reference_voxels"]) == 8 * 16 + 2 * 24 - 2 * 4
    [slab] = rows_of(folder / "slabs.csv")
    assert (slab["first_slice"], slab["last_slice"]) == ("0", "7")
    assert sum(int(row["reference_voxels"]) for row in rows_of(folder / "bands.csv")) == 168
    assert len(rows_of(folder / "kidney_3_sparse" / "kidney_3_sparse_thresholds.csv")) > 10
    assert not (tmp_path / "cache" / "evaluation").exists()


OVERLAYS = ["attention_unet_2d", "resnext50_25d", "resnext101_25d", "three_axes"]
OVERLAYS += ["surface_loss", "boundary_dou"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_trains_evaluates_and_infers(overlay, kidneys_dir, tmp_path):
    width = {"width": 16} if overlay.startswith("resnext") else {}
    files, model = [KIDNEY / f"{overlay}.json"], tmp_path / "models"
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path)}
    workflow(TRAIN, *files, **(SMALL | width), **options).run()
    evaluate(kidneys_dir, model, tmp_path, *files, **width)
    assert "surface_dice" in json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    infer(kidneys_dir, model, tmp_path / "results", *files, outputs=["table", "attention"], **width)
    record = json.loads((tmp_path / "results" / "kidney_5" / "run.json").read_text())
    assert record["axes"] == (["z", "y", "x"] if overlay == "three_axes" else ["z"])
    assert record["num_slices"] == {"attention_unet_2d": 1}.get(overlay, 5 if width else 3)
    drawn = (tmp_path / "results" / "kidney_5" / "kidney_5_attention.png").is_file()
    assert drawn == (not overlay.startswith("resnext"))


def test_bf16_trains_and_infers(kidneys_dir, tmp_path):
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path), "bf16": True}
    workflow(TRAIN, **SMALL, **options).run()
    for name, bf16 in (("narrow", True), ("wide", False)):
        infer(kidneys_dir, tmp_path / "models", tmp_path / name, bf16=bf16)
    difference = stored_probability(tmp_path / "narrow") - stored_probability(tmp_path / "wide")
    assert 0 < np.abs(difference).max() < 0.02


def test_training_at_another_voxel_size(kidneys_dir, tmp_path):
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path)}
    workflow(TRAIN, **SMALL, **options, target_spacing=40, oblique_probability=0.5).run()
    assert (tmp_path / "models" / "model.pt").is_file()


def _own_data(folder, kidneys):
    """Volumes in five forms, with a datalist."""
    folder.mkdir()
    volumes = {}
    for name in ("train/kidney_1_dense", "train/kidney_2"):
        volumes[name[6:]] = [stack_of(kidneys / name / kind)[1] for kind in ("images", "labels")]
    image, label = volumes["kidney_1_dense"]
    nib.save(nib.Nifti1Image(image.T, np.diag([0.05, 0.05, 0.05, 1])), folder / "a.nii.gz")
    nib.save(nib.Nifti1Image(label.T, np.diag([0.05, 0.05, 0.05, 1])), folder / "a_label.nii.gz")
    tifffile.imwrite(folder / "b.tif", image)
    tifffile.imwrite(folder / "b_label.tif", label)
    image, label = volumes["kidney_2"]
    np.save(folder / "c.npy", image)
    np.save(folder / "c_label.npy", label)
    write_mha(ArrayVolume((label > 0).astype(np.uint8), spacing_um=(50, 50, 50)), folder / "d_label.mha")
    header = ["ObjectType = Image", "NDims = 3", f"DimSize = {SHAPE[2]} {SHAPE[1]} {SHAPE[0]}"]
    header += ["ElementType = MET_USHORT", "ElementSpacing = 0.05 0.05 0.05", "ElementDataFile = d.raw"]
    (folder / "d.mhd").write_text("\n".join(header) + "\n")
    image.tofile(folder / "d.raw")
    gray = ArrayVolume(image / np.float32(65535), spacing_um=(50, 50, 50))
    write_ome_zarr(gray, folder / "e.ome.zarr", kind="image")
    write_ome_zarr(ArrayVolume((label > 0).astype(np.uint8)), folder / "e_label.ome.zarr", version="0.4")
    items = {}
    for name, ending in zip("abcde", ("nii.gz", "tif", "npy", "mhd", "ome.zarr"), strict=True):
        mask = f"{name}_label.{ending.replace('mhd', 'mha')}"
        items[name] = {"image": f"{name}.{ending}", "label": mask, "patient": name}
    items["b"] |= {"spacing_um": 50, "annotated_fraction": 0.65}
    sections = {"training": [items[name] for name in "abd"], "validation": [items["c"]], "test": [items["e"]]}
    (folder / "datalist.json").write_text(json.dumps(sections))
    return folder


def test_the_users_own_volumes_of_any_form(kidneys_dir, tmp_path):
    data = _own_data(tmp_path / "data", kidneys_dir)
    options = {"dataset_dir": str(data), "datalist": str(data / "datalist.json")}
    workflow(TRAIN, **SMALL, **options, output_dir=str(tmp_path / "model")).run()
    model = tmp_path / "model" / "models"
    evaluate(data, model, tmp_path / "model", datalist=options["datalist"], evaluate_section="test")
    [row] = rows_of(tmp_path / "model" / "evaluation" / "volumes.csv")
    assert (row["name"], row["reference_voxels"]) == ("e", "168")
    for label in data.glob("*_label*"):
        shutil.rmtree(label) if label.is_dir() else label.unlink()
    infer(data, model, tmp_path / "out", outputs=["mask"], threshold=0.01)
    endings = ("nii.gz", "tif", "npy", "mha", "ome.zarr")
    written = {f"{name}/{name}.{ending}" for name, ending in zip("abcde", endings, strict=True)}
    assert all((tmp_path / "out" / name).exists() for name in written)
    assert [row["name"] for row in rows_of(tmp_path / "out" / "vessels.csv")] == list("abcde")
    for name in written:
        assert open_volume(tmp_path / "out" / name).shape == SHAPE
