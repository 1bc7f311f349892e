# SPDX-License-Identifier: Apache-2.0
"""Results of studies on disk, from an evaluator that loads them as inference does."""

from __future__ import annotations

import csv
import re

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose
from PIL import Image
from pydicom import dcmread
from torch import nn

from tests.data.dicom.ct_sources import all_text
from tests.handlers.ranks import Ranks, engine_of, files_of
from tests.helpers import write_slices
from tomobundles.data import CLASSES, LoadSliceLabelsd, LoadVolumed, collate_volumes, find_studies
from tomobundles.data.phantoms.dicom_series import write_dicom_series
from tomobundles.data.study_dicom import DICOM_FORMS
from tomobundles.data.study_result import StudyRefusal
from tomobundles.data.study_writers import STUDY_FORMS
from tomobundles.handlers import StudyResultsHandler, study_results
from tomobundles.metrics import Calibration
from tomobundles.transforms import SlicePosteriorsd
from tomobundles.utils import InputError

ALL = [*STUDY_FORMS, *DICOM_FORMS, "contest", "rsna"]
DEPTH = 4
# (H, W, D) HU of a head that is no head; rows, columns and slices differ
HU = np.random.default_rng(0).integers(-20, 90, (20, 16, DEPTH)).astype(np.int16)
# SDH has a score of 0.75 in slice 1 and of 0.25 with its neighbours; IPH 0.5 in slice 2; all others 0.01
SCORES = np.full((2, 5, DEPTH), 0.01, np.float32)
SCORES[:, 0, 2], SCORES[0, 3, 1], SCORES[1, 3, 1] = 0.5, 0.75, 0.25
PLANTED = dict(  # noqa: C408
    PatientName="Planted^Erika",
    PatientID="PID-0815",
    PatientBirthDate="19610203",
    StudyDate="19990909",
    AccessionNumber="ACC4711",
    StudyID="SID99",
    InstitutionName="Kollnburg Hospital",
    ReferringPhysicianName="Quack^Doctor",
    SeriesDescription="head of Erika",
    StudyDescription="fall of Erika",
    PatientComments="mother of Zacharias",
)
SECRETS = [
    "erika",
    "planted",
    "0815",
    "19610203",
    "19990909",
    "acc4711",
    "sid99",
    "kollnburg",
    "quack",
    "zacharias",
]


def logits_of(scores):
    return torch.logit(torch.from_numpy(scores))


def infer(inputs, _network):
    depth = inputs.shape[-1]
    own, context = (logits_of(one)[None, :, torch.arange(depth) % DEPTH] for one in SCORES)
    return {"logits": own, "context_logits": context, "cam": torch.ones(1, 5, 5, 4, depth)}


def run(items, handler, *, labels=False, times=1, ranks=None, inferer=infer):
    steps = [LoadVolumed("image")] + ([LoadSliceLabelsd()] if labels else [])
    data, (engine, sampler) = Dataset(items, Compose(steps)), engine_of(ranks)
    evaluator = engine(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, collate_fn=collate_volumes, sampler=sampler(data)),
        network=nn.Identity(),
        inferer=inferer,
        postprocessing=SlicePosteriorsd(),
        val_handlers=[handler],
    )
    for _ in range(times):
        evaluator.run()
    return handler


def jpg_study(folder, *, name="head"):
    volume = np.moveaxis(HU + 100, -1, 0).astype(np.uint8)
    return {"image": str(write_slices(folder / name, volume, suffix=".png")), "patient": f"of {name}"}


