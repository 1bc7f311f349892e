# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tests.data.nodules.cases import GRID, NATIVE, NATIVE_SHAPE, VOXEL, WORLD, make_image
from tomobundles.handlers.nodule_case import nodule_case
from tomobundles.utils import InputError

ABOUT = {"name": "a", "patient": "P", "model": "", "seconds": {}}


def image_of(**meta):
    known = {"filename_or_obj": "x/a.mhd", "native_affine": torch.from_numpy(NATIVE)}
    known |= {"native_shape": torch.tensor(NATIVE_SHAPE)}
    return MetaTensor(torch.from_numpy(make_image())[None], affine=torch.from_numpy(GRID), meta=known | meta)


def found(**changes):
    scores = torch.tensor([0.75, 0.5, 0.25])
    world, voxel = torch.from_numpy(WORLD), torch.from_numpy(VOXEL)
    return {"world": world, "voxel": voxel, "probability": scores, "detector": scores} | changes


def test_the_least_that_is_known():
    case = nodule_case(image_of(), found(), {}, **ABOUT)
    assert (case.name, case.seriesuid, case.source, case.axes) == ("a", "a", "a.mhd", "XYZ")
    assert case.native_shape == NATIVE_SHAPE
    assert all(one is None for one in (case.truth, case.lungs, case.mask, case.positions_mm, case.study_uid))
    assert (list(case.slice_names), list(case.findings), case.lung_quality) == ([], [], {})
    assert case.probability.dtype == np.float32
    assert case.nodules.dtype == np.float64


def test_a_batch_of_one_is_the_scan():
    assert nodule_case(image_of()[None], found(), {}, **ABOUT).image.shape == make_image().shape


def test_empty_lists_that_collating_made_none():
    case = nodule_case(image_of(findings=None, slice_names=None), found(), {"lung_quality": None}, **ABOUT)
    assert (list(case.findings), case.lung_quality) == ([], {})


def test_a_dicom_series_goes_by_its_uids():
    meta = {
        "form": "dicom",
        "axes": "ZYX",
        "study_uid": "1.2",
        "series_uid": "1.2.3",
        "slice_names": [f"1.2.3.{k}" for k in range(NATIVE_SHAPE[2])],
        "instance_numbers": torch.arange(NATIVE_SHAPE[2], 0, -1),
        "slice_positions_mm": torch.arange(NATIVE_SHAPE[2]) - 1e-9,
    }
    case = nodule_case(image_of(**meta), found(), {"seriesuid": "Erika"}, **ABOUT)
    assert (case.seriesuid, case.series_uid, case.study_uid, case.source) == ("1.2.3", "1.2.3", "1.2", "")
    assert case.positions_mm.tolist() == list(range(NATIVE_SHAPE[2]))
    assert case.instance_numbers == list(range(NATIVE_SHAPE[2], 0, -1))
    assert case.axes == "XYZ"  # the order of NIfTI files, not that of DICOM


def test_a_niftis_axes_are_kept():
    assert nodule_case(image_of(form="nifti", axes="YXZ"), found(), {}, **ABOUT).axes == "YXZ"


def test_annotations_are_truth_where_there_are_some():
    item = {"nodules": torch.from_numpy(WORLD[:1])}
    assert nodule_case(image_of(), found(), item, **ABOUT).truth.tolist() == WORLD[:1].tolist()
    assert nodule_case(image_of(), found(), {"nodules": np.empty((0, 4))}, **ABOUT).truth is None


def test_nan_is_refused():
    with pytest.raises(InputError, match="probability of a hold NaN"):
        nodule_case(image_of(), found(probability=torch.full((3,), float("nan"))), {}, **ABOUT)
