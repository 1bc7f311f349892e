# SPDX-License-Identifier: Apache-2.0
"""kidney_vasculature from files to files: training, evaluation, inference, every overlay and every form."""

import csv
import errno
import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch
from scipy import ndimage

from tests.helpers import KIDNEY, ROOT, bundle_run, workflow
from tomobundles.data.rle import submission_volume
from tomobundles.data.volumes import ArrayVolume, open_volume
from tomobundles.data.volumes.write_plain import write_mha
from tomobundles.data.volumes.write_zarr import write_ome_zarr
from tomobundles.handlers.vessel_forms import FORMS
from tomobundles.networks import AttentionUNet
from tomobundles.utils import InputError, find_input_error

TRAIN, EVALUATE, INFERENCE = (KIDNEY / f"{name}.json" for name in ("train", "evaluate", "inference"))
SMALL = {"epochs": 1, "width": 4, "patches_per_epoch": 8}
SHAPE = (8, 32, 24)


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
        **({"width": 4, "outputs": ["probability"]} | overrides),
    ).run()


def _evaluate(source, model, output, *overlays, **overrides):
    workflow(
        TRAIN,
        *overlays,
        EVALUATE,
        dataset_dir=str(source),
        ckpt_dir=str(model),
        output_dir=str(output),
        **({"width": 4, "outputs": ["table"]} | overrides),
    ).run()


def _rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _probability(output, name="kidney_5"):
    """What an inference wrote, 0-1."""
    stored = open_volume(output / name / f"{name}_probability.ome.zarr").read_all()
    return stored / 65535 if stored.dtype.kind == "u" else stored


def _stack(folder):
    files = sorted(folder.iterdir())
    return [file.name for file in files], np.stack([tifffile.imread(file) for file in files])


def _decoded(path, order="C"):
    """The test kidney's mask, from the run lengths of a submission."""
    names = [f"{index:04d}" for index in range(SHAPE[0])]
    return submission_volume(path, "kidney_5", slice_names=names, shape=SHAPE, order=order).read_all()


@pytest.fixture(scope="module")
def probability(kidneys_dir, trained_kidney, tmp_path_factory):
    """(Z, Y, X) probabilities of the test kidney."""
    output = tmp_path_factory.mktemp("probability")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        _infer(kidneys_dir, trained_kidney / "models", output)
    return _probability(output)


@pytest.fixture(scope="module")
def threshold(probability):
    """A threshold that a tenth of the voxels reach: so short a training finds no vessel at 0.5."""
    return float(np.quantile(probability, 0.9))


def test_training_leaves_what_the_documentation_says(trained_kidney):
    for name in ("models/model.pt", "models/last.pt", "models/empty.json", "curves.png", "history.csv"):
        assert (trained_kidney / name).stat().st_size > 0
    rows = _rows(trained_kidney / "history.csv")
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
    _evaluate(kidneys_dir, trained_kidney / "models", tmp_path, outputs=["sweep", "table"])
    folder = tmp_path / "evaluation"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"surface_dice", "dice", "cldice", "precision", "recall"} <= set(metrics)
    assert 0 <= metrics["surface_dice"] <= 1
    [volume] = _rows(folder / "volumes.csv")
    assert float(volume["dice"]) == pytest.approx(metrics["dice"], rel=1e-5)
    assert int(volume["reference_voxels"]) == 8 * 16 + 2 * 24 - 2 * 4
    [slab] = _rows(folder / "slabs.csv")
    assert (slab["first_slice"], slab["last_slice"]) == ("0", "7")
    assert sum(int(row["reference_voxels"]) for row in _rows(folder / "bands.csv")) == 168
    assert len(_rows(folder / "kidney_3_sparse" / "kidney_3_sparse_thresholds.csv")) > 10
    assert not (tmp_path / "cache" / "evaluation").exists()