def nifti_study(path, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(
        nib.Nifti1Image(HU.transpose(1, 0, 2), np.diag([0.5, 0.75, 5, 1]) if affine is None else affine), path
    )
    return {"image": str(path)}


def dicom_study(folder, *, tilt_deg=0.0, series="one", study="study", **changes):
    """Write a series whose header, folder and file names all name the patient."""

    def plant(data, _index):
        for keyword, value in (PLANTED | changes).items():
            setattr(data, keyword, value)

    place = folder / "PLANTED_ERIKA_0815" / series
    write_dicom_series(
        place, HU, spacing_mm=(0.5, 0.5, 5.0), tilt_deg=tilt_deg, series=series, study=study, edit=plant
    )
    for file in place.glob("*.dcm"):
        file.rename(file.with_name(f"Erika_{file.name}"))
    return place


def results_of(handler):
    return [result for _, result in handler._results]


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def handler_of(folder, **options):
    return StudyResultsHandler(folder, CLASSES, **options)


def test_every_result_of_a_folder_of_images(tmp_path):
    out = tmp_path / "out"
    run([jpg_study(tmp_path)], handler_of(out, outputs=ALL))
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == [
        "head/head.html",
        "head/head_IPH_heatmap.nii.gz",
        "head/head_SDH_heatmap.nii.gz",
        "head/head_key_slices.png",
        "head/head_patient.csv",
        "head/head_score_map.png",
        "head/head_slices.csv",
        "patients.csv",
        "slices.csv",
        "submission_contest.csv",
        "submission_rsna.csv",
    ]  # what is for DICOM is left to DICOM, and there are no refusals


def test_numbers_in_the_tables(tmp_path):
    out = tmp_path / "out"
    run([jpg_study(tmp_path)], handler_of(out, outputs=["csv"]))
    table = rows(out / "slices.csv")
    assert [row["slice"] for row in table] == ["0", "1", "2", "3"]
    assert table == rows(out / "head" / "head_slices.csv")
    # the identity cut at 0.2: SDH is 0.75 alone and 0.25 in context; IPH 0.5 in both
    assert [float(table[1][f"SDH_{kind}"]) for kind in ("raw", "context", "calibrated")] == pytest.approx(
        [0.75, 0.25, 0.25]
    )
    assert [row["SDH_decision"] for row in table] == ["0", "1", "0", "0"]
    assert [row["IPH_decision"] for row in table] == ["0", "0", "1", "0"]
    # any is 1 - prod(1 - p): 1 - 0.5 * 0.99^4 in slice 2
    assert float(table[2]["any_context"]) == pytest.approx(1 - 0.5 * 0.99**4, rel=1e-4)
    [patient] = rows(out / "patients.csv")
    assert (patient["name"], patient["patient"], patient["status"]) == ("head", "of head", "ok")
    assert float(patient["IPH_probability"]) == pytest.approx(0.5)
    assert patient["IPH_decision"] == "1"
    assert patient["EDH_decision"] == "0"


def test_a_calibration_decides(tmp_path):
    calibration = Calibration.identity(CLASSES, threshold=0.4)
    handler = handler_of(tmp_path / "out", outputs=["csv", "html"], calibration=calibration, model="asl")
    run([jpg_study(tmp_path)], handler)
    table = rows(tmp_path / "out" / "slices.csv")
    assert [row["SDH_decision"] for row in table] == ["0", "0", "0", "0"]
    [patient] = rows(tmp_path / "out" / "patients.csv")
    assert patient["SDH_n_smoothed_away"] == "1"  # the slice alone is at 0.75
    assert "asl; calibrated on nothing" in (tmp_path / "out" / "head" / "head.html").read_text()


def test_unknown_output(tmp_path):
    with pytest.raises(InputError, match=r"(?s)unknown output 'pdf'.*heatmaps.*structured_report.*rsna"):
        handler_of(tmp_path, outputs=["csv", "pdf"])


def test_tables_of_all_studies(tmp_path):
    out = tmp_path / "out"
    items = [
        jpg_study(tmp_path),
        nifti_study(tmp_path / "a.nii.gz"),
        nifti_study(tmp_path / "x" / "a.nii.gz"),
    ]
    run(items, handler_of(out, outputs=["contest", "rsna"]))
    names = ["head", f"{tmp_path.name}_a", "x_a"]
    patients = rows(out / "patients.csv")
    assert [row["name"] for row in patients] == names
    assert [row["patient"] for row in patients] == ["of head", *names[1:]]
    assert len(rows(out / "slices.csv")) == 3 * DEPTH
    # slices of all three are called by numbers: in submissions they go behind their study's name
    contest = rows(out / "submission_contest.csv")
    assert len(contest) == 3 * DEPTH * 5
    assert [row["ID"] for row in contest[::20]] == ["head_1_ich", f"{names[1]}_0_ich", "x_a_0_ich"]
    assert [row["ID"] for row in contest if row["prediction"] == "1"][:2] == ["head_2_sdh", "head_3_ich"]
    rsna = {row["ID"]: float(row["Label"]) for row in rows(out / "submission_rsna.csv")}
    assert len(rsna) == 3 * DEPTH * 6
    assert rsna["ID_x_a_2_intraparenchymal"] == pytest.approx(0.5)
    assert not list(out.glob("*/*"))


def test_a_study_is_on_disk_before_the_next_one(tmp_path, monkeypatch):
    out = tmp_path / "out"
    seen = []
    write = study_results.write_study

    def watch(result, folder, **options):
        seen.append(sorted(path.name for path in out.glob("*/*.csv")))
        return write(result, folder, **options)

    monkeypatch.setattr(study_results, "write_study", watch)
    handler = run(
        [jpg_study(tmp_path, name="a"), jpg_study(tmp_path, name="b")], handler_of(out, outputs=["csv"])
    )
    assert seen == [[], ["a_patient.csv", "a_slices.csv"]]
    # and its pixels are not kept
    assert [result.image.shape for result in results_of(handler)] == [(1, 1, DEPTH)] * 2
    assert not [result for result in results_of(handler) if result.cam is not None]


def test_the_same_study_twice_is_not_overwritten(tmp_path):
    """As with the labels of two readers."""
    items = [jpg_study(tmp_path)] * 3
    run(items, handler_of(tmp_path / "out", outputs=["csv", "contest"]))
    assert [row["name"] for row in rows(tmp_path / "out" / "patients.csv")] == ["head", "head_2", "head_3"]
    assert len(list((tmp_path / "out").glob("*/*_slices.csv"))) == 3
    assert len(rows(tmp_path / "out" / "submission_contest.csv")) == 3 * DEPTH * 5


def test_each_run_starts_anew(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "refusals.csv").write_text("of an earlier run")
    run([jpg_study(tmp_path)], handler_of(tmp_path / "out", outputs=["csv"]), times=2)
    assert len(rows(tmp_path / "out" / "patients.csv")) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "head",
        "patients.csv",
        "slices.csv",
    ]


