# SPDX-License-Identifier: Apache-2.0
"""What lung_nodule says of bad input: one short message that names it; and what it takes in its stride."""

import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.bundles.kidney_runs import check_message, fault, rows_of
from tests.bundles.lung_runs import INFERENCE, SMALL, TRAIN, chest, infer, train, world
from tests.helpers import LUNG, ROOT, TINY_DETECTOR, TINY_NETWORK, bundle_run, write_mhd

NAME = "LKDS-00801"
PLACE = {"spacing": (2, 2, 2), "origin": (-80, -50, -300)}  # of write_chests


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def data(chests_dir, tmp_path):
    """A copy of the data set that may be spoilt."""
    return shutil.copytree(chests_dir, tmp_path / "data")


@pytest.fixture
def scan(chests_dir, tmp_path):
    """A copy of one scan, .mhd."""
    (tmp_path / "scan").mkdir()
    for ending in (".mhd", ".raw"):
        shutil.copy(chests_dir / "test" / f"{NAME}{ending}", tmp_path / "scan" / f"x{ending}")
    path = tmp_path / "scan" / "x.mhd"
    path.write_text(path.read_text().replace(NAME, "x"))
    return path


def _error(run, *args, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run(*args, **options)
    return fault(caught.value)


def _no_raw(path):
    path.with_suffix(".raw").unlink()


def _short_raw(path):
    raw = path.with_suffix(".raw")
    raw.write_bytes(raw.read_bytes()[:-1000])


def _wrong_dimensions(path):
    path.write_text(path.read_text().replace("DimSize = 80 64 44", "DimSize = 80 64 40"))


def _no_hounsfield(path):
    slices = np.fromfile(path.with_suffix(".raw"), "<i2") + 1024
    slices.tofile(path.with_suffix(".raw"))


def _no_lung(path):
    slices = np.fromfile(path.with_suffix(".raw"), "<i2").reshape(44, 64, 80)
    slices[:, 8:-8, 8:-8] = np.random.default_rng(0).integers(-20, 90, slices[:, 8:-8, 8:-8].shape)
    slices.tofile(path.with_suffix(".raw"))


def _few_slices(path):
    slices = np.fromfile(path.with_suffix(".raw"), "<i2").reshape(44, 64, 80)
    write_mhd(path, slices[:5], **PLACE)


FAULTS = {
    _no_raw: r"x\.raw|not there|missing|no such",
    _short_raw: "short|bytes",
    _wrong_dimensions: "DimSize|longer|bytes",
    _no_hounsfield: "offset|HU",
    _no_lung: "no lung in the field of view",
    _few_slices: "5",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda one: one.__name__.strip("_").replace("_", " "))
def test_a_faulty_scan_is_refused(spoil, scan, trained_lung, tmp_path, caplog):
    spoil(scan)
    message = _error(infer, scan.parent, trained_lung / "models", tmp_path / "out")
    assert message.startswith(f"{scan.parent}\n")
    assert "x." in caplog.text  # a line a scan, for there may be many
    assert re.search(FAULTS[spoil], message), message
    assert not (tmp_path / "out" / "predictions.csv").exists()


def test_nan_is_refused(chests_dir, trained_lung, tmp_path, caplog):
    hu, affine = chest(chests_dir)
    hu = hu.astype(np.float32)
    hu[3, 4, 5] = np.nan
    (tmp_path / "scans").mkdir()
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "scans" / "bad.nii.gz")
    message = _error(infer, tmp_path / "scans", trained_lung / "models", tmp_path / "out")
    assert "bad.nii.gz" in caplog.text
    assert "NaN" in message


def test_values_without_their_offset_work_when_it_is_given(scan, trained_lung, chests_dir, tmp_path):
    expected = infer(chests_dir, trained_lung / "models", tmp_path / "whole")
    _no_hounsfield(scan)
    rows = infer(scan.parent, trained_lung / "models", tmp_path / "out", hu_offset=-1024)
    np.testing.assert_allclose(world(rows), world(expected), atol=1e-3)


def test_thick_slices_work_and_warn(chests_dir, trained_lung, tmp_path):
    hu, _ = chest(chests_dir)
    slices = hu.transpose(2, 0, 1)[::3]
    write_mhd(tmp_path / "scans" / "thick.mhd", slices, spacing=(2, 2, 6), origin=PLACE["origin"])
    infer(tmp_path / "scans", trained_lung / "models", tmp_path / "out", outputs=["contest_csv", "html"])
    [case] = rows_of(tmp_path / "out" / "cases.csv")
    assert case["status"] == "ok"
    assert "6.0 mm apart" in case["warnings"]
    assert "6.0 mm apart" in (tmp_path / "out" / "thick" / "thick.html").read_text()


def _table(data, change):
    path = data / "annotations.csv"
    path.write_text(change(path.read_text()))


def _row(text, row):
    return text + row + "\n"


