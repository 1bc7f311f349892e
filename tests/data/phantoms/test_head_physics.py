# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.head_physics import Scanner, _resize, back_project, draw_scanner, projector

FOV = 230.0


def scanner(**changes):
    settings = {"noise_hu": 0.0, "hardening": 0.0, "blur_mm": 0.01, "grain_mm": 0.01, "offset_hu": 0.0}
    return Scanner(**{**settings, **changes})


def expose(volume, *, seed=0, slice_mm=5.0, **changes):
    rng = np.random.default_rng(seed)
    return scanner(**changes).expose(volume.astype(np.float32), fov_mm=FOV, slice_mm=slice_mm, rng=rng)


def skull(size=64, bar=False):
    """A water-filled ring of bone, with two dense blocks left and right of the middle if wanted."""
    y, x = np.mgrid[:size, :size] / size * FOV - FOV / 2
    r = np.hypot(x, y)
    hu = np.where(r < 75, 30.0, np.where(r < 82, 1000.0, -1000.0))
    if bar:
        hu[(np.abs(np.abs(x) - 35) < 14) & (np.abs(y) < 9)] = 1200
    return hu[None]


def test_projections_keep_mass_and_measure_length():
    image = np.zeros((64, 64), np.float32)
    image[20:40, 10:50] = 1
    sums = (projector() @ image.ravel()).reshape(60, -1)
    np.testing.assert_allclose(sums.sum(1), 800, rtol=1e-5)
    assert sums[0].max() == pytest.approx(20)  # angle 0: rays along y
    assert sums[30].max() == pytest.approx(40)  # angle 90 degrees: rays along x


def test_back_projection_inverts_projection():
    y, x = np.mgrid[:64, :64] - 31.5
    disc = (np.hypot(x, y) < 20).astype(np.float32)
    again = back_project(projector() @ disc.reshape(-1, 1)).reshape(64, 64)
    assert abs(again[28:36, 28:36].mean() - 1) < 0.05
    assert abs(again[2:8, 2:8].mean()) < 0.05


def test_a_perfect_scanner_changes_nothing():
    volume = skull()
    np.testing.assert_allclose(expose(volume), volume[0][None], atol=1)


def test_beam_hardening_darkens_the_bar_between_dense_bones():
    plain, error = skull(bar=True), None
    error = expose(plain, hardening=1.0).astype(float)[0] - plain[0]
    middle = error[30:34, 31:33].mean()  # between the blocks
    behind = error[48:50, 31:33].mean()
    assert -60 < middle < -3
    assert behind > middle + 5


def test_noise_is_as_strong_as_asked_and_falls_with_thickness():
    water = np.zeros((1, 128, 128)) + 30
    thick = expose(water, noise_hu=4.0, slice_mm=5.0).astype(float)
    thin = expose(water, noise_hu=4.0, slice_mm=1.25).astype(float)
    assert thin.std() / thick.std() == pytest.approx(2, rel=0.03)  # sqrt(5 / 1.25)
    assert 2 < thick[0, 48:80, 48:80].std() < 9


def test_noise_differs_from_slice_to_slice_and_is_correlated_within():
    water = np.zeros((2, 128, 128))
    a, b = expose(water, noise_hu=20.0, grain_mm=1.6).astype(float)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05
    assert np.corrcoef(a[:, 1:].ravel(), a[:, :-1].ravel())[0, 1] > 0.2


def test_hu_are_clipped_to_12_bits_and_shifted_by_the_offset():
    volume = np.stack([np.full((64, 64), -4000.0), np.full((64, 64), 9000.0), np.full((64, 64), 30.0)])
    out = expose(volume, offset_hu=2.0)
    assert out.dtype == np.int16
    assert [int(v.flat[0]) for v in out] == [-1024, 3071, 32]


@pytest.mark.parametrize("size", [100, 128, 192])
def test_another_matrix_keeps_the_mean(size):
    image = np.random.default_rng(0).uniform(0, 1, (size, size)).astype(np.float32)
    assert _resize(image, (64, 64)).shape == (64, 64)
    assert _resize(image, (64, 64)).mean() == pytest.approx(image.mean(), abs=0.01)
    assert _resize(image[:64, :64], (size, size)).shape == (size, size)


def test_drawn_scanners_are_within_what_hospitals_have():
    for seed in range(10):
        drawn = draw_scanner(np.random.default_rng(seed))
        assert 2.5 < drawn.noise_hu < 4.5
        assert 0.5 < drawn.hardening < 1.5
