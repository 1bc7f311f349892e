# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes import intensity as module
from tomobundles.data.volumes.intensity import measure_intensity
from tomobundles.utils import InputError

RNG = np.random.default_rng(0)


def _numpy(array, share):
    return np.percentile(array, share, method="inverted_cdf")


def test_by_hand():
    # ranks of 10 voxels: ceil(10 * 0.25) = 3 -> the third, ceil(10 * 0.9) = 9 -> the ninth
    grays = np.array([7, 1, 5, 3, 9, 11, 13, 15, 17, 19], np.uint8).reshape(2, 1, 5)
    assert measure_intensity(ArrayVolume(grays), lower=25, upper=90) == {
        "low": 5,
        "high": 17,
        "minimum": 1,
        "maximum": 19,
        "voxels": 10,
        "percentiles": [25.0, 90.0],
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("shares", [(0, 100), (10, 99.8), (33.3, 50)])
def test_small_integers_are_exact(dtype, shares):
    info = np.iinfo(dtype)
    array = RNG.integers(info.min, info.max, (7, 11, 13), dtype=dtype, endpoint=True)
    found = measure_intensity(ArrayVolume(array), lower=shares[0], upper=shares[1])
    assert [found["low"], found["high"]] == [_numpy(array, share) for share in shares]
    assert [found["minimum"], found["maximum"]] == [array.min(), array.max()]
    json.dumps(found)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_wide_integers_are_exact_over_few_levels(dtype):
    array = (RNG.integers(0, 60000, (6, 20, 20)) + 3_000_000).astype(dtype)
    found = measure_intensity(ArrayVolume(array))
    assert [found["low"], found["high"]] == [_numpy(array, 10), _numpy(array, 99.8)]


def test_an_extreme_integer_does_not_coarsen_the_rest():
    array = RNG.integers(0, 3000, (6, 20, 20)).astype(np.int32)
    array[0, 0, 0] = 2**31 - 1
    found = measure_intensity(ArrayVolume(array))
    assert [found["low"], found["high"]] == [_numpy(array, 10), _numpy(array, 99.8)]
    assert found["maximum"] == 2**31 - 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_within_half_a_level(dtype):
    array = RNG.normal(0, 1, (8, 20, 20)).astype(dtype)
    found = measure_intensity(ArrayVolume(array))
    level = (float(array.max()) - float(array.min())) / 65535
    assert found["low"] == pytest.approx(float(_numpy(array, 10)), abs=0.51 * level)
    assert found["high"] == pytest.approx(float(_numpy(array, 99.8)), abs=0.51 * level)


def test_an_extreme_float_does_not_coarsen_the_rest():
    array = RNG.random((8, 20, 20)).astype(np.float32)
    array[3, 3, 3] = 1e9
    found = measure_intensity(ArrayVolume(array))
    assert found["low"] == pytest.approx(_numpy(array, 10), abs=1e-3)
    assert found["high"] == pytest.approx(_numpy(array, 99.8), abs=1e-3)


def test_bool_volumes_count():
    found = measure_intensity(ArrayVolume(RNG.random((4, 5, 6)) > 0.5))
    assert (found["low"], found["high"]) == (0, 1)


def test_chunks_do_not_matter(monkeypatch, capsys):
    array = RNG.integers(0, 65536, (5, 9, 11), dtype=np.uint16)
    whole = measure_intensity(ArrayVolume(array))
    monkeypatch.setattr(module, "CHUNK", 40)
    assert measure_intensity(ArrayVolume(array), progress=True) == whole
    assert "grays" in capsys.readouterr().err


def test_scaling_moves_the_percentiles_with_it():
    array = RNG.integers(0, 30000, (5, 20, 20), dtype=np.uint16)
    once, twice = measure_intensity(ArrayVolume(array)), measure_intensity(ArrayVolume(array * 2 + 1))
    assert (twice["low"], twice["high"]) == (2 * once["low"] + 1, 2 * once["high"] + 1)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_refuses_a_constant_volume(dtype):
    with pytest.raises(InputError, match=r"flat\.tif\nevery voxel is 7"):
        measure_intensity(ArrayVolume(np.full((3, 4, 5), 7, dtype), meta={"path": "flat.tif"}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_nan_and_infinite_voxels(value):
    array = RNG.random((3, 4, 5)).astype(np.float32)
    array[2, 3, 4] = value
    with pytest.raises(InputError, match=r"bad\.npy\nNaN or infinite"):
        measure_intensity(ArrayVolume(array, meta={"path": "bad.npy"}))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_refuses_one_gray_at_both_percentiles(dtype):
    array = np.zeros((10, 20, 20), dtype)
    array[0, 0, 0] = 1
    with pytest.raises(InputError, match=r"the gray is \S+ at both 10 and 99.8 %"):
        measure_intensity(ArrayVolume(array))


@pytest.mark.parametrize("shares", [(50, 50), (-1, 50), (10, 101)])
def test_refuses_bad_percentiles(shares):
    with pytest.raises(InputError, match="percentiles"):
        measure_intensity(ArrayVolume(np.zeros((1, 1, 1))), lower=shares[0], upper=shares[1])
