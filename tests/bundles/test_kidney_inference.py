# SPDX-License-Identifier: Apache-2.0
"""Inference of kidney_vasculature: every form of results, axes, interruption, other voxel sizes."""

import json
import re

import numpy as np
import pytest

from tests.bundles.kidney_runs import (
    SHAPE,
    component_sizes,
    decoded,
    evaluate,
    infer,
    rows_of,
    stack_of,
    stored_probability,
)
from tests.helpers import KIDNEY, ROOT
from tomobundles.data.volumes import open_volume
from tomobundles.handlers.vessel_forms import FORMS
from tomobundles.networks import AttentionUNet

LEAST = 40  # voxels of a component in the tests that remove smaller ones


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def probability(kidneys_dir, trained_kidney, tmp_path_factory):
    """(Z, Y, X) probabilities of the test kidney."""
    output = tmp_path_factory.mktemp("probability")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        infer(kidneys_dir, trained_kidney / "models", output)
    return stored_probability(output)


@pytest.fixture(scope="module")
def threshold(probability):
    """One that leaves large and small components: after so short a training all voxels exceed 0.5."""
    for share in np.linspace(0.7, 0.99, 30):
        level = (int(np.quantile(probability, share) * 65535) + 0.5) / 65535  # between two stored values
        sizes = component_sizes(probability >= level)[1]
        if (sizes >= LEAST).any() and (sizes < LEAST).any():
            return level
    raise AssertionError("no threshold leaves components on both sides of the limit")


def test_evaluation_scores_the_mask_that_it_writes(trained_kidney, kidneys_dir, tmp_path, threshold):
    options = {"evaluate_section": "test", "threshold": threshold}
    evaluate(kidneys_dir, trained_kidney / "models", tmp_path / "all", **options)
    evaluate(kidneys_dir, trained_kidney / "models", tmp_path / "big", min_component_voxels=LEAST, **options)
    for name in ("all", "big"):
        [scored] = rows_of(tmp_path / name / "evaluation" / "volumes.csv")
        [written] = rows_of(tmp_path / name / "evaluation" / "vessels.csv")
        assert scored["predicted_voxels"] == written["vessel_voxels"]
        assert not list(tmp_path.rglob("*.npy")) or (tmp_path / name / "cache/volumes").is_dir()
    rows = [rows_of(tmp_path / name / "evaluation" / "volumes.csv")[0] for name in ("all", "big")]
    assert int(rows[1]["predicted_voxels"]) < int(rows[0]["predicted_voxels"])


def test_inference_writes_every_form(trained_kidney, kidneys_dir, tmp_path, probability, threshold):
    infer(kidneys_dir, trained_kidney / "models", tmp_path, outputs=list(FORMS), threshold=threshold)
    folder, mask = tmp_path / "kidney_5", probability >= threshold
    assert 0.01 < mask.mean() < 0.3
    for written in (folder / "kidney_5", folder / "mask" / "kidney_5"):
        names, slices = stack_of(written)
        assert names == [f"{index:04d}.tif" for index in range(8)]
        assert slices.dtype == np.uint8
        np.testing.assert_array_equal(slices, 255 * mask)
    for name in ("kidney_5.nii.gz", "kidney_5.npy", "kidney_5.ome.zarr"):
        np.testing.assert_array_equal(open_volume(folder / name).read_all() > 0, mask)
    np.testing.assert_array_equal(decoded(tmp_path / "submission.csv"), mask)
    assert (folder / "kidney_5_rle.csv").read_text() == (tmp_path / "submission.csv").read_text()
    for ending in ("thresholds.csv", "radii.csv", "vessels.csv", "attention.png", "slices.png", "radii.png"):
        assert (folder / f"kidney_5_{ending}").stat().st_size > 0
    assert (folder / "kidney_5.ply").read_bytes().startswith(b"ply")
    assert len(list((folder / "kidney_5_projections").glob("*_[zyx].png"))) == 9
    record = json.loads((folder / "run.json").read_text())
    assert record["spacing_um"] == record["inferred_spacing_um"] == [50.28] * 3
    image = stack_of(kidneys_dir / "test" / "kidney_5" / "images")[1]
    low, high = np.percentile(image, [10, 99.8], method="inverted_cdf")
    assert (record["intensity"]["low"], record["intensity"]["high"]) == (low, high)
    assert record["vessel_voxels"] == mask.sum()
    [row] = rows_of(tmp_path / "vessels.csv")
    assert (row["name"], int(row["vessel_voxels"])) == ("kidney_5", mask.sum())
    assert not (tmp_path / "cache").exists()


