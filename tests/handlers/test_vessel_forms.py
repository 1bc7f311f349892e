# SPDX-License-Identifier: Apache-2.0
"""The results of one volume, form by form."""

import csv
import re

import numpy as np
import pytest
from torch import nn

from tomobundles.data.volumes import ArrayVolume, ThresholdVolume, open_volume
from tomobundles.data.volumes.components import remove_small_components
from tomobundles.handlers import vessel_forms
from tomobundles.handlers.vessel_forms import FORMS, VesselResult
from tomobundles.networks import AttentionUNet

SHAPE = (6, 16, 20)


def _image(**meta):
    gray = np.random.default_rng(0).integers(0, 999, SHAPE).astype(np.uint16)
    return ArrayVolume(gray, spacing_um=(50, 50, 50), meta={"path": "/scans/k.npy", "form": "npy"} | meta)


@pytest.fixture
def result(tmp_path):
    """A tube of 6 x 2 x 3 voxels, of which the last slice is found with less probability; no label."""
    image = _image()
    probability = np.full(SHAPE, 0.1, np.float32)
    probability[:, 4:6, 7:10] = 0.9
    probability[5, 4:6, 7:10] = 0.6
    found = ArrayVolume(probability, spacing_um=image.spacing_um, meta=image.meta)
    mask = ThresholdVolume(found, threshold=0.5)
    return VesselResult(
        name="k",
        folder=tmp_path / "k",
        image=image,
        grays=ArrayVolume(image.array / np.float32(999), spacing_um=image.spacing_um),
        probability=found,
        mask=remove_small_components(mask, min_voxels=1, store_path=tmp_path / "mask.npy"),
        label=None,
        threshold=0.5,
        rle_order="C",
        network=AttentionUNet(in_channels=3, width=2),
        num_slices=3,
    )


def _labelled(result):
    result.label = ArrayVolume((result.probability.array > 0.8).astype(np.uint8), spacing_um=(50, 50, 50))
    return result


def _rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_counts(result):
    assert (result.voxels, result.vessel_voxels) == (6 * 16 * 20, 36)
    assert result.path("_x.csv") == result.folder / "k_x.csv"


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_names_what_it_writes(form, result):
    """Those that need a label give nothing without one."""
    paths = result.write(form)
    assert all(path.exists() and path.is_relative_to(result.folder) for path in paths)
    assert bool(paths) == (form != "sweep")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("mask", "k.npy"),
        ("npy", "k.npy"),
        ("tiff", "mask/k"),
        ("nifti", "k.nii.gz"),
        ("ome_zarr", "k.ome.zarr"),
    ],
)
def test_masks_of_any_form_are_the_mask(form, name, result):
    assert result.write(form) == [result.folder / name]
    np.testing.assert_array_equal(
        open_volume(result.folder / name).read_all() > 0, result.mask.read_all() > 0
    )


def test_probabilities_have_16_bits(result):
    [path] = result.write("probability")
    stored = open_volume(path)
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored.read_all(), np.rint(result.probability.array * np.float32(65535)))


def test_run_lengths_in_both_orders(result):
    """Rows 4 and 5, columns 7 to 9 of 20: 88 and 108 by rows; 117, 133, 149 of 16 by columns."""
    [path] = result.write("rle")
    assert path.read_text().splitlines()[:2] == ["id,rle", "k_0000,88 3 108 3"]
    result.rle_order, result.written = "F", {}
    assert result.write("rle")[0].read_text().splitlines()[1] == "k_0000,117 2 133 2 149 2"


def test_table(result):
    table, radii, _ = result.write("table")
    [row] = _rows(table)
    assert (row["name"], row["vessel_voxels"]) == ("k", "36")
    assert float(row["vessel_fraction"]) == pytest.approx(36 / (6 * 16 * 20), rel=1e-5)
    assert {"radius_from_um", "length_mm"} <= set(_rows(radii)[0])


def test_scores_by_threshold_need_a_label(result):
    assert result.write("sweep") == []
    assert result.sweep == []


