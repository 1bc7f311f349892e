# SPDX-License-Identifier: Apache-2.0
"""Inference of lung_nodule: every form of results, every form of scans."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from scipy import ndimage

from tests.bundles.kidney_runs import fault, rows_of
from tests.bundles.lung_runs import chest, infer, train, truth, world
from tests.helpers import ROOT, write_mhd
from tomobundles.data.phantoms import write_dicom_series

OUTPUTS = ["contest_csv", "ranked", "boxes", "mask", "lungs", "lung_quality", "structured_report"]
OUTPUTS += ["contact_sheet", "html"]
NAME = "LKDS-00801"


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def results(chests_dir, trained_lung, tmp_path_factory):
    """Folder of the test chest's results in every form, all candidates reported."""
    output = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        infer(chests_dir, trained_lung / "models", output, outputs=OUTPUTS, report_probability=0)
    return output


def test_every_form_is_there(results):
    tables = {"predictions.csv", "nodules.csv", "cases.csv"}
    assert {path.name for path in results.iterdir()} == tables | {NAME}
    names = ["_nodules.txt", "_nodules.json", "_boxes.json", "_nodules.nii.gz", "_lungs.nii.gz"]
    names += ["_lung_quality.json", "_nodules.png", ".html"]  # no report: the scan is not DICOM
    assert {path.name for path in (results / NAME).iterdir()} == {NAME + name for name in names}
    [case] = rows_of(results / "cases.csv")
    assert (case["status"], case["slices"], case["warnings"]) == ("ok", "44", case["warnings"])
    assert float(case["right_lung_ml"]) > 100


def test_the_contests_table_is_the_ranked_list(results, chests_dir):
    with (results / "predictions.csv").open() as stream:
        assert stream.readline() == "seriesuid,coordX,coordY,coordZ,probability,diameter_mm\n"
    contest, table = rows_of(results / "predictions.csv"), rows_of(results / "nodules.csv")
    listed = json.loads((results / NAME / f"{NAME}_nodules.json").read_text())["nodules"]
    boxes = json.loads((results / NAME / f"{NAME}_boxes.json").read_text())["validation"][0]
    assert len(contest) == len(table) == len(listed) == len(boxes["box"]) > 1
    assert {row["seriesuid"] for row in contest} == {NAME}
    for row, one, box in zip(contest, listed, boxes["box"], strict=True):
        point = world([row])[0]
        np.testing.assert_allclose([*one["world"], one["diameter_mm"]], point, atol=1e-3)
        np.testing.assert_allclose(box, [*point[:3], *[point[3]] * 3], atol=1e-3)
        assert one["probability"] == float(row["probability"])
        column, line, index = (point[:3] - (-80, -50, -300)) / 2  # write_chests' origin and spacing
        np.testing.assert_allclose(one["voxel"], [line, column, index], atol=1e-3)
        assert (one["x"], one["y"], one["slice_number"]) == (round(column), round(line), round(index) + 1)
    probabilities = [float(row["probability"]) for row in contest]
    assert probabilities == sorted(probabilities, reverse=True)
    lines = (results / NAME / f"{NAME}_nodules.txt").read_text().splitlines()
    one = listed[0]
    first = f"1  slice {one['slice_number']}  {one['probability']:.6f}  [{one['x']}, {one['y']}]"
    assert lines[2] == first
    assert len(rows_of(chests_dir / "annotations.csv")) == 7


def test_the_masks_lie_on_the_native_grid(results):
    mask = nib.load(results / NAME / f"{NAME}_nodules.nii.gz")
    assert mask.shape == (80, 64, 44)
    np.testing.assert_allclose(mask.affine, [[-2, 0, 0, 80], [0, -2, 0, 50], [0, 0, 2, -300], [0, 0, 0, 1]])
    [first] = rows_of(results / "nodules.csv")[:1]
    centre, diameter = world([first])[0, :3], float(first["diameter_mm"])
    voxel = np.rint((centre - (-80, -50, -300)) / 2).astype(int)
    assert np.asarray(mask.dataobj)[tuple(voxel)] == 1
    volume = (np.asarray(mask.dataobj) == 1).sum() * 8
    assert volume == pytest.approx(np.pi / 6 * diameter**3, rel=0.35)
    lungs = np.asarray(nib.load(results / NAME / f"{NAME}_lungs.nii.gz").dataobj)
    assert lungs.shape == mask.shape
    assert lungs[22, 32, 22] == 1  # the smaller x is the patient's right


def _oblique(hu, affine):
    """The chest on a grid turned about all three axes."""
    angles = np.radians([6.0, -8, 5])
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        one[i, i] = one[j, j] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    made = np.eye(4)
    made[:3, :3] = turn @ affine[:3, :3]
    shape = np.array([76, 96, 60])
    middle = affine[:3, :3] @ ((np.array(hu.shape) - 1) / 2) + affine[:3, 3]
    made[:3, 3] = middle - made[:3, :3] @ ((shape - 1) / 2)
    back = np.linalg.inv(affine) @ made
    turned = ndimage.affine_transform(
        hu.astype(np.float32), back[:3, :3], back[:3, 3], output_shape=tuple(shape), order=1, cval=-1000
    )
    return np.rint(turned).astype(np.int16), made


