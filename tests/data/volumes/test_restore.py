# SPDX-License-Identifier: Apache-2.0
"""Probabilities go back to the grid that the volume came on."""

import numpy as np
import pytest

from tomobundles.data import RestoreGridd
from tomobundles.data.volumes import ArrayVolume, ResampledVolume


@pytest.fixture
def native():
    rng = np.random.default_rng(0)
    meta = {"slice_names": [f"{index:04d}" for index in range(6)], "path": "/scans/kidney"}
    return ArrayVolume(rng.integers(0, 99, (6, 8, 10)).astype(np.uint16), spacing_um=(60, 50, 50), meta=meta)


def test_what_is_on_the_grid_stays(native):
    found = ArrayVolume(np.zeros(native.shape, np.float32), spacing_um=native.spacing_um)
    result = RestoreGridd()({"pred": found, "native": native, "other": 1})
    assert result == {"pred": found, "native": native, "other": 1}


def test_another_grid_goes_back_with_names(native):
    """A ramp along columns on voxels of half the size: each native voxel is the mean of its two."""
    fine = np.broadcast_to(np.arange(20, dtype=np.float32) / 20, (6, 8, 20))
    found = ArrayVolume(np.ascontiguousarray(fine), spacing_um=(60, 50, 25))
    data = {"pred": found, "native": native}
    result = RestoreGridd()(data)
    assert data["pred"] is found
    restored = result["pred"]
    assert (restored.shape, restored.spacing_um) == (native.shape, native.spacing_um)
    assert restored.meta["slice_names"] == native.meta["slice_names"]
    np.testing.assert_allclose(restored.read_all()[2, 3, 1:-1], (2 * np.arange(1, 9) + 0.5) / 20, rtol=1e-6)


def test_the_same_shape_at_another_voxel_size_goes_back_too(native):
    found = ArrayVolume(np.zeros(native.shape, np.float32), spacing_um=(60, 50, 49.9))
    assert isinstance(RestoreGridd()({"pred": found, "native": native})["pred"], ResampledVolume)


def test_a_label_gives_way_to_the_one_it_came_from(native):
    data = {"pred": native, "native": native, "label": "resampled", "native_label": "own"}
    assert RestoreGridd()(data)["label"] == "own"
    named = {"found": native, "grid": native, "mask": "resampled", "grid_mask": "own"}
    assert RestoreGridd("found", native_key="grid", label_key="mask")(named)["mask"] == "own"


def test_missing_keys(native):
    assert RestoreGridd(allow_missing_keys=True)({"native": native}) == {"native": native}
    with pytest.raises(KeyError, match="pred"):
        RestoreGridd()({"native": native})
