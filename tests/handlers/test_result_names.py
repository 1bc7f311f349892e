# SPDX-License-Identifier: Apache-2.0
"""Names of results: the same, however many processes infer them."""

from types import SimpleNamespace

import numpy as np
import pytest
from pydicom import dcmread

from tests.handlers.ranks import Ranks
from tomobundles.data.phantoms.dicom_series import write_dicom_series
from tomobundles.handlers.result_names import ResultNames
from tomobundles.handlers.shares import Share

HU = np.zeros((8, 6, 3), np.int16)
PLAIN = {"form": "nifti"}


def names_of(items, metas, **options):
    """Name and base of each item."""
    data = SimpleNamespace(dataset=SimpleNamespace(data=items))
    names = ResultNames(Share(SimpleNamespace(data_loader=data)), **options)
    return [names(index, item, meta) for index, (item, meta) in enumerate(zip(items, metas, strict=True))]


def series(folder, *, study, name):
    """A DICOM item and the meta that its reader gives."""
    write_dicom_series(folder, HU, spacing_mm=(1, 1, 5), series=name, study=study)
    header = dcmread(next(iter(sorted(folder.iterdir()))))
    uids = {"study_uid": str(header.StudyInstanceUID), "series_uid": str(header.SeriesInstanceUID)}
    return {"image": str(folder)}, {"form": "dicom"} | uids


def test_files_and_names():
    items = [
        {"image": "x/a.nii"},
        {"image": "y/a.nii"},
        {"image": "y/a.nii"},
        {"image": "z.nii", "name": "n"},
    ]
    found = names_of(items, [PLAIN] * 4)
    assert found == [("x_a", "x_a"), ("y_a", "y_a"), ("y_a_2", "y_a"), ("n", "n")]


def test_a_numbered_name_that_is_taken_is_passed_over():
    items = [{"image": "a", "name": name} for name in ("a", "a_2", "a", "a")]
    assert [name for name, _ in names_of(items, [PLAIN] * 4)] == ["a", "a_2", "a_3", "a_4"]


def test_by_file_alone(tmp_path):
    item, meta = series(tmp_path / "scan", study="s", name="one")
    items = [item | {"name": "n"}, {"image": "b.npy", "name": "n"}]
    assert [name for name, _ in names_of(items, [meta, PLAIN], by_uid=False)] == ["scan", "b"]


@pytest.fixture
def study(tmp_path):
    """Two series of one study, the second listed three times, and another study."""
    first, second = (series(tmp_path / name, study="s", name=name) for name in ("one", "two"))
    other = series(tmp_path / "other", study="t", name="three")
    listed = [first, second, other, second, second]
    return [item for item, _ in listed], [meta for _, meta in listed]


def expected(metas):
    again = metas[1]["series_uid"]
    names = [metas[0]["study_uid"], again, metas[2]["study_uid"], f"{again}_2", f"{again}_3"]
    return [(name, meta["study_uid"]) for name, meta in zip(names, metas, strict=True)]


def test_dicom_goes_by_its_uids(study):
    items, metas = study
    assert names_of([item | {"name": "Erika"} for item in items], metas) == expected(metas)


@pytest.mark.parametrize("size", [2, 6])
def test_all_ranks_have_the_same_names(monkeypatch, study, size):
    """Each reads the headers of its share; a rank may have none."""
    ranks = Ranks(monkeypatch, size)
    assert ranks.run(lambda rank: names_of(*study)) == [expected(study[1])] * size


def test_headers_of_named_files_are_read(study, tmp_path):
    items, metas = study
    flat = [{"image": str(tmp_path), "files": sorted(map(str, (tmp_path / "two").iterdir()))}] * 2
    names = [name for name, _ in names_of(flat, [metas[1]] * 2)]
    assert names == [metas[1]["study_uid"], metas[1]["series_uid"]]
    [(name, _)] = names_of([{"image": f"{items[0]['image']}/000.dcm"}], metas[:1])
    assert name == metas[0]["study_uid"]


def test_the_series_is_the_one_that_was_read(tmp_path):
    """A folder of two series: which is read, the reader chooses."""
    _, one = series(tmp_path / "one", study="s", name="one")
    _, two = series(tmp_path / "two", study="s", name="two")
    items = [{"image": str(tmp_path)}] * 2
    assert [name for name, _ in names_of(items, [two, two])] == [one["study_uid"], two["series_uid"]]


def test_files_that_cannot_be_read_are_left_to_the_reader(tmp_path):
    item, meta = series(tmp_path / "scan", study="s", name="one")
    broken = sorted((tmp_path / "scan").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:140])
    (tmp_path / "scan" / "0.txt").write_text("no DICOM")
    assert names_of([item], [meta]) == [(meta["study_uid"],) * 2]
    for file in (tmp_path / "scan").glob("*.dcm"):
        file.write_bytes(broken.read_bytes())
    assert names_of([item], [PLAIN]) == [("scan", "scan")]