def test_evaluation_scores_the_mask_that_it_writes(trained_kidney, kidneys_dir, tmp_path, threshold):
    options = {"evaluate_section": "test", "threshold": threshold}
    _evaluate(kidneys_dir, trained_kidney / "models", tmp_path / "all", **options)
    _evaluate(kidneys_dir, trained_kidney / "models", tmp_path / "big", min_component_voxels=40, **options)
    for name in ("all", "big"):
        [scored] = _rows(tmp_path / name / "evaluation" / "volumes.csv")
        [written] = _rows(tmp_path / name / "evaluation" / "vessels.csv")
        assert scored["predicted_voxels"] == written["vessel_voxels"]
        assert not list(tmp_path.rglob("*.npy")) or (tmp_path / name / "cache/volumes").is_dir()
    rows = [_rows(tmp_path / name / "evaluation" / "volumes.csv")[0] for name in ("all", "big")]
    assert int(rows[1]["predicted_voxels"]) < int(rows[0]["predicted_voxels"])


def test_inference_writes_every_form(trained_kidney, kidneys_dir, tmp_path, probability, threshold):
    _infer(kidneys_dir, trained_kidney / "models", tmp_path, outputs=list(FORMS), threshold=threshold)
    folder, mask = tmp_path / "kidney_5", probability >= threshold
    assert 0.05 < mask.mean() < 0.15
    for written in (folder / "kidney_5", folder / "mask" / "kidney_5"):
        names, slices = _stack(written)
        assert names == [f"{index:04d}.tif" for index in range(8)]
        assert slices.dtype == np.uint8
        np.testing.assert_array_equal(slices, 255 * mask)
    for name in ("kidney_5.nii.gz", "kidney_5.npy", "kidney_5.ome.zarr/labels/kidney_5"):
        np.testing.assert_array_equal(open_volume(folder / name).read_all() > 0, mask)
    np.testing.assert_array_equal(_decoded(tmp_path / "submission.csv"), mask)
    assert (folder / "kidney_5_rle.csv").read_text() == (tmp_path / "submission.csv").read_text()
    for ending in ("thresholds.csv", "radii.csv", "vessels.csv", "attention.png", "slices.png", "radii.png"):
        assert (folder / f"kidney_5_{ending}").stat().st_size > 0
    assert (folder / "kidney_5.ply").read_bytes().startswith(b"ply")
    assert len(list((folder / "kidney_5_projections").glob("*_[zyx].png"))) == 9
    record = json.loads((folder / "run.json").read_text())
    assert record["spacing_um"] == record["inferred_spacing_um"] == [50.28] * 3
    image = _stack(kidneys_dir / "test" / "kidney_5" / "images")[1]
    low, high = np.percentile(image, [10, 99.8], method="inverted_cdf")
    assert (record["intensity"]["low"], record["intensity"]["high"]) == (low, high)
    assert record["vessel_voxels"] == mask.sum()
    [row] = _rows(tmp_path / "vessels.csv")
    assert (row["name"], int(row["vessel_voxels"])) == ("kidney_5", mask.sum())
    assert not (tmp_path / "cache").exists()


def test_the_page_of_a_volume_loads_nothing(trained_kidney, kidneys_dir, tmp_path, threshold):
    options = {"outputs": ["page"], "threshold": threshold}
    _infer(kidneys_dir / "test" / "kidney_5", trained_kidney / "models", tmp_path, **options)
    text = (tmp_path / "kidney_5" / "kidney_5.html").read_text()
    assert "Plotly.newPlot" in text
    assert "data:image/png;base64," in text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert (tmp_path / "kidney_5" / "kidney_5_attention.png").is_file()  # what the page shows is there too


