# SPDX-License-Identifier: Apache-2.0
"""Volumes and geometry of right series: order, affine, Hounsfield units, nothing that names the patient."""

import math
import random

import numpy as np
import pytest
from highdicom.spatial import get_series_volume_positions
from torch.utils.data import default_collate

from tomobundles.data import LoadVolumed, read_volume
from tomobundles.data.dicom import find_series, read_series, resolve_series
from tomobundles.utils import InputError

from .builder import (
    COLUMN_MM,
    COLUMNS,
    DEPTH,
    ROW_MM,
    ROWS,
    SERIES,
    STUDY,
    ct_slices,
    digest,
    expected_hu,
    save,
)

GRID = [(r, c, s) for r in (0, ROWS - 1) for c in (0, COLUMNS - 1) for s in range(DEPTH)]


def world(dataset, row, column):
    """The standard's own equation (PS3.3 C.7.6.2.1.1), to RAS."""
    iop, ipp = np.array(dataset.ImageOrientationPatient), np.array(dataset.ImagePositionPatient)
    spacing = dataset.PixelSpacing
    return (ipp + iop[:3] * spacing[1] * column + iop[3:] * spacing[0] * row) * [-1, -1, 1]


def read(folder, **options):
    return read_series(resolve_series(folder, **options))


def test_volume_affine_and_meta(tmp_path):
    array, meta = read(save(tmp_path, ct_slices()))
    np.testing.assert_array_equal(array, expected_hu())
    assert array.dtype == np.int16
    assert np.moveaxis(array, -1, 0).flags.c_contiguous  # a slice is one piece of memory
    # a patient on the back, head first: rows go to posterior (-y), columns to the left (-x), slices up
    expected = [[0, -COLUMN_MM, 0, 60], [-ROW_MM, 0, 0, 70], [0, 0, 5, 12.5], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected, atol=1e-6)
    np.testing.assert_allclose(meta["slice_positions_mm"], 12.5 + 5 * np.arange(DEPTH))
    assert meta["slice_names"] == [f"{SERIES}.{number}" for number in range(1, DEPTH + 1)]
    assert meta["instance_numbers"] == list(range(1, DEPTH + 1))
    assert (meta["study_uid"], meta["series_uid"], meta["form"]) == (STUDY, SERIES, "dicom")
    assert meta["spacing_known"]
    assert meta["tilt_deg"] == pytest.approx(0)
    assert meta["findings"] == []
    assert default_collate([{key: value for key, value in meta.items() if key != "findings"}])


@pytest.mark.parametrize("seed", range(3))
def test_names_and_instance_numbers_do_not_matter(tmp_path, seed):
    datasets = ct_slices()
    numbers = list(range(DEPTH))
    rng = random.Random(seed)
    rng.shuffle(numbers)
    for dataset, number in zip(datasets, numbers, strict=True):
        dataset.InstanceNumber = number
    rng.shuffle(datasets)
    array, meta = read(save(tmp_path, datasets))
    assert digest(array) == digest(expected_hu().astype(np.int16))
    assert meta["slice_names"] == [f"{SERIES}.{number}" for number in range(1, DEPTH + 1)]
    assert meta["instance_numbers"] == numbers


@pytest.mark.parametrize("value", [None, 1])
def test_instance_numbers_that_tell_no_slice(tmp_path, value):
    datasets = ct_slices()
    datasets[3].InstanceNumber = value
    assert read(save(tmp_path, datasets))[1]["instance_numbers"] == []


@pytest.mark.parametrize("tilt", [-30, -12.5, 0, 0.2, 5, 18.5, 30])
def test_points_keep_their_place_at_any_tilt(tmp_path, tilt):
    datasets = ct_slices(tilt_deg=tilt)
    array, meta = read(save(tmp_path, datasets))
    assert meta["tilt_deg"] == pytest.approx(tilt, abs=0.01)
    by_uid = {dataset.SOPInstanceUID: dataset for dataset in datasets}
    for row, column, index in GRID:
        dataset = by_uid[meta["slice_names"][index]]
        error = meta["affine"] @ [row, column, index, 1] - [*world(dataset, row, column), 1]
        assert np.linalg.norm(error) < 1e-3  # mm; half a voxel is 0.25
        number = int(dataset.InstanceNumber) - 1
        assert array[row, column, index] == 100 * number + 10 * row + column - 300
    # the shear is kept: slices step along the table, not along their normal
    np.testing.assert_allclose(meta["affine"][:3, 2], [0, 0, 5 / math.cos(math.radians(tilt))], atol=1e-6)
    np.testing.assert_allclose(np.diff(meta["slice_positions_mm"]), 5, atol=1e-5)


