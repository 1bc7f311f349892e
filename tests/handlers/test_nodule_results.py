# SPDX-License-Identifier: Apache-2.0
"""Nodule results on disk, from an evaluator of one scan at a time."""

from __future__ import annotations

import csv
import json
import re

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from pydicom import dcmread
from torch import nn

from tests.data.dicom.ct_sources import all_text
from tests.data.nodules.cases import GRID, GRID_SHAPE, NATIVE, NATIVE_SHAPE, WORLD, make_image, make_lungs
from tests.handlers.ranks import Ranks, engine_of, files_of
from tomobundles.data import LoadVolumed
from tomobundles.data.nodules.writers import CASE_FORMS
from tomobundles.data.phantoms.dicom_series import write_dicom_series
from tomobundles.data.study_result import StudyRefusal
from tomobundles.data.volumes.batch import collate_one
from tomobundles.handlers import nodule_results
from tomobundles.handlers.nodule_results import NoduleResultsHandler
from tomobundles.utils import InputError
from tomobundles.utils.world import world_to_voxel

ALL = ["contest_csv", *CASE_FORMS]
SCORES = [0.875, 0.75, 0.25]
PLANTED = {
    "PatientName": "Planted^Erika",
    "PatientID": "PID-QX47",
    "PatientBirthDate": "19610203",
    "StudyDate": "19990909",
    "AccessionNumber": "ACC4711",
    "InstitutionName": "Kollnburg Hospital",
}
SECRETS = ["erika", "planted", "qx47", "19610203", "19990909", "acc4711", "kollnburg"]


class OnGrid:
    """Stands for the chain: whatever the file holds, the lung grid of the small case."""

    def __init__(self, *, load=None, lungs=True):
        self.load, self.lungs = load, lungs

    def __call__(self, data):
        result = dict(data)
        meta = {"form": "metaimage", "axes": "XYZ", "slice_names": [str(k) for k in range(NATIVE_SHAPE[2])]}
        meta |= {"filename_or_obj": str(data["image"])}
        native, shape = torch.from_numpy(NATIVE), NATIVE_SHAPE
        if self.load is not None:
            image = self.load(data)["image"]
            meta, native, shape = dict(image.meta), image.affine, tuple(image.shape[1:])
        meta |= {"native_affine": native, "native_shape": shape}
        meta.pop("affine", None)
        result["image"] = grid(make_image(), meta)
        if not self.lungs:
            return result
        quality = {"level_hu": -400, "volumes_ml": [21.5, 20.25], "warnings": ["small"]}
        none = {"nodules": np.empty((0, 4)), "excluded": np.empty((0, 4))}
        return none | result | {"lungs": grid(make_lungs(), {}), "lung_quality": quality}


def grid(array, meta):
    return MetaTensor(torch.from_numpy(array)[None], affine=torch.from_numpy(GRID), meta=meta)


READ = OnGrid(load=LoadVolumed("image"))


def infer(inputs, _network):
    return {"probability": torch.tensor(SCORES), "detector": torch.tensor(SCORES)}


def to_world(data):
    data = dict(data)
    native = np.asarray(data["image"].meta["native_affine"])
    voxel = torch.from_numpy(world_to_voxel(WORLD[:, :3], native))
    data["pred"] = data["pred"] | {"world": torch.from_numpy(WORLD), "voxel": voxel}
    return data


def run(items, handler, *, chain=None, batched=False, inferer=infer, times=1, ranks=None):
    data, (engine, sampler) = Dataset(items, chain or OnGrid()), engine_of(ranks)
    evaluator = engine(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, collate_fn=collate_one, sampler=sampler(data)),
        network=nn.Identity(),
        prepare_batch=lambda batch, *_, **__: (batch["image"][None] if batched else batch["image"], None),
        inferer=inferer,
        postprocessing=to_world,
        val_handlers=[handler],
        decollate=False,
    )
    for _ in range(times):
        evaluator.run()
    return handler


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_result_of_a_scan(tmp_path):
    run([{"image": "x/1.3.6.mhd", "patient": "P"}], NoduleResultsHandler(tmp_path, outputs=ALL))
    assert tree(tmp_path) == [
        "1.3.6/1.3.6.html",
        "1.3.6/1.3.6_boxes.json",
        "1.3.6/1.3.6_lung_quality.json",
        "1.3.6/1.3.6_lungs.nii.gz",
        "1.3.6/1.3.6_nodules.json",
        "1.3.6/1.3.6_nodules.nii.gz",
        "1.3.6/1.3.6_nodules.png",
        "1.3.6/1.3.6_nodules.txt",
        "cases.csv",
        "nodules.csv",
        "predictions.csv",
    ]  # what is for DICOM is left to DICOM, and there are no refusals


