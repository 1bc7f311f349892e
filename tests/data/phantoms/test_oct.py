# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tomobundles.data.phantoms.oct import KINDS, eye_scene, eye_volume, retina_volume
from tomobundles.utils import InputError

SMALL = (96, 48, 4)


@pytest.mark.parametrize("shape", [(48, 32, 1), (50, 33, 3), (96, 200, 2), (1024, 512, 1)])
def test_any_shape_is_made_as_asked_and_stored_by_slices(shape):
    image, label = retina_volume(shape=shape, seed=1)
    for array in (image, label):
        assert array.shape == shape
        assert array.dtype == np.uint8
        assert np.moveaxis(array, -1, 0).flags.c_contiguous
    assert set(np.unique(label)) == {0, 1, 2, 3}


def test_same_seed_same_volume_and_no_global_state():
    np.random.seed(0)
    first = retina_volume(shape=SMALL, seed=7)
    np.random.seed(1)
    second = retina_volume(shape=SMALL, seed=7)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], retina_volume(shape=SMALL, seed=8)[0])


def test_every_slice_has_its_own_speckle():
    image, _ = retina_volume(shape=(96, 64, 2), seed=0, lesions=())
    top = image[:15].astype(float)  # vitreous: nothing but noise
    assert abs(np.corrcoef(top[..., 0].ravel(), top[..., 1].ravel())[0, 1]) < 0.15


@pytest.mark.parametrize("kinds", [(), ("REA",), ("SRF",), ("PED", "REA"), KINDS])
def test_volume_shows_the_lesions_asked_for_and_no_others(kinds):
    for seed in range(5):
        _, label = retina_volume(shape=(64, 40, 3), seed=seed, lesions=kinds)
        assert set(np.unique(label)) - {0} == {KINDS.index(kind) + 1 for kind in kinds}


@pytest.mark.parametrize("seed", range(8))
def test_fluid_lies_under_labelled_edema_in_order(seed):
    _, label = retina_volume(shape=(192, 96, 6), seed=seed)
    assert (label == 1).any(0)[(label >= 2).any(0)].all()  # lateral inclusion, column by column
    rows = np.arange(192)[:, None, None]
    first = [np.where(label == c, rows, 999).min(0) for c in (1, 2, 3)]
    last = [np.where(label == c, rows, -1).max(0) for c in (1, 2, 3)]
    both = (label == 2).any(0) & (label == 3).any(0)
    assert (last[1] < first[2])[both].all()  # SRF above PED
    wet = (label == 2).any(0)
    assert (last[0] < first[1])[wet].all()  # REA above SRF
    assert not label[0].any()
    assert not label[-1].any()


def test_lesions_go_on_from_slice_to_slice():
    _, label = retina_volume(shape=(96, 64, 64), seed=2)
    for c in (1, 2):
        mask = label == c
        full = mask.sum((0, 1)) > 40
        pairs = [k for k in range(63) if full[k] and full[k + 1]]
        dice = [2 * (mask[..., k] & mask[..., k + 1]).sum() / mask[..., k : k + 2].sum() for k in pairs]
        assert len(dice) > 8
        assert np.mean(dice) > 0.75


@pytest.mark.parametrize("seed", range(5))
def test_label_borders_agree_with_the_image(seed):
    image, label = retina_volume(shape=(384, 96, 4), seed=seed)
    fluid = label == 2
    inside = fluid & np.roll(fluid, 2, 0) & np.roll(fluid, -2, 0)
    below = np.roll(fluid, 3, 0) & (label == 0)  # at most three rows (16 um) below the fluid: the epithelium
    assert image[below].mean() > image[inside].mean() + 25
    above = np.roll(fluid, -6, 0) & (label == 1)  # at most six rows (31 um) above: the photoreceptors
    assert image[above].mean() > image[inside].mean() + 10


def test_grey_levels_are_those_of_the_contest():
    # mean 36.68, sd 25.01 over the contest's training set (its own constants); within a quarter
    images = np.stack([retina_volume(shape=(192, 96, 4), seed=seed)[0] for seed in range(24)])
    assert 36.68 * 0.75 < images.mean() < 36.68 * 1.25
    assert 25.01 * 0.75 < images.std() < 25.01 * 1.25


def test_another_shape_shows_much_the_same_eye():
    _, small = retina_volume(shape=(128, 64, 16), seed=5)
    _, large = retina_volume(shape=(256, 128, 16), seed=5)
    mean = large.reshape(128, 2, 64, 2, 16)
    for c in (1, 2):
        a, b = small == c, (mean == c).mean((1, 3)) > 0.5
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.9


def test_no_threshold_on_darkness_finds_the_fluid():
    """Even with the true retina known and speckle smoothed away, dark tissue is not fluid."""
    best = np.zeros(2)
    cases = []
    for seed in range(12):
        shape = (192, 96, 8)
        scene, _, _ = eye_scene(shape=shape, patient=seed, eye=0)
        image, label = retina_volume(shape=shape, seed=seed)
        z = scene.grid.z[:, None, None]
        retina = (z >= scene.tops["RNFL"].T) & (z < scene.retina.bruch.T)
        cases.append((gaussian_filter(image.astype(np.float32), (1, 1, 0)), label, retina))
    for threshold in range(15, 90, 3):
        scores = []
        for image, label, retina in cases:
            dark = (image < threshold) & retina
            scores.append(
                [2 * (dark & (label == c)).sum() / (dark.sum() + (label == c).sum()) for c in (2, 3)]
            )
        best = np.maximum(best, np.mean(scores, 0))
    assert best[0] < 0.75  # SRF
    assert best[1] < 0.3  # PED


def test_eyes_of_a_patient_differ():
    right, _ = eye_volume(shape=SMALL, patient=3, eye=0, nasal=1)
    left, _ = eye_volume(shape=SMALL, patient=3, eye=1, nasal=-1)
    assert not np.array_equal(right, left)
    assert not np.array_equal(right, left[:, ::-1])


@pytest.mark.parametrize("shape", [(47, 32, 1), (48, 31, 1), (48, 32, 0), (48, 32)])
def test_too_small_a_shape_is_refused(shape):
    with pytest.raises(InputError, match="shape"):
        retina_volume(shape=shape, seed=0)


def test_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed -1"):
        retina_volume(shape=SMALL, seed=-1)


def test_unknown_lesion_is_refused():
    with pytest.raises(InputError, match="unknown lesion 'IRF'"):
        retina_volume(shape=SMALL, seed=0, lesions=("REA", "IRF"))