OVERLAYS = ["attention_unet_2d", "resnext50_25d", "resnext101_25d", "three_axes"]
OVERLAYS += ["surface_loss", "boundary_dou"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_trains_evaluates_and_infers(overlay, kidneys_dir, tmp_path):
    width = {"width": 16} if overlay.startswith("resnext") else {}
    files, model = [KIDNEY / f"{overlay}.json"], tmp_path / "models"
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path)}
    workflow(TRAIN, *files, **(SMALL | width), **options).run()
    _evaluate(kidneys_dir, model, tmp_path, *files, **width)
    assert "surface_dice" in json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    _infer(kidneys_dir, model, tmp_path / "results", *files, outputs=["table", "attention"], **width)
    record = json.loads((tmp_path / "results" / "kidney_5" / "run.json").read_text())
    assert record["axes"] == (["z", "y", "x"] if overlay == "three_axes" else ["z"])
    assert record["num_slices"] == {"attention_unet_2d": 1}.get(overlay, 5 if width else 3)
    drawn = (tmp_path / "results" / "kidney_5" / "kidney_5_attention.png").is_file()
    assert drawn == (not overlay.startswith("resnext"))


def test_bf16_trains_and_infers(kidneys_dir, tmp_path):
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path), "bf16": True}
    workflow(TRAIN, **SMALL, **options).run()
    for name, bf16 in (("narrow", True), ("wide", False)):
        _infer(kidneys_dir, tmp_path / "models", tmp_path / name, bf16=bf16)
    difference = _probability(tmp_path / "narrow") - _probability(tmp_path / "wide")
    assert 0 < np.abs(difference).max() < 0.02


def test_three_axes_are_the_mean_of_each(trained_kidney, kidneys_dir, tmp_path, probability):
    """From TIFF slices, which are copied for the axes across them."""
    model = trained_kidney / "models"
    _infer(kidneys_dir, model, tmp_path / "three", KIDNEY / "three_axes.json")
    single = [probability]
    for axis in "yx":
        _infer(kidneys_dir, model, tmp_path / axis, inference_axes=[axis])
        single.append(_probability(tmp_path / axis))
    assert np.abs(single[0] - single[1]).max() > 1e-3
    np.testing.assert_allclose(_probability(tmp_path / "three"), np.mean(single, axis=0), atol=2 / 65535)


class _Interrupted(RuntimeError):
    """What stops the network."""


def _count(patch, *, stop=None):
    """Let the network count its stacks, and fail at one."""
    forward, seen = AttentionUNet.forward, []

    def counted(self, image, **options):
        if len(seen) == stop:
            raise _Interrupted
        seen.append(len(image))
        return forward(self, image, **options)

    patch.setattr(AttentionUNet, "forward", counted)
    return seen


def test_an_interrupted_inference_goes_on(trained_kidney, kidneys_dir, tmp_path, threshold, probability):
    options = {"outputs": ["npy"], "threshold": threshold, "sw_batch_size": 1, "memory_mb": 0.001}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Interrupted):
        _count(patch, stop=5)
        _infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    assert not (tmp_path / "vessels.csv").exists()
    assert list((tmp_path / "cache").rglob("finished.jsonl"))
    with pytest.MonkeyPatch.context() as patch:
        seen = _count(patch)
        _infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    assert 3 <= sum(seen) <= 5  # of 8 slices; the last one or two before the end were not noted yet
    mask = np.load(tmp_path / "kidney_5" / "kidney_5.npy")
    np.testing.assert_array_equal(mask, probability >= threshold)
    assert not (tmp_path / "cache").exists()


def test_work_files_can_be_kept(trained_kidney, kidneys_dir, tmp_path):
    _infer(kidneys_dir, trained_kidney / "models", tmp_path, KIDNEY / "three_axes.json", keep_work=True)
    names = [path.name for path in (tmp_path / "cache").rglob("*.npy")]
    assert {"probability_z.npy", "probability_y.npy", "probability_x.npy", "kidney_5.npy"} < set(names)
    with pytest.MonkeyPatch.context() as patch:
        seen = _count(patch)
        _infer(kidneys_dir, trained_kidney / "models", tmp_path, KIDNEY / "three_axes.json")
    assert not seen
    assert not (tmp_path / "cache").exists()


