# SPDX-License-Identifier: Apache-2.0
"""Masks that the tests of writers share, and a disk that is full."""

import errno

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.utils import InputError

SPACING = (63.0, 50.5, 50.0)


def mask_array(shape=(5, 7, 6), seed=0):
    return (np.random.default_rng(seed).random(shape) < 0.3).astype(np.uint8)


def mask_volume(shape=(5, 7, 6), *, spacing_um=SPACING, seed=0, **meta):
    return ArrayVolume(mask_array(shape, seed), spacing_um=spacing_um, meta=meta)


def probability_volume(shape=(5, 7, 6), *, spacing_um=SPACING, **meta):
    array = np.random.default_rng(1).random(shape, dtype=np.float32)
    return ArrayVolume(array, spacing_um=spacing_um, meta=meta)


class FullDisk(ArrayVolume):
    """Raises what a full disk raises, once its second slab is asked for."""

    calls = 0

    def _read(self, box):
        self.calls += 1
        if self.calls > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super()._read(box)


def thin_slabs(monkeypatch):
    """Have every writer walk in slabs of two slices."""
    monkeypatch.setattr("tomobundles.data.volumes.writing.slab_thickness", lambda shape, axis: 2)


def check_full_disk(write, target):
    """A writer that meets a full disk half-way says so and leaves nothing, or what was there."""
    volume = FullDisk(mask_array(), spacing_um=SPACING)
    before = sorted(path.name for path in target.parent.iterdir())
    with pytest.raises(InputError, match=r"no space left on the disk; writing this takes up to \d") as caught:
        write(volume, target)
    assert caught.value.path == str(target)
    assert sorted(path.name for path in target.parent.iterdir()) == before