ORIENTATIONS = {  # row, column in LPS -> where slices go: the cross product
    "head first, supine": ((1, 0, 0), (0, 1, 0)),
    "feet first, supine": ((-1, 0, 0), (0, 1, 0)),
    "head first, prone": ((-1, 0, 0), (0, -1, 0)),
    "on the left side": ((0, -1, 0), (1, 0, 0)),
    "oblique": ((1, 0, 0), (0, 0.94969925, -0.31316373)),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("step", [5.0, -5.0])
def test_both_directions_and_all_positions_of_the_patient(tmp_path, name, step):
    row, column = ORIENTATIONS[name]
    datasets = ct_slices(row=row, column=column, step_mm=step)
    array, meta = read(save(tmp_path, datasets))
    order = expected_hu() if step > 0 else expected_hu()[..., ::-1]
    np.testing.assert_array_equal(array, order)
    assert (np.diff(meta["slice_positions_mm"]) > 0).all()
    by_uid = {dataset.SOPInstanceUID: dataset for dataset in datasets}
    for r, c, index in GRID:
        point = world(by_uid[meta["slice_names"][index]], r, c)
        np.testing.assert_allclose(meta["affine"] @ [r, c, index, 1], [*point, 1], atol=1e-3)


def test_regular_series_are_regular_for_highdicom_too(tmp_path):
    datasets = ct_slices()
    spacing, indices = get_series_volume_positions(datasets)
    (series,) = find_series(save(tmp_path, datasets)).series
    assert spacing == pytest.approx(series.spacing_mm)
    assert indices in (list(range(DEPTH)), list(range(DEPTH))[::-1])
    del datasets[3]
    assert get_series_volume_positions(datasets) == (None, None)


def test_one_slice(tmp_path):
    array, meta = read(save(tmp_path, ct_slices(1)))
    assert array.shape == (ROWS, COLUMNS, 1)
    assert meta["findings"] == ["one slice only"]
    np.testing.assert_allclose(meta["affine"][:3, 2], [0, 0, 5])  # its thickness
    assert read_volume(tmp_path / "000.dcm")[0].shape == (ROWS, COLUMNS, 1)


def test_faulty_series_is_not_read(tmp_path):
    datasets = ct_slices()
    del datasets[3]
    (series,) = find_series(save(tmp_path, datasets)).series
    with pytest.raises(InputError, match="1 slice missing"):
        read_series(series)


def test_nothing_names_the_patient(tmp_path):
    array, meta = read(save(tmp_path, ct_slices(PatientBirthDate="19610203")))
    series = resolve_series(tmp_path)
    text = repr(meta) + repr(series.description) + repr([header.patient for header in series.slices])
    for secret in ("Doe", "Jane", "4711", "20240506", "19610203", "head of"):
        assert secret not in text
    assert str(tmp_path) not in repr(meta)
    assert array.size


def test_load_volumed_reads_the_series_that_an_item_names(tmp_path):
    save(tmp_path / "soft", ct_slices())
    save(tmp_path / "bone", ct_slices(4, series="1.2.3.5", kernel="H60s"))
    load = LoadVolumed(keys="image")
    volume = load({"image": str(tmp_path)})["image"]
    assert volume.shape == (1, ROWS, COLUMNS, DEPTH)
    assert volume.meta["series_uid"] == SERIES
    assert volume[0].movedim(-1, 0).is_contiguous()
    assert load({"image": str(tmp_path), "series_uid": "1.2.3.5"})["image"].shape[-1] == 4


def test_load_volumed_accepts_what_it_is_told_to(tmp_path):
    datasets = ct_slices()
    del datasets[3]
    save(tmp_path, datasets)
    with pytest.raises(InputError, match="1 slice missing"):
        LoadVolumed(keys="image")({"image": tmp_path})
    volume = LoadVolumed(keys="image", accept=["missing_slice"])({"image": tmp_path})["image"]
    assert volume.shape[-1] == DEPTH - 1
    with pytest.raises(InputError, match="cannot be accepted"):
        LoadVolumed(keys="image", accept=["missing"])