def test_copies_in_a_folder_of_the_users_stay(trained_kidney, kidneys_dir, tmp_path):
    options = {"cache_dir": str(tmp_path / "copies"), "work_dir": str(tmp_path / "work")}
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("not a work file")
    _infer(kidneys_dir, trained_kidney / "models", tmp_path / "out", inference_axes=["x"], **options)
    assert list((tmp_path / "copies").glob("*.npy"))
    assert [path.name for path in (tmp_path / "work").rglob("*")] == ["mine.txt"]


def test_small_components_are_removed(trained_kidney, kidneys_dir, tmp_path, threshold, probability):
    options = {"outputs": ["npy"], "threshold": threshold, "min_component_voxels": 40}
    _infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    labels, _ = ndimage.label(probability >= threshold, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    assert 0 < (sizes[1:] < 40).sum() < len(sizes) - 1
    np.testing.assert_array_equal(np.load(tmp_path / "kidney_5" / "kidney_5.npy"), sizes[labels] >= 40)


def test_run_lengths_along_columns(trained_kidney, kidneys_dir, tmp_path, threshold, probability):
    options = {"outputs": ["rle"], "rle_order": "F", "threshold": threshold}
    _infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    mask = probability >= threshold
    np.testing.assert_array_equal(_decoded(tmp_path / "submission.csv", order="F"), mask)
    assert (_decoded(tmp_path / "submission.csv", order="C") != mask).any()


def test_another_voxel_size_comes_back_on_the_native_grid(trained_kidney, kidneys_dir, tmp_path):
    """Slices of 50.28 um worked at as 30 um: 13 of 54 x 40."""
    model, outputs = trained_kidney / "models", ["mask", "probability", "attention", "sweep"]
    _infer(kidneys_dir, model, tmp_path / "out", target_spacing=30, outputs=outputs)
    names, mask = _stack(tmp_path / "out" / "kidney_5" / "kidney_5")
    assert (names, mask.shape) == ([f"{index:04d}.tif" for index in range(8)], SHAPE)
    assert _probability(tmp_path / "out").shape == SHAPE
    record = json.loads((tmp_path / "out" / "kidney_5" / "run.json").read_text())
    assert (record["spacing_um"], record["inferred_spacing_um"]) == ([50.28] * 3, [30.0] * 3)
    _evaluate(kidneys_dir, model, tmp_path, target_spacing=30, evaluate_section="test")
    [row] = _rows(tmp_path / "evaluation" / "volumes.csv")
    assert int(row["reference_voxels"]) == 168
    assert not (tmp_path / "cache" / "evaluation").exists()


def test_training_at_another_voxel_size(kidneys_dir, tmp_path):
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path)}
    workflow(TRAIN, **SMALL, **options, target_spacing=40, oblique_probability=0.5).run()
    assert (tmp_path / "models" / "model.pt").is_file()


def _own_data(folder, kidneys):
    """Volumes in five forms, with a datalist."""
    folder.mkdir()
    volumes = {}
    for name in ("train/kidney_1_dense", "train/kidney_2"):
        volumes[name[6:]] = [_stack(kidneys / name / kind)[1] for kind in ("images", "labels")]
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
    _evaluate(data, model, tmp_path / "model", datalist=options["datalist"], evaluate_section="test")
    [row] = _rows(tmp_path / "model" / "evaluation" / "volumes.csv")
    assert (row["name"], row["reference_voxels"]) == ("e", "168")
    for label in data.glob("*_label*"):
        shutil.rmtree(label) if label.is_dir() else label.unlink()
    _infer(data, model, tmp_path / "out", outputs=["mask"], threshold=0.01)
    endings = ("nii.gz", "tif", "npy", "mha", "ome.zarr")
    written = {f"{name}/{name}.{ending}" for name, ending in zip("abcde", endings, strict=True)}
    assert all((tmp_path / "out" / name).exists() for name in written)
    assert [row["name"] for row in _rows(tmp_path / "out" / "vessels.csv")] == list("abcde")
    for name in written:
        assert open_volume(tmp_path / "out" / name).shape == SHAPE


