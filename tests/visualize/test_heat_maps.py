# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.heat_maps import HEAT_ALPHA, blend_heat, resize_heat, scale_heat

RED = [(200, 0, 0), (0, 200, 0)]


def test_heat_by_hand():
    cam = np.array([[[4.0, 1, 2]], [[2, 0, -1]]])  # (2, 1, 3)
    heat = scale_heat(cam, np.array([0.1, 0.5, 0.8]), 0.5)
    # Slices 1 and 2 are called; the higher peak there is 2. Slice 0: 4 / 2 is cut at 1.
    np.testing.assert_allclose(heat, [[[0.1, 0.25, 0.8]], [[0.1, 0, 0]]], rtol=1e-6)
    assert heat.dtype == np.float32


def test_without_a_called_slice_all_count():
    heat = scale_heat(np.array([[[4.0, 1]]]), np.array([0.1, 0.2]), 0.5)
    np.testing.assert_allclose(heat, [[[0.1, 0.05]]], rtol=1e-6)


def test_negative_slices_never_glow():
    rng = np.random.default_rng(0)
    probability = rng.random(20).astype(np.float32)
    cam = rng.exponential(1, (4, 4, 20)) * (1 + 100 * (probability < 0.5))  # strongest where not called
    heat = scale_heat(cam, probability, 0.5)
    assert (heat.max(axis=(0, 1)) <= probability).all()
    assert heat.max() > 0.9 * probability[probability >= 0.5].min()


@pytest.mark.parametrize("cam", [np.zeros((2, 2, 2)), np.full((2, 2, 2), -1.0)])
def test_no_activation_is_no_heat(cam):
    assert not scale_heat(cam, np.ones(2), 0.5).any()


def test_heat_does_not_depend_on_the_activation_unit():
    cam, probability = np.random.default_rng(0).random((3, 3, 4)), np.array([0.2, 0.6, 0.9, 0.1])
    np.testing.assert_allclose(
        scale_heat(cam, probability, 0.5), scale_heat(cam * 1e-6, probability, 0.5), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("cam", "probability", "message"),
    [
        (np.zeros((2, 2)), np.zeros(2), "activation of shape"),
        (np.zeros((2, 2, 3)), np.zeros(2), "activation of shape"),
        (np.full((1, 1, 1), np.nan), np.zeros(1), "activation holds NaN"),
        (np.zeros((1, 1, 1)), np.array([1.5]), "probabilities outside 0-1"),
        (np.zeros((1, 1, 1)), np.array([np.nan]), "probabilities outside 0-1"),
    ],
)
def test_wrong_activation(cam, probability, message):
    with pytest.raises(InputError, match=message):
        scale_heat(cam, probability, 0.5)


def test_resize_keeps_the_field_of_view():
    # Pixel centres of 4 columns lie at -0.25, 0.25, 0.75, 1.25 of the two cells; edges hold.
    np.testing.assert_allclose(resize_heat(np.array([[0.0, 1.0]]), 1, 4), [[0, 0.25, 0.75, 1]], atol=1e-6)
    np.testing.assert_allclose(
        resize_heat(np.array([[0.0], [1.0]]), 4, 1)[:, 0], [0, 0.25, 0.75, 1], atol=1e-6
    )
    same = np.random.default_rng(0).random((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(resize_heat(same, 5, 3), same)


def test_blend():
    gray = np.full((5, 5), 100, np.uint8)
    heat = np.zeros((5, 5), np.float32)
    heat[1:4, 1:4] = 1
    drawn = blend_heat(gray, {0: heat}, colors=RED)
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert drawn[1, 1].tolist() == [200, 0, 0]  # outline
    inside = [round((1 - HEAT_ALPHA) * 100 + HEAT_ALPHA * 200), *[round((1 - HEAT_ALPHA) * 100)] * 2]
    assert drawn[2, 2].tolist() == inside


def test_no_heat_leaves_no_trace():
    gray = np.arange(25, dtype=np.uint8).reshape(5, 5)
    for heats in ({}, {1: np.zeros((5, 5), np.float32)}):
        drawn = blend_heat(gray, heats, colors=RED)
        np.testing.assert_array_equal(drawn, np.repeat(gray[..., None], 3, axis=2))


def test_heat_of_another_shape():
    with pytest.raises(InputError, match="do not fit"):
        blend_heat(np.zeros((5, 5), np.uint8), {0: np.zeros((4, 5))}, colors=RED)