def test_the_page_of_a_volume_loads_nothing(trained_kidney, kidneys_dir, tmp_path, threshold):
    options = {"outputs": ["page"], "threshold": threshold}
    infer(kidneys_dir / "test" / "kidney_5", trained_kidney / "models", tmp_path, **options)
    text = (tmp_path / "kidney_5" / "kidney_5.html").read_text()
    assert "Plotly.newPlot" in text
    assert "data:image/png;base64," in text
    markup = re.sub(r"<script\b[^>]*>.*?</script>", "", text, flags=re.S)
    assert "<script src" not in text
    named = re.findall(r"""(?:src|href)=["']([^"']*)""", markup)
    assert named
    assert all(source.startswith("data:") for source in named)
    assert (tmp_path / "kidney_5" / "kidney_5_attention.png").is_file()  # what the page shows is there too


def test_three_axes_are_the_mean_of_each(trained_kidney, kidneys_dir, tmp_path, probability):
    """From TIFF slices, which are copied for the axes across them."""
    model = trained_kidney / "models"
    infer(kidneys_dir, model, tmp_path / "three", KIDNEY / "three_axes.json")
    single = [probability]
    for axis in "yx":
        infer(kidneys_dir, model, tmp_path / axis, inference_axes=[axis])
        single.append(stored_probability(tmp_path / axis))
    assert np.abs(single[0] - single[1]).max() > 1e-3
    np.testing.assert_allclose(
        stored_probability(tmp_path / "three"), np.mean(single, axis=0), atol=2 / 65535
    )


def _count(patch, *, stop=None):
    """Let the network count its stacks, and fail at one."""
    forward, seen = AttentionUNet.forward, []

    def counted(self, image, **options):
        if len(seen) == stop:
            raise RuntimeError("interrupted")
        seen.append(len(image))
        return forward(self, image, **options)

    patch.setattr(AttentionUNet, "forward", counted)
    return seen


def test_an_interrupted_inference_goes_on(trained_kidney, kidneys_dir, tmp_path, threshold, probability):
    options = {"outputs": ["npy"], "threshold": threshold, "sw_batch_size": 1, "memory_mb": 0.001}
    with pytest.MonkeyPatch.context() as patch:
        _count(patch, stop=5)
        with pytest.raises(RuntimeError):
            infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    assert not (tmp_path / "vessels.csv").exists()
    assert list((tmp_path / "cache").rglob("finished.jsonl"))
    with pytest.MonkeyPatch.context() as patch:
        seen = _count(patch)
        infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    assert 3 <= sum(seen) <= 5  # of 8 slices; the last one or two before the end were not noted yet
    mask = np.load(tmp_path / "kidney_5" / "kidney_5.npy")
    np.testing.assert_array_equal(mask, probability >= threshold)
    assert not (tmp_path / "cache").exists()


def test_work_files_can_be_kept(trained_kidney, kidneys_dir, tmp_path):
    infer(kidneys_dir, trained_kidney / "models", tmp_path, KIDNEY / "three_axes.json", keep_work=True)
    names = [path.name for path in (tmp_path / "cache").rglob("*.npy")]
    assert {"probability_z.npy", "probability_y.npy", "probability_x.npy", "kidney_5.npy"} < set(names)
    with pytest.MonkeyPatch.context() as patch:
        seen = _count(patch)
        infer(kidneys_dir, trained_kidney / "models", tmp_path, KIDNEY / "three_axes.json")
    assert not seen
    assert not (tmp_path / "cache").exists()