@pytest.mark.parametrize("batched", [False, True])
def test_numbers_in_the_tables(tmp_path, batched):
    item = {"image": "x/1.3.6.mhd", "patient": "P", "nodules": torch.from_numpy(WORLD[[0]])}
    run(
        [item],
        NoduleResultsHandler(tmp_path, outputs=["contest_csv"], report_probability=0.5),
        batched=batched,
    )
    predictions = rows(tmp_path / "predictions.csv")
    assert [row["probability"] for row in predictions] == ["0.875", "0.75", "0.25"]
    assert [float(predictions[0][key]) for key in ("coordX", "coordY", "coordZ", "diameter_mm")] == [
        3,
        2,
        -95,
        8,
    ]
    nodules = rows(tmp_path / "nodules.csv")
    assert [(row["rank"], row["slice_number"], row["reference"]) for row in nodules] == [
        ("1", "10", "1"),
        ("2", "15", "0"),
    ]  # the third is below the probability from which they are reported
    [case] = rows(tmp_path / "cases.csv")
    assert (case["name"], case["patient"], case["seriesuid"], case["status"]) == ("1.3.6", "P", "1.3.6", "ok")
    assert (case["candidates"], case["reported"], case["nodules"], case["found"]) == ("3", "2", "2", "1")
    assert (case["right_lung_ml"], case["left_lung_ml"], case["warnings"]) == ("21.5", "20.25", "small")
    assert float(case["seconds"]) < 60
    assert tree(tmp_path) == ["cases.csv", "nodules.csv", "predictions.csv"]


def test_the_native_grid_is_that_of_the_file(tmp_path):
    run([{"image": "a.mhd"}], NoduleResultsHandler(tmp_path, outputs=["mask"], mask_probability=0.1))
    image = nib.load(tmp_path / "a" / "a_nodules.nii.gz")
    assert image.shape == (44, 32, 24)
    assert [int(image.dataobj[24, 16, 9]), int(image.dataobj[31, 12, 17])] == [1, 3]


def test_a_nifti_goes_back_in_its_own_order_of_axes(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((24, 44, 32), np.int16), NATIVE[:, [2, 1, 0, 3]]), tmp_path / "a.nii")
    handler = NoduleResultsHandler(tmp_path / "out", outputs=["mask", "boxes"])
    chain = OnGrid(load=LoadVolumed("image", axes="ZXY"))
    run([{"image": str(tmp_path / "a.nii")}], handler, chain=chain)
    image = nib.load(tmp_path / "out" / "a" / "a_nodules.nii.gz")
    assert image.shape == (24, 44, 32)
    np.testing.assert_allclose(image.affine, NATIVE[:, [2, 1, 0, 3]])
    boxes = json.loads((tmp_path / "out" / "a" / "a_boxes.json").read_text())
    assert boxes["validation"][0]["image"] == "a.nii"


def test_a_second_stage_and_a_mask(tmp_path):
    def two_stages(inputs, network):
        mask = torch.zeros((1, *GRID_SHAPE), dtype=torch.uint8)
        mask[:, 20:26, 26:31, 33:39] = 1
        return infer(inputs, network) | {"classifier": torch.tensor([0.5, 0.25, 0.125]), "mask": mask}

    handler = NoduleResultsHandler(tmp_path, outputs=["mask", "ranked"], model="small")
    run([{"image": "a.mhd", "seriesuid": "LKDS-00001"}], handler, inferer=two_stages)
    record = json.loads((tmp_path / "a" / "a_nodules.json").read_text())
    assert [one["classifier"] for one in record["nodules"]] == [0.5, 0.25, 0.125]
    assert (record["seriesuid"], record["model"]) == ("LKDS-00001", "small")
    assert set(record["seconds"]) == {"load and prepare", "network"}
    stored = np.asanyarray(nib.load(tmp_path / "a" / "a_nodules.nii.gz").dataobj)
    assert set(np.unique(stored)) == {0, 1}  # no sphere is drawn where the network segments