def infer_all_but_bright(inputs, network):
    """NaN where a volume's first voxel is 255."""
    found = infer(inputs, network)
    return found | {"logits": found["logits"] * np.nan} if inputs[0, 0, 0, 0, 0] == 255 else found


@pytest.mark.parametrize("size", [2, 6])
def test_ranks_write_the_files_of_one_process(tmp_path, monkeypatch, size):
    """Studies listed twice, one that is refused while it runs, two refused before, a rank without any."""
    bright = np.full((DEPTH, 20, 16), 255, np.uint8)
    broken = {"image": str(write_slices(tmp_path / "broken", bright, suffix=".png"))}
    items = [jpg_study(tmp_path), nifti_study(tmp_path / "x" / "a.nii.gz"), broken, jpg_study(tmp_path)]
    items.append({"image": str(dicom_study(tmp_path))})
    options = {"outputs": ["csv", "html", "contest", "rsna"], "refused": REFUSED}
    outs = {size: tmp_path / f"out{size}" for size in (1, size)}
    with pytest.raises(InputError, match="3 of 7 studies were refused"):
        run(items, handler_of(outs[1], **options), inferer=infer_all_but_bright)
    outs[size].mkdir()
    (outs[size] / "slices.csv").write_text("of an earlier run")
    ranks = Ranks(monkeypatch, size)

    def one(_rank):
        run(items, handler_of(outs[size], **options), inferer=infer_all_but_bright, ranks=ranks)

    first, *others = ranks.run(one)
    assert "3 of 7 studies were refused" in str(first)
    assert others == [None] * (size - 1)
    assert ranks.ended == [0]
    assert files_of(outs[size]) == files_of(outs[1])
    names = [row["name"] for row in rows(outs[1] / "patients.csv")]
    assert names[:3] == ["head", "a", "head_2"]
    assert names[4:] == ["1.2.3", "b", "broken"]


def test_tables_of_an_earlier_run_are_gone_while_one_runs(tmp_path):
    out = tmp_path / "out"
    handler = handler_of(out, outputs=["csv", "rsna"])
    run([jpg_study(tmp_path)], handler)

    def fails(inputs, network):
        assert sorted(path.name for path in out.iterdir()) == ["head"]
        raise RuntimeError("the network fails")

    with pytest.raises(RuntimeError, match="the network fails"):
        run([jpg_study(tmp_path)], handler, inferer=fails)


