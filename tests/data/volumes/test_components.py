# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
from scipy import ndimage

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.components import hysteresis_volume, remove_small_components
from tomobundles.data.volumes.labelling import ComponentStats
from tomobundles.utils import InputError

from .writer_cases import check_full_disk, mask_volume

REACH = {6: 1, 18: 2, 26: 3}


def whole(mask, connectivity):
    return ndimage.label(mask, structure=ndimage.generate_binary_structure(3, REACH[connectivity]))


def without_small(mask, min_voxels, connectivity):
    """The plain way, with the whole volume in memory."""
    labels, count = whole(mask, connectivity)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    return ((sizes >= min_voxels)[labels] & (mask > 0)).astype(np.uint8)


def remove(mask, tmp_path, **options):
    return remove_small_components(ArrayVolume(mask), store_path=tmp_path / "kept.npy", **options)


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("density", [0.08, 0.12, 0.3])
def test_random_masks_equal_the_whole_at_any_thickness(tmp_path, connectivity, density):
    mask = (np.random.default_rng(7).random((9, 12, 11)) < density).astype(np.uint8)
    expected = without_small(mask, 3, connectivity)
    assert 0 < expected.sum() < mask.sum()
    for thickness in range(1, 11):
        kept = remove(mask, tmp_path, min_voxels=3, connectivity=connectivity, thickness=thickness)
        assert np.array_equal(kept.read_all(), expected), thickness