def test_two_parts_of_one_volume(trained_kidney, kidneys_dir, tmp_path):
    """Two runs of slices of one folder: two results, none of them the other's."""
    items = [{"image": "test/kidney_5/images", "slices": part, "patient": "k"} for part in ([0, 3], [4, 7])]
    (tmp_path / "datalist.json").write_text(json.dumps({"test": items}))
    options = {"datalist": str(tmp_path / "datalist.json"), "outputs": ["mask", "probability"]}
    _infer(kidneys_dir, trained_kidney / "models", tmp_path / "out", **options)
    found = [_stack(tmp_path / "out" / name / name)[0] for name in ("kidney_5_0-3", "kidney_5_4-7")]
    assert found == [[f"{index:04d}.tif" for index in part] for part in (range(4), range(4, 8))]
    parts = [_probability(tmp_path / "out", name) for name in ("kidney_5_0-3", "kidney_5_4-7")]
    assert (parts[0] != parts[1]).any()


def _fault(error):
    """The InputError behind whatever MONAI raised."""
    found = find_input_error(error)
    assert isinstance(found, InputError), error
    assert len(str(found).splitlines()) <= 3
    return str(found)


def _missing_slice(folder):
    (folder / "0003.tif").unlink()
    return folder.name, "0003|3"


def _slice_of_another_size(folder):
    tifffile.imwrite(folder / "0003.tif", np.zeros((5, 6), np.uint16))
    return "0003.tif", "5"


def _mixed_depths(folder):
    tifffile.imwrite(folder / "0003.tif", np.zeros(SHAPE[1:], np.uint8))
    return "0003.tif", "uint8"


def _colour(folder):
    tifffile.imwrite(folder / "0003.tif", np.zeros((*SHAPE[1:], 3), np.uint8), photometric="rgb")
    return "0003.tif", "colour|RGB"


def _truncated(folder):
    path = folder / "0003.tif"
    path.write_bytes(path.read_bytes()[:-100])
    return "0003.tif", "damaged|truncated|cannot be read|bytes"


def _constant(folder):
    for index in range(SHAPE[0]):
        tifffile.imwrite(folder / f"{index:04d}.tif", np.full(SHAPE[1:], 7, np.uint16))
    return folder.name, "every voxel is 7"


def _thin(folder):
    for index in range(2, SHAPE[0]):
        (folder / f"{index:04d}.tif").unlink()
    return folder.name, "2 slices"


FAULTS = [_missing_slice, _slice_of_another_size, _mixed_depths, _colour, _truncated, _constant, _thin]


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda one: one.__name__.strip("_").replace("_", " "))
def test_a_faulty_volume_is_refused(spoil, trained_kidney, kidneys_dir, tmp_path):
    folder = shutil.copytree(kidneys_dir / "test" / "kidney_5" / "images", tmp_path / "spoilt")
    named, said = spoil(folder)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(folder, trained_kidney / "models", tmp_path / "out", outputs=["mask"])
    message = _fault(caught.value)
    assert named in message.splitlines()[0]
    assert re.search(said, message)
    assert not (tmp_path / "out" / "vessels.csv").exists()


def test_nan_is_refused(trained_kidney, kidneys_dir, tmp_path):
    volume = _stack(kidneys_dir / "test" / "kidney_5" / "images")[1].astype(np.float32)
    volume[3, 2, 1] = np.nan
    np.save(tmp_path / "bad.npy", volume)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(tmp_path / "bad.npy", trained_kidney / "models", tmp_path / "out")
    assert "bad.npy" in _fault(caught.value)
    assert "NaN" in _fault(caught.value)