def test_scans_without_a_lung_mask(tmp_path):
    handler = NoduleResultsHandler(tmp_path, outputs=["lungs", "html"])
    run([{"image": "a.mhd"}], handler, chain=OnGrid(lungs=False))
    assert tree(tmp_path) == ["a/a.html", "cases.csv", "nodules.csv"]


def test_a_scan_is_on_disk_before_the_next_one(tmp_path, monkeypatch):
    seen = []
    write = nodule_results.write_case

    def watch(case, folder, **options):
        seen.append((case.name, tree(tmp_path)))
        return write(case, folder, **options)

    monkeypatch.setattr(nodule_results, "write_case", watch)
    handler = NoduleResultsHandler(tmp_path, outputs=["contest_csv", "boxes"])
    run([{"image": "a.mhd"}, {"image": "b.mhd"}], handler)
    assert seen == [("a", []), ("b", ["a/a_boxes.json", "predictions.csv"])]
    assert [row["seriesuid"] for row in rows(tmp_path / "predictions.csv")] == ["a"] * 3 + ["b"] * 3


def test_names_are_distinct(tmp_path):
    items = [
        {"image": "x/a.mhd"},
        {"image": "y/a.mhd"},
        {"image": "y/a.mhd"},
        {"image": "z.mhd", "name": "n"},
    ]
    run(items, NoduleResultsHandler(tmp_path, outputs=["boxes"]))
    names = [row["name"] for row in rows(tmp_path / "cases.csv")]
    assert names == ["x_a", "y_a", "y_a_2", "n"]
    assert [row["patient"] for row in rows(tmp_path / "cases.csv")] == [*names[:2], "y_a", "n"]


def test_each_run_starts_anew(tmp_path):
    (tmp_path / "refusals.csv").write_text("of an earlier run")
    run([{"image": "a.mhd"}], NoduleResultsHandler(tmp_path, outputs=["contest_csv"]), times=2)
    assert len(rows(tmp_path / "cases.csv")) == 1
    assert tree(tmp_path) == ["cases.csv", "nodules.csv", "predictions.csv"]


def test_a_network_that_gives_nan_costs_one_scan_not_all(tmp_path):
    def diverged(inputs, network):
        broken = "bad" in inputs.meta["filename_or_obj"]
        return {key: value * (float("nan") if broken else 1) for key, value in infer(inputs, network).items()}

    handler = NoduleResultsHandler(tmp_path, outputs=["contest_csv", "boxes"])
    with pytest.raises(InputError, match="1 of 2 scans were refused, the others have their results"):
        run([{"image": "bad.mhd", "patient": "P"}, {"image": "good.mhd"}], handler, inferer=diverged)
    found = {row["name"]: row for row in rows(tmp_path / "cases.csv")}
    assert {name: row["status"] for name, row in found.items()} == {"good": "ok", "bad": "refused"}
    assert "NaN" in found["bad"]["reason"]
    assert [row["patient"] for row in rows(tmp_path / "refusals.csv")] == ["P"]
    assert {row["seriesuid"] for row in rows(tmp_path / "predictions.csv")} == {"good"}


REFUSED = [
    StudyRefusal(name="1.2.3", reason="no lung in it", patient="1.2.3", study_uid="1.2.3"),
    StudyRefusal(name="b", reason="NaN", patient="P"),
]


def test_refused_scans_are_recorded_and_end_the_run_when_all_is_written(tmp_path):
    with pytest.raises(InputError) as caught:
        run([{"image": "a.mhd"}], NoduleResultsHandler(tmp_path, outputs=["boxes"], refused=REFUSED))
    assert str(caught.value).splitlines() == [
        str(tmp_path / "refusals.csv"),
        "2 of 3 scans were refused, the others have their results",
        "the table says why",
    ]
    assert [row["reason"] for row in rows(tmp_path / "refusals.csv")] == ["no lung in it", "NaN"]
    assert [row["status"] for row in rows(tmp_path / "cases.csv")] == ["ok", "refused", "refused"]