TABLES = {
    "outside the image": (lambda text: _row(text, "LKDS-00001,500,20,-250,8"), "outside|line 9"),
    "unknown scan": (lambda text: _row(text, "LKDS-99999,0,20,-250,8"), "LKDS-99999|99999"),
    "negative diameter": (lambda text: _row(text, "LKDS-00001,0,20,-250,-4"), "line 9.*-4"),
    "two diameters": (lambda text: _row(text, "LKDS-00001,-43.181,23.396,-253.261,9"), "line"),
    "no number": (lambda text: _row(text, "LKDS-00001,a,20,-250,4"), "line 9.*coordX"),
    "missing column": (lambda text: text.replace("diameter_mm", "size", 1), "diameter_mm"),
    "no nodule": (lambda text: text.splitlines()[0] + "\n", "no nodule at all"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_faulty_table_is_refused_before_training(name, data, tmp_path):
    change, said = TABLES[name]
    _table(data, change)
    message = _error(train, data, tmp_path / "out")
    assert re.search(said, message, re.S), message
    assert name == "no nodule" or "annotations.csv" in message or "LKDS-" in message
    assert not (tmp_path / "out" / "models" / "model.pt").exists()


def test_tables_as_spreadsheets_write_them_are_read(data, tmp_path, caplog):
    """A byte order mark, Windows' line ends, semicolons, decimals with a comma, a row that is there twice."""
    path = data / "annotations.csv"
    lines = path.read_text().splitlines()
    lines.append(lines[1])
    text = "\r\n".join(line.replace(",", ";").replace(".", ",") for line in lines) + "\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    train(data, tmp_path / "out")
    assert (tmp_path / "out" / "models" / "model.pt").is_file()
    assert "there twice" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"crop_size": 40}, "crop_size.*40|40.*16"),
        ({"stride": 3}, "stride"),
        ({"anchors": []}, "anchor"),
        ({"crops_per_epoch": 4}, "do not fill a batch of 8"),
        ({"size_bins": [[0, -1]]}, "size_bins"),
        ({"lung_mask": "some"}, "some"),
        ({"stem": "none"}, "stem"),
        ({"spacing": 0}, "spacing"),
        ({"augmentation": {"miror": 0.5}}, "miror"),
        ({"false_positives": "nowhere.csv"}, "nowhere.csv"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_option_out_of_range_is_refused(overrides, said, chests_dir, tmp_path):
    network = dict(TINY_DETECTOR)
    if "augmentation" in overrides:
        network = TINY_NETWORK | {"crop_size": 32}
    message = _error(train, chests_dir, tmp_path, network=network, **overrides)
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"min_probability": 2}, "min_probability|probability"),
        ({"nms_iou": 2}, "nms_iou|iou"),
        ({"outputs": ["mask", "csv"]}, "unknown output 'csv'"),
        ({"mask_probability": -1}, "mask_probability"),
        ({"channels": [4, 6, 8, 8, 16]}, "weights of another network"),
        ({"ckpt_dir": "nowhere"}, "nowhere"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_option_of_inference_out_of_range_is_refused(overrides, said, chests_dir, trained_lung, tmp_path):
    message = _error(infer, chests_dir, trained_lung / "models", tmp_path / "out", **overrides)
    assert re.search(said, message), message
    assert not list((tmp_path / "out").rglob("*.csv"))


def _box_of_another_patient(data):
    items = [{"image": f"train/LKDS-0000{number}.mhd", "patient": "p"} for number in (1, 2)]
    for item in items:
        item["label"] = {"nodules": [[0, 20, -250, 8]], "excluded": []}
    (data / "datalist.json").write_text(json.dumps({"training": items[:1], "validation": items[1:]}))
    return {"datalist": data / "datalist.json"}, "p"


def _annotation_outside(data):
    _table(data, TABLES["outside the image"][0])
    return {}, "LKDS-00001"


def _raw_gone(data):
    (data / "train" / "LKDS-00002.raw").unlink()
    return {}, "LKDS-00002"


def _table_gone(data):
    return {"false_positives": data / "nowhere.csv"}, "nowhere.csv"


FAULTS_AS_TYPED = [_box_of_another_patient, _annotation_outside, _raw_gone, _table_gone]


@pytest.mark.parametrize("spoil", FAULTS_AS_TYPED, ids=lambda one: one.__name__.strip("_").replace("_", " "))
def test_training_as_typed_ends_with_one_message(spoil, data, tmp_path):
    given, named = spoil(data)
    files = f"['{TRAIN}','{LUNG / 'hard_negatives.json'}']" if "false_positives" in given else TRAIN
    given = SMALL | TINY_DETECTOR | {"dataset_dir": data, "output_dir": tmp_path / "out"} | given
    done = bundle_run("training", config_file=files, env={"TOMOBUNDLES_DEBUG": "0"}, **given)
    check_message(done, named)
    assert not (tmp_path / "out" / "models" / "model.pt").exists()


def test_inference_as_typed_keeps_the_good_scans(scan, chests_dir, trained_lung, tmp_path):
    hu, _ = chest(chests_dir)
    write_mhd(scan.with_name("good.mhd"), hu.transpose(2, 0, 1), **PLACE)
    _short_raw(scan)
    given = {"dataset_dir": scan.parent, "output_dir": tmp_path / "out", "ckpt_dir": trained_lung / "models"}
    given |= TINY_NETWORK
    done = bundle_run("inference", config_file=INFERENCE, env={"TOMOBUNDLES_DEBUG": "0"}, **given)
    check_message(done, "refusals.csv")
    [row] = rows_of(tmp_path / "out" / "refusals.csv")
    assert row["name"] == "x"
    assert {row["seriesuid"] for row in rows_of(tmp_path / "out" / "predictions.csv")} == {"good"}
    assert (tmp_path / "out" / "good" / "good.html").is_file()