REFUSED = [
    StudyRefusal(name="1.2.3", reason="series 4: 1 slice missing", patient="1.2.3", study_uid="1.2.3"),
    StudyRefusal(name="b", reason="NaN", patient="P"),
]


def test_refused_studies_are_recorded_and_end_the_run_when_all_is_written(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError) as caught:
        run([jpg_study(tmp_path)], handler_of(out, outputs=["csv", "contest"], refused=REFUSED))
    assert str(caught.value).splitlines() == [
        str(out / "refusals.csv"),
        "2 of 3 studies were refused, the others have their results",
        "the table says why",
    ]
    assert [(row["name"], row["reason"]) for row in rows(out / "refusals.csv")] == [
        ("1.2.3", "series 4: 1 slice missing"),
        ("b", "NaN"),
    ]
    patients = rows(out / "patients.csv")
    assert [row["status"] for row in patients] == ["ok", "refused", "refused"]
    assert patients[2]["IPH_probability"] == ""
    assert len(rows(out / "slices.csv")) == DEPTH
    assert len(rows(out / "submission_contest.csv")) == DEPTH * 5


def test_nothing_inferred(tmp_path):
    handler_of(tmp_path / "out")._finish()
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="2 of 2 studies were refused"):
        handler_of(tmp_path / "out", refused=REFUSED)._finish()
    assert len(rows(tmp_path / "out" / "patients.csv")) == 2
    assert rows(tmp_path / "out" / "slices.csv") == []


def test_a_spacing_that_is_not_known_gives_no_positions(tmp_path):
    handler = run([jpg_study(tmp_path)], handler_of(tmp_path / "out", outputs=["csv"]))
    assert results_of(handler)[0].positions_mm is results_of(handler)[0].spacing is None
    assert {row["z_mm"] for row in rows(tmp_path / "out" / "slices.csv")} == {""}


def test_positions_of_a_volume_are_along_its_normal(tmp_path):
    # voxels of 0.5 x 0.75 mm; slices step 3 mm along z and 4 mm along y: 5 mm long, 3 mm along the normal
    affine = np.array([[0.5, 0, 0, 7], [0, 0.75, 4, 8], [0, 0, 3, 9], [0, 0, 0, 1.0]])
    handler = run(
        [nifti_study(tmp_path / "a.nii", affine)], handler_of(tmp_path / "out", outputs=["csv", "heatmaps"])
    )
    [result] = results_of(handler)
    assert [float(row["z_mm"]) for row in rows(tmp_path / "out" / "slices.csv")] == [0, 3, 6, 9]
    assert result.spacing == pytest.approx([0.75, 0.5, 5])  # rows, columns, slices
    heat = nib.load(tmp_path / "out" / "a" / "a_IPH_heatmap.nii.gz")
    np.testing.assert_allclose(heat.affine, affine)  # the shear is kept, in the file's own order of axes
    assert heat.shape == (16, 20, DEPTH)


def test_labels_are_shown_beside_the_scores(tmp_path):
    label = {"slices": {"2": {"SDH": 1}}}
    handler = run([jpg_study(tmp_path) | {"label": label}], handler_of(tmp_path / "out"), labels=True)
    [result] = results_of(handler)
    assert result.label.shape == (6, DEPTH)
    assert result.label[3, 1] == 1
    assert np.isnan(result.label[3, 0])
    assert "The reference is marked" in (tmp_path / "out" / "head" / "head.html").read_text()


def test_a_dicom_study_goes_by_its_uid_and_the_patient_is_nowhere(tmp_path):
    source = dicom_study(tmp_path)
    assert all(secret in content(next(source.iterdir())) for secret in SECRETS)
    dicom_study(tmp_path, series="bone", ConvolutionKernel="H60s")
    studies = find_studies(dataset_dir=tmp_path / "PLANTED_ERIKA_0815", check=LoadVolumed("image"))
    out = tmp_path / "out"
    handler = run(studies.items, handler_of(out, outputs=ALL))
    uid = dcmread(next(source.iterdir())).StudyInstanceUID
    [result] = results_of(handler)
    assert result.name == result.patient == result.study_uid == uid
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"out", uid}
    assert len(files) == 13
    assert {path.suffix for path in files} == {".csv", ".dcm", ".gz", ".html", ".png"}
    for path in files:
        text = content(path) + str(path.relative_to(out)).lower()
        assert not [secret for secret in SECRETS if secret in text], path
    table = rows(out / "slices.csv")
    slices = sorted(map(dcmread, source.iterdir()), key=lambda one: float(one.ImagePositionPatient[2]))
    assert [row["SOPInstanceUID"] for row in table] == [str(one.SOPInstanceUID) for one in slices]
    assert {row["patient"] for row in table} == {row["study"] for row in table} == {uid}
    assert {row["file"] for row in table} == {""}
    assert np.diff([float(row["z_mm"]) for row in table]) == pytest.approx([5, 5, 5])
    # the page says why this series was read, as found out when it was chosen among two
    page = (out / uid / f"{uid}.html").read_text()
    assert "the only sound candidate of 2 series" in page