def test_nothing_inferred(tmp_path):
    NoduleResultsHandler(tmp_path / "out")._finish()
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="2 of 2 scans were refused"):
        NoduleResultsHandler(tmp_path / "out", refused=REFUSED)._finish()
    assert rows(tmp_path / "out" / "predictions.csv") == rows(tmp_path / "out" / "nodules.csv") == []


def dicom_study(folder, *, series="one"):
    """Write a series whose header, folder and file names all name the patient."""

    def plant(data, _index):
        for keyword, value in PLANTED.items():
            setattr(data, keyword, value)

    place = folder / "PLANTED_ERIKA_QX47" / series
    hu = np.random.default_rng(0).integers(-900, 90, (32, 44, 12)).astype(np.int16)
    write_dicom_series(place, hu, spacing_mm=(1.5, 1.25, 5.0), series=series, edit=plant)
    for file in place.glob("*.dcm"):
        file.rename(file.with_name(f"Erika_{file.name}"))
    return place


def content(path):
    """All text of a file in lower case; of packed ones what is in them."""
    if path.suffix == ".dcm":
        return all_text(path).lower()
    if path.suffix == ".gz":
        image = nib.load(path)
        return str({key: image.header[key] for key in image.header}).lower()
    if path.suffix == ".png":
        return ""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text()).lower()


@pytest.fixture
def dicom_run(tmp_path):
    source = dicom_study(tmp_path)
    item = {"image": str(source), "patient": "Erika", "seriesuid": "Erika", "name": "Erika"}
    run([item], NoduleResultsHandler(tmp_path / "out", outputs=ALL, report_probability=0.5), chain=READ)
    return source, tmp_path / "out"


def test_a_dicom_series_goes_by_its_uids_and_the_patient_is_nowhere(dicom_run):
    source, out = dicom_run
    header = dcmread(next(source.iterdir()))
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"out", header.StudyInstanceUID}
    assert len(files) == 12
    for path in files:
        text = content(path) + str(path.relative_to(out)).lower()
        assert not [secret for secret in SECRETS if secret in text], path
    [case] = rows(out / "cases.csv")
    assert (case["patient"], case["seriesuid"]) == (header.StudyInstanceUID, header.SeriesInstanceUID)
    assert {row["seriesuid"] for row in rows(out / "predictions.csv")} == {header.SeriesInstanceUID}


def test_the_report_has_the_points_of_the_table(dicom_run):
    source, out = dicom_run
    [path] = out.rglob("*.dcm")
    found = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    table = rows(out / "nodules.csv")
    assert len(found) == len(table) == 2
    for group, row in zip(found, table, strict=True):
        expected = [float(row[key]) for key in ("coordX", "coordY", "coordZ")]
        np.testing.assert_allclose(group.roi.value[0], expected, atol=1e-3)
        assert group.get_measurements()[0].value == float(row["diameter_mm"])
        uid = group.get_measurements()[0].referenced_images[0].referenced_sop_instance_uid
        record = json.loads(next(out.rglob("*_nodules.json")).read_text())
        assert uid == record["nodules"][int(row["rank"]) - 1]["slice_name"]
    assert group.roi.frame_of_reference_uid == dcmread(next(source.iterdir())).FrameOfReferenceUID


def test_a_further_series_of_a_study(tmp_path):
    places = [dicom_study(tmp_path, series=name) for name in ("one", "two")]
    items = [{"image": str(place)} for place in places]
    run(items, NoduleResultsHandler(tmp_path / "out", outputs=["boxes"]), chain=READ)
    headers = [dcmread(next(place.iterdir())) for place in places]
    names = [row["name"] for row in rows(tmp_path / "out" / "cases.csv")]
    assert names == [headers[0].StudyInstanceUID, headers[1].SeriesInstanceUID]


def test_named_files_of_the_series_are_taken(tmp_path):
    source = dicom_study(tmp_path)
    files = sorted(str(file) for file in source.iterdir())
    handler = NoduleResultsHandler(tmp_path / "out", outputs=["structured_report"], identified=True)
    run([{"image": str(source), "files": files}], handler, chain=READ)
    [path] = (tmp_path / "out").rglob("*.dcm")
    assert dcmread(path).PatientID == "PID-QX47"