def test_scores_by_threshold(result):
    rows, plot = _labelled(result).write("sweep")
    scores = {float(row["threshold"]): float(row["dice"]) for row in _rows(rows)}
    assert scores[0.8] == 1
    assert scores[0.5] == pytest.approx(60 / 66, rel=1e-5)
    assert plot.suffix == ".png"


def test_pictures_are_compared_with_a_label(result):
    bare = {path.name for path in result.write("projections")}
    result.written = {}
    compared = {path.name for path in _labelled(result).write("projections")}
    assert {"agreement_z.png", "agreement_y.png", "agreement_x.png"} <= compared - bare


def test_nothing_is_written_twice(result, monkeypatch):
    written = []

    def counted(form):
        write = FORMS[form]
        return lambda result: written.append(form) or write(result)

    monkeypatch.setattr(vessel_forms, "FORMS", {form: counted(form) for form in FORMS})
    for form in ("page", "table", "table", "slices"):
        result.write(form)
    assert sorted(written) == ["attention", "page", "projections", "slices", "sweep", "table"]


def test_the_page_shows_all_of_it(result):
    [page] = _labelled(result).write("page")
    text = page.read_text()
    markup = re.sub(r"<script\b[^>]*>.*?</script>", "", text, flags=re.S)
    pictures = [path for paths in result.written.values() for path in paths if path.suffix == ".png"]
    assert markup.count("data:image/png") == len(pictures) == 13
    for said in ("Vessel radii", "Scores by threshold", "/scans/k.npy", "threshold: "):
        assert said in text


def test_a_network_without_gates_has_no_attention(result):
    result.network = nn.Conv2d(3, 1, 1)
    assert result.write("attention") == []
    assert result.write("page")


def _drawn(result, monkeypatch):
    """What the attention picture is drawn of."""
    calls = []
    monkeypatch.setattr(
        vessel_forms, "draw_attention_maps", lambda *given, **masks: calls.append((*given, masks)) or given[0]
    )
    result.write("attention")
    [(path, gray, maps, masks)] = calls
    assert path == result.path("_attention.png")
    return gray, maps, masks


def test_attention_is_drawn_where_most_vessels_are(result, monkeypatch):
    result.mask = remove_small_components(
        ArrayVolume(
            np.where(np.arange(6) == 4, 1, 0).astype(np.uint8)[:, None, None] * np.ones(SHAPE, np.uint8)
        ),
        min_voxels=1,
        store_path=result.folder.parent / "other.npy",
    )
    gray, maps, masks = _drawn(_labelled(result), monkeypatch)
    np.testing.assert_array_equal(gray, result.grays.array[4])
    assert [one.shape for one in maps] == [(2, 3), (4, 5), (8, 10), (16, 20)]
    assert masks["prediction"].all()
    np.testing.assert_array_equal(masks["reference"], result.label.array[4])


def test_attention_on_another_grid_has_no_masks(result, monkeypatch):
    """Three slices of twice the thickness: slice 0, the first with most vessels, lies in the first."""
    result.grays = ArrayVolume(np.random.default_rng(1).random((3, 8, 10), dtype=np.float32))
    gray, maps, masks = _drawn(result, monkeypatch)
    np.testing.assert_array_equal(gray, result.grays.array[0])
    assert (maps[-1].shape, masks) == ((8, 10), {})


def test_an_empty_mask(result, tmp_path):
    """Tables and pictures of no vessel; the mesh has no face."""
    empty = ArrayVolume(np.zeros(SHAPE, np.uint8), spacing_um=(50, 50, 50))
    result.mask = remove_small_components(empty, min_voxels=1, store_path=tmp_path / "empty.npy")
    assert result.vessel_voxels == 0
    for form in FORMS:
        result.write(form)
    assert "No vessel was found" in result.path(".html").read_text()
    assert result.path("_rle.csv").read_text().splitlines()[1] == "k_0000,1 0"
    assert b"element face 0" in result.path(".ply").read_bytes()