def spiral():
    """One thin tube that winds through all slices, and another that leaves and comes back."""
    mask = np.zeros((12, 15, 15), np.uint8)
    for step in range(240):
        angle = step / 10
        centre = 7 + 5 * np.array([np.sin(angle), np.cos(angle)])
        mask[(step // 20, *np.rint(centre).astype(int))] = 1
    mask[2:9, 7, 7] = mask[2, 7, 7:10] = 1  # a hook whose two arms join in the last slab only
    mask[2:9, 7, 10] = mask[8, 7, 7:11] = 1
    mask[0, 0, 0] = mask[11, 14, 14] = 1  # specks in the corners
    return mask


@pytest.mark.parametrize("thickness", [1, 2, 3, 5, 12, 50])
@pytest.mark.parametrize("min_voxels", [2, 10, 30, 1000])
def test_structured_mask(tmp_path, thickness, min_voxels):
    kept = remove(spiral(), tmp_path, min_voxels=min_voxels, thickness=thickness)
    assert np.array_equal(kept.read_all(), without_small(spiral(), min_voxels, 26))


@pytest.mark.parametrize(
    ("offset", "joined"),
    [((1, 0, 0), {6, 18, 26}), ((1, 1, 0), {18, 26}), ((1, 0, -1), {18, 26}), ((1, -1, 1), {26})],
)
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_neighbours_across_a_face(tmp_path, offset, joined, connectivity):
    mask = np.zeros((2, 3, 3), np.uint8)
    mask[0, 1, 1] = mask[(offset[0], 1 + offset[1], 1 + offset[2])] = 1
    kept = remove(mask, tmp_path, min_voxels=2, connectivity=connectivity, thickness=1)
    assert bool(kept.read_all().any()) == (connectivity in joined)


def test_counts(tmp_path, caplog):
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[:, 0, 0] = 1  # 4 voxels
    mask[3, 3, 2:] = 1  # 2
    mask[0, 3, 3] = 1  # 1
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        kept = remove(mask, tmp_path, min_voxels=2, thickness=1)
    assert kept.meta["components"] == ComponentStats(kept=2, removed=1, kept_voxels=6, removed_voxels=1)
    assert "components: 2 kept (6 voxels), 1 removed (1 voxels)" in caplog.text


@pytest.mark.parametrize("min_voxels", [-1, 0, 1])
def test_nothing_to_remove(tmp_path, min_voxels):
    mask = mask_volume()
    kept = remove_small_components(mask, min_voxels=min_voxels, store_path=tmp_path / "kept.npy")
    assert np.array_equal(kept.read_all(), mask.array)
    assert kept.meta["components"].removed == 0


def test_empty_mask(tmp_path):
    kept = remove(np.zeros((3, 2, 2), np.uint8), tmp_path, min_voxels=5, thickness=1)
    assert not kept.read_all().any()
    assert kept.meta["components"] == ComponentStats(0, 0, 0, 0)


def test_slab_without_a_component_between_others(tmp_path):
    mask = np.zeros((3, 2, 2), np.uint8)
    mask[0, 0, 0] = mask[2] = 1
    kept = remove(mask, tmp_path, min_voxels=2, thickness=1)
    assert kept.read_all().sum(axis=(1, 2)).tolist() == [0, 0, 4]


def test_result_is_a_volume_of_the_input(tmp_path):
    mask = mask_volume(form="tiff_stack", path="k/images", slice_files=["a"] * 5)
    kept = remove_small_components(mask, min_voxels=3, store_path=tmp_path / "new" / "kept.npy")
    assert kept.file == tmp_path / "new" / "kept.npy"
    assert kept.dtype == np.uint8
    assert kept.spacing_um == mask.spacing_um
    assert kept.meta["slice_files"] == ["a"] * 5
    assert kept.path == "k/images"


class OnlySlabs(ArrayVolume):
    """Counts the slices that are read; a box of more than two fails."""

    read_slices = 0

    def _read(self, box):
        assert box[0].stop - box[0].start <= 2
        self.read_slices += box[0].stop - box[0].start
        return super()._read(box)


def test_mask_is_read_once_slab_by_slab(tmp_path):
    mask = OnlySlabs(spiral())
    remove_small_components(mask, min_voxels=10, store_path=tmp_path / "kept.npy", thickness=2)
    assert mask.read_slices == 12


def test_bad_connectivity(tmp_path):
    with pytest.raises(InputError, match="connectivity 8\ngive 6, 18 or 26"):
        remove(spiral(), tmp_path, min_voxels=2, connectivity=8)


def test_values_other_than_0_and_1(tmp_path):
    with pytest.raises(InputError, match="mask holds values from 0 to 255"):
        remove(spiral() * 255, tmp_path, min_voxels=2)
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path):
    def write(volume, target):
        remove_small_components(volume, min_voxels=2, store_path=target, thickness=2)

    check_full_disk(write, tmp_path / "kept.npy")


def smooth_noise():
    noise = ndimage.gaussian_filter(np.random.default_rng(3).random((10, 20, 20)), 1)
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


@pytest.mark.parametrize("thickness", [1, 2, 3, 4, 7, 10])
@pytest.mark.parametrize("connectivity", [6, 26])
def test_hysteresis_equals_the_whole(tmp_path, thickness, connectivity):
    probability = smooth_noise()
    labels, _ = whole(probability >= 0.6, connectivity)
    expected = np.isin(labels, np.setdiff1d(labels[probability >= 0.8], [0]))
    assert 0 < expected.sum() < (labels > 0).sum()
    options = {"low": 0.6, "high": 0.8, "connectivity": connectivity, "thickness": thickness}
    kept = hysteresis_volume(ArrayVolume(probability), store_path=tmp_path / "kept.npy", **options)
    assert kept.dtype == np.uint8
    assert np.array_equal(kept.read_all(), expected.astype(np.uint8))


def test_hysteresis_by_hand(tmp_path):
    line = np.array([0.2, 0.5, 0.9, 0.5, 0.1, 0.6, 0.7, 0.0], np.float32).reshape(-1, 1, 1)
    kept = hysteresis_volume(ArrayVolume(line), low=0.5, high=0.8, store_path=tmp_path / "k.npy", thickness=2)
    assert kept.read_all().ravel().tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    assert kept.meta["components"] == ComponentStats(kept=1, removed=1, kept_voxels=3, removed_voxels=2)


def test_hysteresis_of_equal_thresholds_is_a_threshold(tmp_path):
    probability = smooth_noise()
    kept = hysteresis_volume(ArrayVolume(probability), low=0.7, high=0.7, store_path=tmp_path / "k.npy")
    assert np.array_equal(kept.read_all(), probability >= 0.7)


def test_hysteresis_of_thresholds_in_the_wrong_order(tmp_path):
    with pytest.raises(InputError, match=r"low threshold 0\.6 above the high one, 0\.5"):
        hysteresis_volume(ArrayVolume(smooth_noise()), low=0.6, high=0.5, store_path=tmp_path / "k.npy")