def test_a_report_that_cannot_be_written_costs_one_scan(tmp_path):
    source = dicom_study(tmp_path)
    item = {"image": str(source), "files": sorted(str(file) for file in source.iterdir())}
    handler = NoduleResultsHandler(tmp_path / "out", outputs=["structured_report"])
    with pytest.raises(InputError, match="1 of 1 scans were refused"):
        run(
            [item | {"files": [str(file) for file in source.iterdir()]}],
            handler,
            chain=READ,
            inferer=_remove(source),
        )


def _remove(folder):
    def inferer(inputs, network):
        for file in folder.iterdir():
            file.unlink()
        return infer(inputs, network)

    return inferer


ITEMS = [{"image": f"x/{name}.mhd", "patient": "P"} for name in ("a", "b", "nan", "a", "c")]
EARLIER = [StudyRefusal(name="1.2.3", reason="1 slice missing", patient="1.2.3")]


def infer_but_one(inputs, network):
    found = infer(inputs, network)
    return found | {"probability": found["probability"] * np.nan} if "nan" in _source(inputs) else found


def _source(inputs):
    return inputs.meta["filename_or_obj"]


def without_times(folder):
    """Files of a folder, and cases.csv without its column of seconds."""
    files = files_of(folder)
    cases = [{**row, "seconds": ""} for row in rows(folder / "cases.csv")]
    return files | {"cases.csv": cases}


@pytest.mark.parametrize("size", [2, 6])
def test_ranks_write_the_files_of_one_process(tmp_path, monkeypatch, size):
    options = {"outputs": ["contest_csv", "boxes"], "refused": EARLIER}
    with pytest.raises(InputError, match="2 of 6 scans were refused"):
        run(ITEMS, NoduleResultsHandler(tmp_path / "one", **options), inferer=infer_but_one)
    out = tmp_path / "several"
    out.mkdir()
    for name in ("predictions.csv", "predictions.part7.csv", "cases.csv"):
        (out / name).write_text("of an earlier run")
    ranks = Ranks(monkeypatch, size, [nodule_results])
    handlers = [NoduleResultsHandler(out, **options) for _ in range(size)]
    first, *others = ranks.run(lambda rank: run(ITEMS, handlers[rank], inferer=infer_but_one, ranks=ranks))
    assert "2 of 6 scans were refused" in str(first)
    assert others == handlers[1:]
    assert without_times(out) == without_times(tmp_path / "one")
    assert [row["name"] for row in rows(out / "cases.csv")] == ["a", "b", "a_2", "c", "1.2.3", "nan"]


def test_each_rank_keeps_its_candidates_so_far(tmp_path, monkeypatch):
    """The run is cut off before rank 0 writes the table of all."""
    ranks = Ranks(monkeypatch, 2, [nodule_results])
    monkeypatch.setattr(NoduleResultsHandler, "_finish", lambda _self: None)
    handlers = [NoduleResultsHandler(tmp_path, outputs=["contest_csv"]) for _ in range(2)]
    ranks.run(lambda rank: run(ITEMS[:3], handlers[rank], ranks=ranks))
    assert tree(tmp_path) == ["predictions.part0.csv", "predictions.part1.csv"]
    found = [[row["seriesuid"] for row in rows(tmp_path / f"predictions.part{rank}.csv")] for rank in (0, 1)]
    assert found == [["a"] * 3 + ["nan"] * 3, ["b"] * 3]


def test_unknown_output(tmp_path):
    with pytest.raises(InputError, match=r"(?s)unknown output 'pdf'.*ranked.*contest_csv"):
        NoduleResultsHandler(tmp_path, outputs=["pdf"])


def test_a_probability_out_of_range(tmp_path):
    with pytest.raises(InputError, match="report_probability is 2"):
        NoduleResultsHandler(tmp_path, report_probability=2)


def test_several_scans_at_once_are_refused():
    with pytest.raises(InputError, match="a batch of 2 scans"):
        nodule_results._single([{}, {}])
    assert nodule_results._single([{"a": 1}]) == {"a": 1}