def test_no_voxel_size_where_one_is_needed(trained_kidney, kidneys_dir, tmp_path):
    folder = shutil.copytree(kidneys_dir / "test" / "kidney_5" / "images", tmp_path / "unknown")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(folder, trained_kidney / "models", tmp_path / "out", target_spacing=50)
    assert "no voxel size" in _fault(caught.value)
    assert "unknown" in _fault(caught.value)
    _infer(folder, trained_kidney / "models", tmp_path / "out", target_spacing=50, spacing_um=63)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"threshold": 0}, "threshold is 0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"outputs": ["record"]}, "unknown output 'record'"),
        ({"rle_order": "K"}, "order"),
        ({"inference_axes": ["w"]}, "axes"),
    ],
)
def test_an_option_out_of_range_is_refused_before_the_work(
    overrides, said, trained_kidney, kidneys_dir, tmp_path
):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(kidneys_dir, trained_kidney / "models", tmp_path, **overrides)
    assert said in _fault(caught.value)
    assert not list(tmp_path.rglob("probability_*.npy"))


def test_fewer_patches_than_a_batch_train_nothing(kidneys_dir, tmp_path):
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path)}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        workflow(TRAIN, **(SMALL | {"patches_per_epoch": 4}), **options).run()
    assert "do not fill a batch of 8" in _fault(caught.value)


def test_a_full_disk_leaves_nothing_that_looks_whole(trained_kidney, kidneys_dir, tmp_path, monkeypatch):
    written = []

    def full(path, *args, **options):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        path.write_bytes(b"slice")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _infer(kidneys_dir, trained_kidney / "models", tmp_path, outputs=["mask"])
    assert "no space left" in _fault(caught.value)
    assert not (tmp_path / "kidney_5" / "kidney_5").exists()
    assert not (tmp_path / "vessels.csv").exists()
    assert not list(tmp_path.rglob(".partial*"))
    monkeypatch.undo()
    monkeypatch.chdir(ROOT)
    _infer(kidneys_dir, trained_kidney / "models", tmp_path, outputs=["mask"])
    assert _stack(tmp_path / "kidney_5" / "kidney_5")[1].shape == SHAPE


def _label_without_image(train):
    shutil.copy(train / "kidney_2/labels/0007.tif", train / "kidney_2/labels/0008.tif")
    return "0008.tif"


def _label_of_three_values(train):
    tifffile.imwrite(train / "kidney_2/labels/0003.tif", np.full(SHAPE[1:], 3, np.uint8))
    return "labels"


@pytest.mark.parametrize("spoil", [_label_without_image, _label_of_three_values])
def test_training_as_typed_ends_with_one_message(spoil, kidneys_dir, tmp_path):
    data = shutil.copytree(kidneys_dir, tmp_path / "data")
    named = spoil(data / "train")
    given = SMALL | {"dataset_dir": data, "output_dir": tmp_path / "out"}
    _check_message(bundle_run("training", config_file=TRAIN, env={"TOMOBUNDLES_DEBUG": "0"}, **given), named)
    assert not (tmp_path / "out" / "models" / "model.pt").exists()


def test_inference_as_typed_ends_with_one_message(trained_kidney, kidneys_dir, tmp_path):
    folder = shutil.copytree(kidneys_dir / "test" / "kidney_5" / "images", tmp_path / "rgb")
    _colour(folder)
    given = {"dataset_dir": folder, "output_dir": tmp_path / "out", "ckpt_dir": trained_kidney / "models"}
    given |= {"width": 4}
    done = bundle_run("inference", config_file=INFERENCE, env={"TOMOBUNDLES_DEBUG": "0"}, **given)
    _check_message(done, "0003.tif")


def _check_message(done, named):
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    before, _, message = done.stderr.rpartition("error: ")
    assert before == "" or before.endswith("\n")
    assert 0 < len(message.splitlines()) <= 3, done.stderr
    assert named in message