def content(path):
    """All text of a file in lower case; of packed ones what is in them."""
    if path.suffix == ".dcm":
        return all_text(path).lower()
    if path.suffix == ".gz":
        image = nib.load(path)
        return str({key: image.header[key] for key in image.header}).lower()
    if path.suffix == ".png":
        return str(Image.open(path).info).lower()
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text()).lower()  # pictures, which have no words


@pytest.mark.parametrize("parts", [(), ("body part is CHEST, not HEAD",)])
def test_what_the_reader_noticed_is_on_the_page(tmp_path, parts):
    dicom_study(tmp_path, BodyPartExamined="CHEST" if parts else "HEAD")
    items = find_studies(dataset_dir=tmp_path).items
    handler = run(items, handler_of(tmp_path / "out", outputs=["html"]))
    [result] = results_of(handler)
    assert result.findings == list(parts)  # collating splits no sentence
    page = (tmp_path / "out" / result.name / f"{result.name}.html").read_text()
    assert ("Nothing was found to be unusual" in page) == (not parts)


def test_the_patient_is_copied_only_where_asked_for(tmp_path):
    dicom_study(tmp_path)
    items = find_studies(dataset_dir=tmp_path / "PLANTED_ERIKA_0815").items
    out = tmp_path / "out"
    run(items, handler_of(out, outputs=[*DICOM_FORMS, "csv"], identified=True))
    objects = list(out.rglob("*.dcm"))
    assert [str(dcmread(path).PatientName) for path in objects] == ["Planted^Erika"] * 2
    for path in out.rglob("*.csv"):
        assert "erika" not in content(path)


def test_a_refused_dicom_study_is_named_by_its_uid_too(tmp_path):
    dicom_study(tmp_path)
    broken = dicom_study(tmp_path, study="other", series="broken")
    uid = dcmread(next(broken.iterdir())).StudyInstanceUID
    next(one for one in broken.iterdir() if dcmread(one).InstanceNumber == 2).unlink()
    studies = find_studies(dataset_dir=tmp_path / "PLANTED_ERIKA_0815")
    with pytest.raises(InputError, match="1 of 2 studies were refused"):
        run(studies.items, handler_of(tmp_path / "out", refused=studies.refused))
    [row] = rows(tmp_path / "out" / "refusals.csv")
    assert row["name"] == row["patient"] == row["study"] == uid
    assert "spacing varies" in row["reason"]
    for path in (tmp_path / "out").glob("*.csv"):
        assert not [secret for secret in SECRETS if secret in content(path)]


def test_two_series_of_one_study_do_not_overwrite_each_other(tmp_path):
    folders = [dicom_study(tmp_path, series=name) for name in ("one", "two")]
    uids = [dcmread(next(folder.iterdir())) for folder in folders]
    assert uids[0].StudyInstanceUID == uids[1].StudyInstanceUID
    # as an evaluation lists them: without files, so these are looked for
    items = [
        {"image": str(folder.parent), "series_uid": str(header.SeriesInstanceUID), "patient": "Erika"}
        for folder, header in zip(folders, uids, strict=True)
    ]
    out = tmp_path / "out"
    run([*items, items[1]], handler_of(out, outputs=["csv", *DICOM_FORMS, "rsna"]))
    names = [str(uids[0].StudyInstanceUID), str(uids[1].SeriesInstanceUID), f"{uids[1].SeriesInstanceUID}_2"]
    table = rows(out / "patients.csv")
    assert [row["name"] for row in table] == names
    assert [row["series"] for row in table] == [str(uids[k].SeriesInstanceUID) for k in (0, 1, 1)]
    assert {row["patient"] for row in table} == {names[0]}
    for name in names:
        assert len(list((out / name).glob("*.dcm"))) == 2
    evidence = dcmread(out / names[1] / f"{names[1]}_report.dcm").CurrentRequestedProcedureEvidenceSequence
    assert evidence[0].ReferencedSeriesSequence[0].SeriesInstanceUID == uids[1].SeriesInstanceUID
    # the slices of the series that came twice have the study's name before them, the others have not
    ids = [row["ID"] for row in rows(out / "submission_rsna.csv")]
    assert len(set(ids)) == 3 * DEPTH * 6
    assert [one.count("_") for one in ids[:: DEPTH * 6]] == [2, 3, 4]
    assert not [path for path in out.rglob("*") if "erika" in path.name.lower()]


