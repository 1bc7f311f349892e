# SPDX-License-Identifier: Apache-2.0
import csv

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import BONE, WATER, LungGridd, NodulesToGridd, hu_to_gray
from tomobundles.transforms.lung_grid import line_ends, world_box
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world, world_to_voxel

from .lung_scans import affine_of, stored

TURN = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
DIRECTIONS = {
    "straight": np.eye(3),
    "rows back": np.eye(3)[[1, 0, 2]],
    "head first": np.diag([1, 1, -1]),
    "flipped": np.diag([-1, -1, -1]),
    "coronal": np.eye(3)[[0, 2, 1]] * [1, -1, 1],
    "sagittal": np.eye(3)[[2, 0, 1]],
    "oblique": TURN,
}
NODULES = np.array([[4.0, -6.0, 3.0, 6.0], [-8.0, 7.0, -5.0, 12.0]])


def _hu(points):
    waves = 300 * np.cos(points[:, 0] / 9) * np.cos(points[:, 1] / 8 + 0.4) * np.cos(points[:, 2] / 10 + 1)
    return -400 + 6 * points[:, 0] - 4 * points[:, 1] + 5 * points[:, 2] + waves


def _lungs(half=(14, 15, 13), label=1):
    """Labels on 2 mm voxels whose faces lie at +-half mm along x, y, z; stored along x, y, z."""
    shape = tuple(half)
    return stored(
        lambda p: np.full(len(p), label), affine_of(np.eye(3), (2, 2, 2), shape), shape, dtype=torch.uint8
    )


def _scan(direction, spacing=(1.0, 1.0, 1.0), function=_hu, reach=58, **options):
    shape = tuple(np.ceil(reach / np.array(spacing)).astype(int))
    return stored(function, affine_of(direction, spacing, shape, (0.4, -0.3, 0.2)), shape, **options)


def _item(direction, **options):
    return {"image": _scan(direction, **options), "lungs": _lungs(), "nodules": NODULES, "excluded": ()}


def _world(volume):
    return voxel_to_world(np.indices(volume.shape[1:]).reshape(3, -1).T, volume.affine.numpy())


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("spacing", [(0.9, 0.9, 0.9), (0.7, 0.7, 1.25)])
def test_any_stored_direction_gives_the_same_grid(name, spacing):
    # in-plane spacing belongs to the stored axes: turned arrays sample other places of the same function
    found = LungGridd(margin_mm=3)(_item(DIRECTIONS[name], spacing=spacing))
    image = found["image"]
    assert image.dtype == torch.uint8
    assert image.shape == (1, 36, 34, 32)  # back, left, head: 30 + 6, 28 + 6, 26 + 6
    first, second = _world(image)[[0, -1]]
    assert np.allclose(first, [-16.5, -17.5, -15.5])
    assert np.allclose(second, [16.5, 17.5, 15.5])
    places, inner = _world(image), np.zeros(image.shape[1:], bool)
    inner[3:-3, 3:-3, 3:-3] = True
    gray = image.as_tensor()[0].numpy()
    assert (gray[~inner] == WATER).all()
    # curvature of the waves times half a voxel squared is 5 HU; a gray is 7
    assert np.abs(gray.astype(int)[inner] - hu_to_gray(_hu(places)).reshape(gray.shape)[inner]).max() <= 1
    rows = NodulesToGridd()(found)["label"]
    assert rows[:, 3].tolist() == [6, 12]
    # row = y + 17.5, column = x + 16.5, slice = z + 15.5
    assert np.allclose(rows[:, :3], [[11.5, 20.5, 18.5], [24.5, 8.5, 10.5]], atol=1e-5)


def test_flips_and_permutations_give_the_same_image():
    base = LungGridd()(_item(np.eye(3)))["image"]
    for name in ("rows back", "head first", "flipped", "coronal", "sagittal"):
        shape = (58, 58, 58)
        direction = DIRECTIONS[name]
        affine = affine_of(direction, (1, 1, 1), shape, (0.4, -0.3, 0.2))
        item = {"image": stored(_hu, affine, shape), "lungs": _lungs()}
        found = LungGridd()(item)["image"]
        assert np.allclose(found.affine, base.affine)
        assert (found.as_tensor().int() - base.as_tensor().int()).abs().max() <= 1


def test_a_ramp_is_exact():
    def ramp(points):
        return -300 + 9 * points[:, 0] + 7 * points[:, 1] - 5 * points[:, 2]

    for direction, spacing in ((np.eye(3), (0.55, 0.7, 1.25)), (TURN, (0.7, 0.7, 1.25))):
        found = LungGridd(margin_mm=0)({"image": _scan(direction, spacing, ramp), "lungs": _lungs()})["image"]
        exact = (ramp(_world(found)) + 1200) * 255 / 1800
        assert np.abs(found.as_tensor()[0].numpy().ravel() - exact).max() <= 0.51


