# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms.oct_fields import Grid, Waves, smoothstep


def test_grid_covers_2_by_6_by_6_mm_with_pixel_centres():
    # 4 rows of 0.5 mm, 3 columns of 2 mm, 2 slices of 3 mm
    grid = Grid((4, 3, 2))
    np.testing.assert_allclose(grid.z, [0.25, 0.75, 1.25, 1.75])
    np.testing.assert_allclose(grid.x, [1, 3, 5])
    np.testing.assert_allclose(grid.y, [1.5, 4.5])
    assert grid.row_mm == 0.5
    assert grid.column_mm == 2.0


@pytest.mark.parametrize(("y", "nearest"), [(0.0, 1.5), (2.9, 1.5), (3.1, 4.5), (6.0, 4.5)])
def test_nearest_slice(y, nearest):
    assert Grid((4, 3, 2)).nearest_slice(y) == nearest


def test_smoothstep_by_hand():
    # t = (v - 1) / 2 = 0, 0.25, 0.5, 1 and clipped; 3 t^2 - 2 t^3 at 0.25 is 0.1875 - 0.03125 = 0.15625
    np.testing.assert_allclose(
        smoothstep(np.array([-9, 1, 1.5, 2, 3, 9.0]), 1, 3), [0, 0, 0.15625, 0.5, 1, 1]
    )


def test_waves_are_cosines_of_position():
    # one wave: sqrt(2) cos(k x + phase); the product form must equal the direct sum
    waves = Waves(np.random.default_rng(0), (1.0, 2.0), count=1)
    y, x = np.array([0.0, 0.4]), np.array([0.0, 0.3, 2.0])
    kx, ky = waves._k[0, 1], waves._k[0, 2]
    expected = np.sqrt(2) * np.cos(ky * y[:, None] + kx * x + waves._phase[0])
    np.testing.assert_allclose(waves.en_face(y, x), expected, atol=1e-5)


def test_wavelength_lies_between_the_bounds_and_stretch_lengthens_it():
    rng = np.random.default_rng(1)
    flat = Waves(rng, (1.0, 2.0), count=200)
    lengths = 2 * np.pi / np.linalg.norm(flat._k, axis=1)
    assert lengths.min() >= 0.999
    assert lengths.max() <= 2.001
    assert not flat._k[:, 0].any()  # flat: nothing along depth
    long = Waves(np.random.default_rng(2), (1.0, 2.0), stretch=(1, 1, 3), flat=False)
    short = Waves(np.random.default_rng(2), (1.0, 2.0), flat=False)
    np.testing.assert_allclose(3 * long._k[:, 2], short._k[:, 2], rtol=1e-5)
    assert long._k[:, 0].any()


def test_waves_have_mean_0_and_variance_1():
    y = np.linspace(0, 60, 200)
    field = Waves(np.random.default_rng(3), (0.5, 1.0)).en_face(y, y)
    assert abs(field.mean()) < 0.05
    assert abs(field.std() - 1) < 0.1


def test_field_is_one_function_of_position_on_every_grid_and_slice():
    waves = Waves(np.random.default_rng(4), (0.5, 2.0), flat=False)
    x, y = np.linspace(0, 6, 7), np.linspace(0, 6, 5)
    np.testing.assert_allclose(waves.en_face(y, x)[::2], waves.en_face(y[::2], x), atol=1e-5)
    np.testing.assert_allclose(waves.b_scan(np.zeros(1), x, y[3])[0], waves.en_face(y, x)[3], atol=1e-5)