def test_copies_in_a_folder_of_the_users_stay(trained_kidney, kidneys_dir, tmp_path):
    options = {"cache_dir": str(tmp_path / "copies"), "work_dir": str(tmp_path / "work")}
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("not a work file")
    infer(kidneys_dir, trained_kidney / "models", tmp_path / "out", inference_axes=["x"], **options)
    assert list((tmp_path / "copies").glob("*.npy"))
    assert [path.name for path in (tmp_path / "work").rglob("*")] == ["mine.txt"]


def test_small_components_are_removed(trained_kidney, kidneys_dir, tmp_path, threshold, probability):
    options = {"outputs": ["npy"], "threshold": threshold, "min_component_voxels": LEAST}
    infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    labels, sizes = component_sizes(probability >= threshold)
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= LEAST))
    np.testing.assert_array_equal(np.load(tmp_path / "kidney_5" / "kidney_5.npy"), kept)


def test_run_lengths_along_columns(trained_kidney, kidneys_dir, tmp_path, threshold, probability):
    options = {"outputs": ["rle"], "rle_order": "F", "threshold": threshold}
    infer(kidneys_dir, trained_kidney / "models", tmp_path, **options)
    mask = probability >= threshold
    np.testing.assert_array_equal(decoded(tmp_path / "submission.csv", order="F"), mask)
    assert (decoded(tmp_path / "submission.csv", order="C") != mask).any()


def test_another_voxel_size_comes_back_on_the_native_grid(trained_kidney, kidneys_dir, tmp_path):
    """Slices of 50.28 um worked at as 30 um: 13 of 54 x 40."""
    model, outputs = trained_kidney / "models", ["mask", "probability", "attention", "sweep"]
    infer(kidneys_dir, model, tmp_path / "out", target_spacing=30, outputs=outputs)
    names, mask = stack_of(tmp_path / "out" / "kidney_5" / "kidney_5")
    assert (names, mask.shape) == ([f"{index:04d}.tif" for index in range(8)], SHAPE)
    assert stored_probability(tmp_path / "out").shape == SHAPE
    record = json.loads((tmp_path / "out" / "kidney_5" / "run.json").read_text())
    assert (record["spacing_um"], record["inferred_spacing_um"]) == ([50.28] * 3, [30.0] * 3)
    evaluate(kidneys_dir, model, tmp_path, target_spacing=30, evaluate_section="test")
    [row] = rows_of(tmp_path / "evaluation" / "volumes.csv")
    assert int(row["reference_voxels"]) == 168
    assert not (tmp_path / "cache" / "evaluation").exists()


def test_two_parts_of_one_volume(trained_kidney, kidneys_dir, tmp_path):
    """Two runs of slices of one folder: two results, none of them the other's."""
    items = [{"image": "test/kidney_5/images", "slices": part, "patient": "k"} for part in ([0, 3], [4, 7])]
    (tmp_path / "datalist.json").write_text(json.dumps({"test": items}))
    options = {"datalist": str(tmp_path / "datalist.json"), "outputs": ["mask", "probability"]}
    infer(kidneys_dir, trained_kidney / "models", tmp_path / "out", **options)
    found = [stack_of(tmp_path / "out" / name / name)[0] for name in ("kidney_5_0-3", "kidney_5_4-7")]
    assert found == [[f"{index:04d}.tif" for index in part] for part in (range(4), range(4, 8))]
    parts = [stored_probability(tmp_path / "out", name) for name in ("kidney_5_0-3", "kidney_5_4-7")]
    assert (parts[0] != parts[1]).any()