def test_the_surroundings_are_clean():
    lungs = _lungs()
    array = lungs.as_tensor().clone()
    array[0, :2] = 3  # x -14 to -10
    array[0, -2:] = 0
    lungs = MetaTensor(array, affine=lungs.affine)
    scan = _scan(np.eye(3), function=lambda p: np.where(p[:, 1] > 0, 700.0, 50.0))
    item = {"image": scan, "lungs": lungs}
    found = LungGridd(margin_mm=(2, 2))(item)["image"].as_tensor()[0]
    soft = int(hu_to_gray(np.array(50.0)))
    assert found.shape == (34, 28, 30)  # columns: 2 + 24 + 2, since the emptied 4 mm are outside the box
    assert (found[:, :2] == WATER).all()  # beyond the mask
    assert (found[:, -2:] == WATER).all()
    assert (found[2:16, 2:26, 2:-2] == soft).all()
    assert (found[18:-2, 2:6, 2:-2] == WATER).all()  # bone in the margin
    assert (found[18:-2, 6:26, 2:-2] == 255).all()  # in the lung it stays
    rough = LungGridd(margin_mm=2, fill=False)(item)["image"].as_tensor()[0]
    assert (rough[18:] == 255).all()
    assert (rough[:16] == soft).all()


def test_brightness_up_to_bone_stays_in_the_margin():
    scan = _scan(np.eye(3), function=lambda p: np.full(len(p), BONE * 1800 / 255 - 1200))
    found = LungGridd(margin_mm=0)({"image": scan, "lungs": _lungs(label=3)})["image"]
    assert (found.as_tensor() == BONE).all()


def test_without_a_mask_it_is_the_whole_image():
    scan = _scan(np.eye(3), reach=20, function=lambda p: np.full(len(p), -800.0))
    for item, options in (
        ({"image": scan}, {"lungs_key": None}),
        (
            {
                "image": scan,
                "lungs": MetaTensor(
                    torch.full((1, 10, 10, 10), 3, dtype=torch.uint8),
                    affine=torch.from_numpy(affine_of(np.eye(3), (2, 2, 2), (10,) * 3, (0.4, -0.3, 0.2))),
                ),
            },
            {},
        ),
    ):
        found = LungGridd(**options)(item)["image"]
        assert found.shape == (1, 20, 20, 20)
        assert (found.as_tensor() == int(hu_to_gray(np.array(-800.0)))).all()


def test_beyond_the_stored_image_is_water():
    # an oblique image does not fill its own box
    found = LungGridd(lungs_key=None)(
        {"image": _scan(TURN, reach=20, function=lambda p: np.full(len(p), -800.0))}
    )
    gray = found["image"].as_tensor()
    assert set(gray.unique().tolist()) == {WATER, 57}
    assert 7000 < (gray == 57).sum() < 9000
    assert gray[0, 0, 0, 0] == WATER


def test_masks_follow_with_their_type():
    for direction in (np.eye(3)[[1, 0, 2]], TURN):
        item = _item(direction)
        item["mask"] = _scan(
            direction, function=lambda p: np.linalg.norm(p - [4, -6, 3], axis=1) < 5, dtype=torch.uint8
        )
        found = LungGridd(margin_mm=(0, 0))(item)
        mask = found["mask"]
        assert mask.shape == found["image"].shape
        assert mask.dtype == torch.uint8
        assert np.allclose(mask.affine, found["image"].affine)
        assert mask.sum() == pytest.approx(4 / 3 * np.pi * 125, rel=0.05)
        centre = _world(mask)[mask.as_tensor().numpy().ravel() > 0].mean(axis=0)
        assert np.allclose(centre, [4, -6, 3], atol=0.5)  # the nearest voxel
    small = {"image": _scan(TURN, reach=20), "mask": _scan(TURN, reach=20, function=lambda p: p[:, 0] < 99)}
    mask = LungGridd(lungs_key=None)(small)["mask"].as_tensor()
    assert mask[0, 0, 0, 0] == 0  # outside the stored mask
    assert mask.sum() == pytest.approx(8000, rel=0.05)


def test_meta_keeps_the_stored_image():
    scan = _scan(np.eye(3), filename_or_obj="a.mhd", spacing_known=True, series_uid="1.2")
    item = {"image": scan, "lungs": _lungs(), "patient": "p"}
    found = LungGridd()(item)
    meta = found["image"].meta
    assert (meta["filename_or_obj"], meta["series_uid"], found["patient"]) == ("a.mhd", "1.2", "p")
    assert np.array_equal(meta["native_affine"], scan.affine)
    assert meta["native_affine"].dtype == torch.float64
    assert tuple(meta["native_shape"]) == (58, 58, 58)
    assert found["lungs"] is item["lungs"]
    assert item["image"] is scan


