# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms import head
from tomobundles.data.phantoms.head import VERTEX_MM, HeadPhantom, Raster, head_volume
from tomobundles.data.phantoms.head_bleeds import CLASSES
from tomobundles.utils import InputError

COARSE = {"size": 64, "slices": 15, "slice_mm": 9.5}


@pytest.fixture(scope="module")
def sick() -> HeadPhantom:
    return head_volume(seed=3, bleeds=CLASSES, size=96)


@pytest.fixture(scope="module")
def healthy() -> HeadPhantom:
    return head_volume(seed=3)


def test_shapes_types_and_order_in_memory(sick):
    assert sick.hu.shape == (96, 96, 28)
    assert sick.hu.dtype == np.int16
    assert sick.label.shape == (5, 96, 96, 28)
    assert sick.label.dtype == sick.presence.dtype == np.uint8
    assert sick.presence.shape == (6, 28)
    assert sick.spacing == (230 / 96, 230 / 96, 5.0)
    assert np.moveaxis(sick.hu, -1, 0).flags.c_contiguous


def test_presence_follows_from_the_labels_and_any_from_the_classes(sick):
    area = sick.label.sum((1, 2)) * (230 / 96) ** 2
    np.testing.assert_array_equal(sick.presence[:5], area >= 20)
    np.testing.assert_array_equal(sick.presence[5], sick.presence[:5].max(0))


def test_a_healthy_head_has_no_label(healthy):
    assert not healthy.label.any()
    assert not healthy.presence.any()


def test_tissues_have_their_hu(healthy):
    hu = healthy.hu
    assert (hu[:4] < -900).mean() > 0.99  # air before the face
    middle = hu[40:88, 40:88, 17]
    assert 25 < np.median(middle) < 40
    assert 0.10 < ((hu > 200).sum((0, 1)) / np.maximum((hu > -300).sum((0, 1)), 1))[8:22].mean() < 0.5
    assert 900 < np.percentile(hu[hu > 200], 95) < 1700
    assert -130 < hu[(hu > -200) & (hu < -50)].mean() < -60  # fat and its borders
    assert (hu[..., :8] < -500).sum() > (hu[..., 12:20] < -500).sum()  # sinuses below


def test_slices_run_from_the_skull_base_to_the_vertex(healthy):
    head_area = (healthy.hu > -300).sum((0, 1))
    assert head_area[-1] < 0.5 * head_area.max()
    assert head_area[0] > 0.4 * head_area.max()
    assert (healthy.hu[..., 3] > 200).sum() > 1.2 * (healthy.hu[..., 15] > 200).sum()  # the base is bony


@pytest.mark.parametrize("kinds", [("IPH",), ("IVH",), ("SAH",), ("SDH",), ("EDH",), ("SDH", "SAH")])
def test_a_head_shows_the_bleeds_asked_for_and_no_others(kinds):
    for seed in range(2):
        scan = head_volume(seed=seed, bleeds=kinds, size=64)
        assert {name for name, row in zip(CLASSES, scan.presence, strict=False) if row.any()} == set(kinds)
        assert not scan.label[[CLASSES.index(c) for c in CLASSES if c not in kinds]].any()


def test_blood_is_brighter_than_brain_and_inside_the_skull(sick):
    hu = sick.hu.astype(float)
    brain = np.median(hu[38:58, 38:58, 15:19])
    blood = [np.median(hu[mask == 1]) for mask in sick.label]
    assert all(30 < value < 90 for value in blood)
    assert np.median(blood) > brain + 8
    assert (hu[sick.label.any(0)] > -100).all()


def test_each_bleed_touches_what_it_should():
    def bony(mask, scan):
        bone = scan.hu > 200
        near = sum(np.roll(bone, s, a) for a in (0, 1) for s in (-2, -1, 1, 2)) > 0
        return (near & mask).sum() / mask.sum()

    scans = {c: head_volume(seed=8, bleeds=(c,)) for c in ("EDH", "IPH", "IVH")}
    masks = {c: scan.label[CLASSES.index(c)] == 1 for c, scan in scans.items()}
    assert bony(masks["EDH"], scans["EDH"]) > 0.1
    assert bony(masks["IVH"], scans["IVH"]) < 0.02
    assert bony(masks["EDH"], scans["EDH"]) > 3 * bony(masks["IPH"], scans["IPH"])


