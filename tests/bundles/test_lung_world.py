# SPDX-License-Identifier: Apache-2.0
"""The same nodules in the world, however their scan is stored: the bundle's chain there and back."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose

from tomobundles.data.dicom import SeriesPreference
from tomobundles.data.load import LoadVolumed
from tomobundles.data.nodules.load import LoadNodulesd
from tomobundles.data.nodules.mask import write_nodule_mask
from tomobundles.data.nodules.ranked import ranked_record
from tomobundles.handlers.nodule_case import nodule_case
from tomobundles.transforms.ct_window import hu_to_gray
from tomobundles.transforms.hounsfield import CheckHounsfieldd
from tomobundles.transforms.lung_grid import LungGridd
from tomobundles.transforms.lungs import LungMaskd
from tomobundles.transforms.nodule_points import NodulesToGridd, NodulesToWorldd
from tomobundles.utils.world import voxel_to_world

from .lung_scans import AXIAL, CENTRE, FLIPPED, LUNG_HU, NODULE_HU, NODULES, OBLIQUE, SAGITTAL

CHEST = SeriesPreference(thickness_mm=(0.4, 3), kernel="any", contrast=None, body_parts=("CHEST",))
CASES = {
    "mhd": (AXIAL, "mhd"),
    "mhd-flipped": (FLIPPED, "mhd"),
    "mhd-sagittal": (SAGITTAL, "mhd"),
    "mhd-oblique": (OBLIQUE, "mhd"),
    "nifti": (AXIAL, "nifti"),
    "nifti-sagittal": (SAGITTAL, "nifti"),
    "nifti-oblique": (OBLIQUE, "nifti"),
    "dicom": (AXIAL, "dicom"),
    "dicom-oblique": (OBLIQUE, "dicom"),
}


@pytest.fixture(scope="module", params=list(CASES))
def found(request, tmp_path_factory):
    """How the scan is stored, its path, the sample on the lung grid and the case of a perfect detector."""
    stored, form = CASES[request.param]
    path = stored.write(tmp_path_factory.mktemp(request.param), form)
    chain = Compose(
        [
            LoadVolumed("image", preference=CHEST),
            CheckHounsfieldd("image"),
            LoadNodulesd(),
            LungMaskd("image"),
            LungGridd(["image", "mask"]),
            NodulesToGridd(),
        ]
    )
    label = {"nodules": NODULES.tolist(), "excluded": [[*NODULES[1, :3], -1]]}
    sample = chain({"image": str(path), "patient": "one", "label": label})
    probability = torch.tensor([0.9, 0.8, 0.7])
    pred = {"points": sample["label"][:3, :4], "probability": probability, "detector": probability}
    sample["pred"] = pred
    sample = NodulesToWorldd("pred")(sample)
    about = {"name": "chest", "patient": "one", "model": "", "seconds": {}}
    case = nodule_case(sample["image"], sample["pred"], sample, **about)
    return stored, path, sample, case


def test_the_world_points_come_back(found):
    _, _, sample, _ = found
    np.testing.assert_allclose(sample["pred"]["world"].numpy(), NODULES, atol=1e-3)
    label = sample["label"]
    np.testing.assert_allclose(label[:, 3], [*NODULES[:, 3], 10], atol=1e-4)
    np.testing.assert_allclose(label[3, :3], label[1, :3], atol=1e-4)
    assert label[:, 4].tolist() == [1, 1, 1, -1]


def test_the_gray_there_is_the_nodule(found):
    _, _, sample, _ = found
    image = sample["image"].as_tensor()[0].numpy()
    steps = np.stack(np.meshgrid(*[np.arange(-11, 12)] * 3, indexing="ij"), axis=-1)
    lung, nodule = hu_to_gray(np.array([LUNG_HU, NODULE_HU])).astype(int)
    for *point, diameter in sample["label"][:3, :4].double().numpy():
        places = np.rint(point).astype(int) + steps
        distance = np.linalg.norm(places - point, axis=-1)
        gray = image[tuple(np.moveaxis(places, -1, 0))].astype(float)
        assert np.abs(gray[distance < 1.5] - nodule).max() <= 1
        share = np.clip((gray - lung) / (nodule - lung), 0, 1) * (distance < diameter / 2 + 2.5)
        # stored voxels are up to 2.5 mm, so that a small sphere is a rough one
        middle = (share[..., None] * places).sum((0, 1, 2)) / share.sum()
        assert np.linalg.norm(middle - point) < 0.5
        assert share.sum() == pytest.approx(np.pi / 6 * diameter**3, rel=0.2)


def test_the_ranked_list_points_at_the_voxels(found):
    stored, path, sample, case = found
    image = LoadVolumed("image", preference=CHEST)({"image": str(path)})["image"].as_tensor()[0]
    record = ranked_record(case)
    assert [nodule["rank"] for nodule in record["nodules"]] == [1, 2, 3]
    for nodule, truth in zip(record["nodules"], NODULES, strict=True):
        assert image[nodule["y"], nodule["x"], nodule["slice_index"]] == NODULE_HU
        assert nodule["slice_number"] == nodule["slice_index"] + 1
        np.testing.assert_allclose(nodule["world"], truth[:3], atol=1e-3)
        np.testing.assert_allclose(nodule["diameter_mm"], truth[3], atol=1e-3)
    if sample["image"].meta["form"] != "dicom":  # whose slices are put in order
        own = [[nodule["x"], nodule["y"], nodule["slice_index"]] for nodule in record["nodules"]]
        np.testing.assert_array_equal(own, np.rint(stored.index(NODULES[:, :3])))


def test_the_lungs_have_their_sides(found):
    _, _, sample, _ = found
    lungs = sample["lungs"]
    for label, side in ((1, -1), (2, 1)):  # the patient's left is where x grows
        places = np.argwhere(lungs.as_tensor()[0].numpy() == label)
        x = voxel_to_world(places, lungs.affine.numpy())[:, 0]
        assert side * (x.mean() - CENTRE[0]) > 25
    assert sample["lung_quality"]["method"] == "ladder"
    assert not [text for text in sample["lung_quality"]["warnings"] if "nodules outside" in text]


def test_the_lung_grid_lies_along_the_patient(found):
    _, _, sample, _ = found
    expected = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, 1]])  # rows to the back, columns left, slices up; RAS
    np.testing.assert_allclose(sample["image"].affine[:3, :3].numpy(), expected, atol=1e-9)
    assert sample["image"].meta["native_shape"] == tuple(np.array(found[0].size)[[1, 0, 2]])


def test_the_written_mask_lies_in_the_world(found, tmp_path):
    *_, case = found
    image = nib.load(write_nodule_mask(tmp_path / "mask.nii.gz", case))
    labels = np.asarray(image.dataobj)
    for rank, truth in enumerate(NODULES, start=1):
        middle = image.affine @ [*np.argwhere(labels == rank).mean(axis=0), 1]
        # RAS to LPS; a sphere of a few voxels has its centre of mass within a part of one
        assert np.linalg.norm(middle[:3] * [-1, -1, 1] - truth[:3]) < 0.8
        volume = (labels == rank).sum() * abs(np.linalg.det(image.affine[:3, :3]))
        assert volume == pytest.approx(np.pi / 6 * truth[3] ** 3, rel=0.25)


def test_nothing_strange_is_noted(found):
    assert found[3].findings == []


def test_itk_finds_the_same_voxels(found):
    sitk = pytest.importorskip("SimpleITK")
    _, path, _, case = found
    if path.is_dir():
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path))
        image = sitk.ReadImage(names)
        assert sorted(str(path / f"{index:03d}.dcm") for index in range(len(names))) == sorted(names)
    else:
        image = sitk.ReadImage(str(path))
    for nodule in ranked_record(case)["nodules"]:
        index = image.TransformPhysicalPointToIndex(nodule["world"])
        assert image[index] == NODULE_HU
        if not path.is_dir():
            assert index == (nodule["x"], nodule["y"], nodule["slice_index"])