def test_a_tilted_series_keeps_its_affine(tmp_path):
    dicom_study(tmp_path, tilt_deg=20.0)
    [item] = find_studies(dataset_dir=tmp_path).items
    handler = run([item], handler_of(tmp_path / "out", outputs=["csv", "heatmaps"]))
    [result] = results_of(handler)
    table = LoadVolumed("image")(item)["image"].affine.numpy()
    np.testing.assert_allclose(result.affine, table)
    # the table moves by 5 / cos 20 mm along z, while the normal leans by 20 degrees
    np.testing.assert_allclose(np.abs(result.affine[:3, 2]), [0, 0, 5 / np.cos(np.radians(20))], atol=1e-5)
    normal = np.cross(result.affine[:3, 0], result.affine[:3, 1])
    assert abs(normal[2]) / np.linalg.norm(normal) == pytest.approx(np.cos(np.radians(20)), abs=1e-6)
    assert np.diff(result.positions_mm) == pytest.approx([5, 5, 5], abs=1e-4)
    heat = nib.load(tmp_path / "out" / item["name"] / f"{item['name']}_IPH_heatmap.nii.gz")
    np.testing.assert_allclose(heat.affine[:, [1, 0, 2, 3]], result.affine, atol=1e-4)


def test_the_real_tilted_series(real_data, tmp_path):
    source = real_data / "ich" / "dicom" / "GE-HEAD-A"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    [item] = find_studies(dataset_dir=source, check=LoadVolumed("image")).items
    out = tmp_path / "out"
    [result] = results_of(run([item], handler_of(out, outputs=["csv", "heatmaps", *DICOM_FORMS])))
    headers = sorted(map(dcmread, source.glob("*.dcm")), key=lambda one: one.ImagePositionPatient[2])
    assert [row["SOPInstanceUID"] for row in rows(out / "slices.csv")] == [
        one.SOPInstanceUID for one in headers
    ]
    # 4 mm apart along the normal, while the table moved by 4 / cos(18.5 degrees)
    assert np.diff(result.positions_mm) == pytest.approx([4.0] * 13, abs=0.01)
    first, last = (np.array(headers[k].ImagePositionPatient, float) * (-1, -1, 1) for k in (0, -1))
    np.testing.assert_allclose(result.affine @ [0, 0, 0, 1], [*first, 1], atol=1e-3)
    np.testing.assert_allclose(result.affine @ [0, 0, 13, 1], [*last, 1], atol=1e-3)
    heat = nib.load(out / item["name"] / f"{item['name']}_IPH_heatmap.nii.gz")
    np.testing.assert_allclose(heat.affine[:, [1, 0, 2, 3]], result.affine, atol=1e-3)
    assert len(list(out.rglob("*.dcm"))) == 2


def test_a_network_that_gives_nan_costs_one_study_not_all(tmp_path):
    good, bad = nifti_study(tmp_path / "good.nii.gz"), nifti_study(tmp_path / "bad.nii.gz")

    def diverged(inputs, network):
        outputs = infer(inputs, network)
        broken = "bad" in str(inputs.meta["filename_or_obj"])
        return {key: value * float("nan") for key, value in outputs.items()} if broken else outputs

    with pytest.raises(InputError, match="1 of 2 studies"):
        run([bad, good], handler_of(tmp_path / "out", outputs=["csv"]), inferer=diverged)
    found = {row["name"]: row for row in rows(tmp_path / "out" / "patients.csv")}
    assert {name: row["status"] for name, row in found.items()} == {"good": "ok", "bad": "refused"}
    assert "NaN" in found["bad"]["reason"]