def test_same_seed_same_head_and_no_global_state():
    np.random.seed(0)
    first = head_volume(seed=5, bleeds=("SDH",), **COARSE)
    np.random.seed(1)
    second = head_volume(seed=5, bleeds=("SDH",), **COARSE)
    np.testing.assert_array_equal(first.hu, second.hu)
    np.testing.assert_array_equal(first.label, second.label)
    assert not np.array_equal(first.hu, head_volume(seed=6, bleeds=("SDH",), **COARSE).hu)


def test_bleeds_leave_the_rest_of_the_head_alone():
    without = head_volume(seed=5, **COARSE).hu.astype(int)
    bled = head_volume(seed=5, bleeds=("EDH",), **COARSE).hu.astype(int)
    bone = (without > 500) & (bled > 500)
    assert bone.sum() > 0.95 * (without > 500).sum()


def test_a_size_factor_makes_a_bleed_larger():
    volumes = [head_volume(seed=2, bleeds={"IPH": f}, **COARSE).label.sum() for f in (0.8, 1.6)]
    assert volumes[1] > 3 * volumes[0]


def test_another_matrix_shows_the_same_head():
    small = head_volume(seed=4, bleeds=("IPH",), size=64).label[0]
    large = (
        head_volume(seed=4, bleeds=("IPH",), size=128).label[0].reshape(64, 2, 64, 2, 28).mean((1, 3)) >= 0.5
    )
    assert 2 * (small & large).sum() / (small.sum() + large.sum()) > 0.85


def test_a_bleed_on_no_slice_is_drawn_again(monkeypatch):
    attempts = []

    def count(seed, sizes, *, attempt=0):
        attempts.append(attempt)
        return drawn(seed, sizes, attempt=attempt)

    drawn = head.draw_head
    monkeypatch.setattr(head, "draw_head", count)
    scan = head_volume(seed=0, bleeds=("IVH",), size=64, slices=1, slice_mm=2.0)  # the vertex alone
    assert attempts == [0, 1, 2, 3]
    assert not scan.presence.any()


def test_raster_by_hand():
    raster = Raster(size=64, slices=3, slice_mm=3.6, tilt_deg=45.0, top_mm=90.0)
    pose = head.draw_head(0, {}).pose
    assert raster.pixel_mm == 230 / 64
    first, middle = raster.points(0, pose), raster.points(1, pose)
    np.testing.assert_allclose(first.z_scan, [81.9, 83.7], rtol=1e-6)  # 90 - 2 * 3.6 = 82.8, -+ 0.9
    np.testing.assert_allclose(middle.rows, middle.columns)
    np.testing.assert_allclose(middle.rows - first.rows, 3.6, rtol=1e-4)  # 45 degrees: as far down as up
    np.testing.assert_allclose(middle.columns[:2], [-31.5 * 230 / 64, -30.5 * 230 / 64], rtol=1e-6)


def test_top_slice_lies_below_the_vertex():
    assert 85 < VERTEX_MM < 100


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"bleeds": ("ICH",)}, "unknown bleed 'ICH'"),
        ({"bleeds": {"IPH": 9.0}}, "size factor of IPH of a head phantom is 9.0"),
        ({"seed": -1}, "seed of a head phantom is -1"),
        ({"size": 32}, "size of a head phantom is 32"),
        ({"slices": 0}, "slices of a head phantom is 0"),
        ({"slice_mm": 0.0}, "slice_mm of a head phantom is 0.0"),
        ({"slice_mm": float("nan")}, "slice_mm of a head phantom is nan"),
        ({"tilt_deg": 80}, "tilt_deg of a head phantom is 80"),
    ],
)
def test_numbers_that_make_no_head_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        head_volume(**{"seed": 0, **changes})
