# SPDX-License-Identifier: Apache-2.0
import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from torch import nn

from tests.handlers.ranks import Ranks, engine_of, files_of
from tests.helpers import write_slices
from tomobundles.data import LoadVolumed, collate_volumes
from tomobundles.data.writers import FORMS
from tomobundles.data.writers_names import distinct_names
from tomobundles.handlers import ResultsHandler
from tomobundles.handlers.results import stored_values


def _engine(tmp_path, *, label=True, known=False, num_classes=1):
    """An evaluator's state after one volume of two slices."""
    folder = write_slices(tmp_path / "scan.img", np.zeros((2, 8, 6), np.uint8))
    mask = torch.zeros(1, 8, 6, 2, dtype=torch.uint8)
    mask[0, :2, :3, 1] = 1
    image = MetaTensor(
        torch.zeros(1, 8, 6, 2, dtype=torch.uint8),
        affine=torch.diag(torch.tensor([0.5, 0.25, 2.0, 1.0])),
        meta={"filename_or_obj": str(folder), "spacing_known": known},
    )
    prediction = {"presence": torch.tensor([[0.1, 0.9]] * num_classes)} | ({"label": mask} if label else {})
    output = [{"image": image, "label": mask.clone(), "pred": prediction}]
    loader = SimpleNamespace(dataset=SimpleNamespace(data=[{"image": str(folder)}]))
    return SimpleNamespace(data_loader=loader, state=SimpleNamespace(output=output))


def _run(handler, engine):
    handler._start(engine)
    handler._write(engine)
    handler._finish()


def _row(path):
    with path.open() as stream:
        return next(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("known", "spacing", "volume"),
    [(False, None, ""), (True, None, 6 * 0.25), (True, [1, 1, 3], 18), (False, [1, 1, 3], 18)],
)
def test_lesion_volume_needs_a_spacing(tmp_path, known, spacing, volume):
    handler = ResultsHandler(tmp_path / "out", class_names=["fluid"], outputs=["csv"], spacing_mm=spacing)
    _run(handler, _engine(tmp_path, known=known))
    found = _row(tmp_path / "out" / "findings.csv")["fluid_volume_mm3"]
    assert found == "" if volume == "" else float(found) == pytest.approx(volume)


def test_everything_that_can_be_written(tmp_path):
    handler = ResultsHandler(
        tmp_path / "out",
        class_names=["a", "b", "c"],
        outputs=list(FORMS),
        label_values={"200": 1, "201": 2, "202": 3},
    )
    _run(handler, _engine(tmp_path, num_classes=3))
    names = {path.name for path in (tmp_path / "out" / "scan").iterdir()}
    assert {"scan_labelMark", "scan.gif", "scan_contact_sheet.png", "scan_overlays"} <= names
    assert (tmp_path / "out" / "submission.zip").is_file()


def test_detection_alone_has_tables_without_areas(tmp_path):
    handler = ResultsHandler(
        tmp_path / "out", class_names=["fluid"], outputs=["mask", "csv", "presence_strip"]
    )
    _run(handler, _engine(tmp_path, label=False))
    row = _row(tmp_path / "out" / "findings.csv")
    assert float(row["fluid_max_probability"]) == pytest.approx(0.9)
    assert row["fluid_voxels"] == row["fluid_volume_mm3"] == ""
    assert not (tmp_path / "out" / "scan" / "scan_labelMark").exists()


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_write_the_files_of_one_process(tmp_path, monkeypatch, size):
    """One volume is listed twice, as with the labels of two readers; a rank may have none."""
    volumes = np.random.default_rng(0).integers(0, 255, (2, 2, 8, 6)).astype(np.uint8)
    folders = [write_slices(tmp_path / f"{name}.img", one) for name, one in zip("ba", volumes, strict=True)]
    items = [{"image": str(folder)} for folder in (*folders, folders[0])]

    def run(out, ranks=None):
        data, (engine, sampler) = Dataset(items, LoadVolumed("image")), engine_of(ranks)
        options = {"class_names": ["a", "b", "c"], "outputs": ["csv", "contest"]}
        engine(
            device=torch.device("cpu"),
            val_data_loader=DataLoader(data, collate_fn=collate_volumes, sampler=sampler(data)),
            network=nn.Identity(),
            inferer=lambda inputs, _network: {"label": (inputs > 128).byte()},
            val_handlers=[ResultsHandler(out, **options)],
        ).run()

    run(tmp_path / "one")
    (tmp_path / "several").mkdir()
    for name in ("findings.csv", "submission.zip"):
        (tmp_path / "several" / name).write_text("of an earlier run")
    ranks = Ranks(monkeypatch, size)
    assert ranks.run(lambda _rank: run(tmp_path / "several", ranks)) == [None] * size
    files = files_of(tmp_path / "several")
    assert files == files_of(tmp_path / "one")
    assert {"b_2/b_2_volume.csv", "findings.csv", "submission.zip"} <= set(files)
    names = [line.split(b",")[0] for line in files["findings.csv"].splitlines()]
    assert names == [b"volume", b"b", b"a", b"b_2"]


def test_nothing_inferred_nothing_written(tmp_path):
    ResultsHandler(tmp_path / "out", class_names=["fluid"])._finish()
    assert not (tmp_path / "out").exists()


def test_masks_get_the_values_that_labels_had():
    assert stored_values({"0": 0, "255": 1, "254": 1, "191": 2, 1000: 3}) == {1: 255, 2: 191}


def test_names_are_distinct():
    paths = ["/a/P1/left/scan.nii.gz", "/a/P1/right/scan.nii.gz", "/a/P2/left/scan.nii.gz", "/a/other.npy"]
    names = distinct_names(paths)
    assert list(names.values()) == ["P1_left_scan", "right_scan", "P2_left_scan", "other"]
    # same folder, same stem: only the ending tells them apart
    assert set(distinct_names(["x/s.npy", "x/s.nii"]).values()) == {"s.npy", "s.nii"}