def _write_forms(folder, hu, affine):
    """The chest as .mhd, .mha, NIfTI along other axes and oblique, and DICOM."""
    folder.mkdir()
    slices = np.ascontiguousarray(hu.transpose(2, 0, 1))
    write_mhd(folder / "a.mhd", slices, spacing=(2, 2, 2), origin=(-80, -50, -300))
    header = (folder / "a.mhd").read_text().replace("ElementDataFile = a.raw", "ElementDataFile = LOCAL")
    (folder / "b.mha").write_bytes(header.encode() + slices.astype("<i2").tobytes())
    turned = affine[:, [2, 0, 1, 3]].copy()
    turned[:3, 3] += turned[:3, 1] * (hu.shape[0] - 1)  # slices first, rows from the last to the first
    turned[:3, 1] *= -1
    nib.save(nib.Nifti1Image(np.moveaxis(hu, -1, 0)[:, ::-1], turned), folder / "c.nii.gz")
    nib.save(nib.Nifti1Image(*_oblique(hu, affine)), folder / "d.nii.gz")
    options = {"study": "e", "series": "e", "patient": "SECRET", "description": "Chest", "kernel": "B60f"}
    write_dicom_series(
        folder / "SECRET", hu, spacing_mm=(2, 2, 2), edit=lambda data, index: _at(data, hu), **options
    )


def _at(data, hu):
    """Put a slice where the MetaImage has it."""
    x, y, z = (float(value) for value in data.ImagePositionPatient)
    data.ImagePositionPatient = [
        f"{value:.6f}" for value in (x + hu.shape[1] - 1 - 80, y + hu.shape[0] - 1 - 50, z - 300)
    ]
    data.BodyPartExamined = "CHEST"


@pytest.fixture(scope="module")
def forms(chests_dir, trained_lung, tmp_path_factory):
    """Folder of scans, and folder of their results."""
    root = tmp_path_factory.mktemp("forms")
    _write_forms(root / "scans", *chest(chests_dir))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        infer(root / "scans", trained_lung / "models", root / "results", outputs=OUTPUTS)
    return root


def test_the_same_chest_in_any_form_gives_the_same_points(forms, results):
    reference = rows_of(results / "predictions.csv")
    found = rows_of(forms / "results" / "predictions.csv")
    names = list(dict.fromkeys(row["seriesuid"] for row in found))
    assert len(names) == 5
    for name in names:
        rows = [row for row in found if row["seriesuid"] == name]
        exact = name != "d"  # resampled, and cut by another box
        np.testing.assert_allclose(world(rows[:1]), world(reference[:1]), atol=0.01 if exact else 4)
        scores = [float(one[0]["probability"]) for one in (rows, reference)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-3 if exact else 0.2)


def test_masks_keep_the_scans_own_axes(forms):
    for name in "cd":
        scan = nib.load(forms / "scans" / f"{name}.nii.gz")
        mask = nib.load(forms / "results" / name / f"{name}_nodules.nii.gz")
        assert mask.shape == scan.shape
        np.testing.assert_allclose(mask.affine, scan.affine, atol=1e-4)


def test_a_dicom_series_gets_a_structured_report_without_the_patients_name(forms):
    [path] = (forms / "results").rglob("*_report.dcm")
    report = pydicom.dcmread(path)
    assert report.SOPClassUID.name == "Comprehensive 3D SR Storage"
    study = report.StudyInstanceUID
    assert path.parent.name == study
    rows = [row for row in rows_of(forms / "results" / "nodules.csv") if row["study"] == study]
    np.testing.assert_allclose(list(_points(report)), world(rows)[:, :3], atol=1e-3)
    for path in (forms / "results").rglob("*"):
        assert "SECRET" not in path.name
        if path.suffix in {".csv", ".html", ".json", ".txt", ".dcm"}:
            assert b"SECRET" not in path.read_bytes()


def _points(item):
    """Graphic data of an SR's points, in order."""
    if "GraphicData" in item:
        yield list(item.GraphicData)
    for child in item.get("ContentSequence", ()):
        yield from _points(child)


def test_a_datalist_of_all_forms_trains(forms, chests_dir, tmp_path):
    """Labels in the world fit each form; the DICOM series is named by its folder."""
    rows = truth(chests_dir, NAME).tolist()
    images = ["a.mhd", "b.mha", "c.nii.gz", "d.nii.gz", "SECRET"]
    items = [{"image": image, "patient": image, "label": {"nodules": rows}} for image in images]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items[:4], "validation": items[4:]}))
    given = {"datalist": str(tmp_path / "datalist.json")}
    train(forms / "scans", tmp_path / "model", **given)
    assert (tmp_path / "model" / "models" / "model.pt").is_file()


def test_one_bad_scan_does_not_stop_the_others(chests_dir, trained_lung, tmp_path):
    scans = tmp_path / "scans"
    hu, _ = chest(chests_dir)
    slices = hu.transpose(2, 0, 1)
    place = {"spacing": (2, 2, 2), "origin": (-80, -50, -300)}
    write_mhd(scans / "good.mhd", slices, **place)
    write_mhd(scans / "cut.mhd", slices, **place)
    (scans / "cut.raw").write_bytes((scans / "cut.raw").read_bytes()[:-100])
    noise = np.random.default_rng(0).normal(0, 20, slices.shape)
    solid = np.where(slices < -500, -1000, slices).astype(np.int16)
    solid[:, 8:-8, 6:-6] = noise[:, 8:-8, 6:-6] + 40
    write_mhd(scans / "leg.mhd", solid, **place)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        infer(scans, trained_lung / "models", tmp_path / "out")
    assert "2 of 3" in fault(caught.value)
    assert {row["seriesuid"] for row in rows_of(tmp_path / "out" / "predictions.csv")} == {"good"}
    reasons = {row["name"]: row["reason"] for row in rows_of(tmp_path / "out" / "refusals.csv")}
    assert set(reasons) == {"cut", "leg"}
    assert "no lung in the field of view" in reasons["leg"]
    assert [row["status"] for row in rows_of(tmp_path / "out" / "cases.csv")].count("refused") == 2