def test_other_spacings():
    found = LungGridd(spacing=2.0, margin_mm=0)(_item(np.eye(3)))
    assert found["image"].shape == (1, 15, 14, 13)
    assert np.allclose(np.abs(np.diag(found["image"].affine[[1, 0, 2]][:, [0, 1, 2]])), 2)
    assert NodulesToGridd()(found)["label"][:, 3].tolist() == [3, 6]


def test_integers_and_few_slices():
    shape = (30, 30, 2)
    scan = stored(_hu, affine_of(np.eye(3), (1, 1, 5), shape), shape, dtype=torch.int16)
    found = LungGridd(lungs_key=None)({"image": scan})["image"]
    assert found.shape == (1, 30, 30, 10)


def test_ends_of_lines():
    mask = torch.zeros(2, 3, 6, dtype=torch.uint8)
    mask[0, 1, 2] = mask[1, 2, 1] = mask[1, 2, 4] = 2
    assert sorted(map(tuple, line_ends(mask).tolist())) == [(0, 1, 2), (0, 1, 2), (1, 2, 1), (1, 2, 4)]
    assert line_ends(torch.zeros(2, 3, 4)).shape == (0, 3)


def test_a_box_holds_the_bodies_of_voxels():
    affine = np.diag([-2.0, -3, 4, 1])
    low, high = world_box(affine, np.array([[0, 0, 0], [1, 0, 2]]))
    assert low.tolist() == [-1, -1.5, -2]
    assert high.tolist() == [3, 1.5, 10]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"spacing": 0}, "spacing 0"),
        ({"margin_mm": -1}, "margin_mm"),
        ({"margin_mm": (5, -1)}, "margin_mm"),
    ],
)
def test_refuses_bad_options(options, problem):
    with pytest.raises(InputError, match=problem):
        LungGridd(**options)


def test_refuses_what_cannot_be_a_chest():
    with pytest.raises(InputError, match="how large a voxel is"):
        LungGridd()({"image": _scan(np.eye(3), spacing_known=False), "lungs": _lungs()})
    with pytest.raises(InputError, match="lung mask is empty"):
        LungGridd()({"image": _scan(np.eye(3)), "lungs": _lungs(label=0)})
    huge = stored(_hu, affine_of(np.eye(3), (90, 90, 90), (8, 8, 8)), (8, 8, 8))
    with pytest.raises(InputError, match="720 x 720 x 720 mm"):
        LungGridd(lungs_key=None)({"image": huge})
    item = _item(np.eye(3)) | {"mask": _scan(np.eye(3), reach=20)}
    with pytest.raises(InputError, match=r"mask is \(20, 20, 20\), its image \(58, 58, 58\)"):
        LungGridd()(item)


@pytest.mark.parametrize("name", ["PYRAD-lung1", "Lung_Dx-A0001"])
def test_real_nodules_lie_where_simpleitk_says(real_data, name):
    sitk = pytest.importorskip("SimpleITK")
    folder = real_data / "lung" / "ct"
    path = next((folder / "train").rglob(f"{name}.mhd"))
    itk = sitk.ReadImage(str(path))
    array = torch.from_numpy(sitk.GetArrayFromImage(itk)).permute(1, 2, 0)[None]
    direction = np.array(itk.GetDirection()).reshape(3, 3) * itk.GetSpacing()
    affine = np.eye(4)  # array axes are rows y, columns x, slices z
    affine[:3, :3] = np.diag([-1.0, -1, 1]) @ direction[:, [1, 0, 2]]
    affine[:3, 3] = np.array(itk.GetOrigin()) * [-1, -1, 1]
    image = MetaTensor(array, affine=torch.from_numpy(affine))
    grid = LungGridd(lungs_key=None)({"image": image})["image"]
    with next(folder.rglob("annotations.csv")).open() as file:
        rows = [row for row in csv.DictReader(file) if row["seriesuid"] == name]
    assert rows
    for row in rows:
        point = [float(row[key]) for key in ("coordX", "coordY", "coordZ")]
        place = tuple(np.rint(world_to_voxel(point, grid.affine.numpy())[0]).astype(int))
        exact = voxel_to_world([place], grid.affine.numpy())[0]
        hu = sitk.Resample(
            itk,
            [1, 1, 1],
            sitk.Transform(),
            sitk.sitkLinear,
            exact.tolist(),
            [1.0] * 3,
            np.eye(3).ravel().tolist(),
        )
        assert (
            abs(int(grid.as_tensor()[(0, *place)]) - int(hu_to_gray(sitk.GetArrayFromImage(hu).item()))) <= 2
        )
