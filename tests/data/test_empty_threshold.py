# SPDX-License-Identifier: Apache-2.0
import json
import math

import numpy as np
import pytest
import torch

from tomobundles.data.empty_threshold import (
    SurroundingGray,
    load_empty_threshold,
    training_empty_threshold,
)
from tomobundles.data.phantoms.kidney import kidney_phantom
from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.intensity import measure_intensity
from tomobundles.data.volumes.normalised import NormalisedVolume
from tomobundles.inferers.empty_tiles import EmptyTiles
from tomobundles.inferers.in_plane import InPlaneWindows
from tomobundles.utils import InputError


def _volumes(grays, label):
    return ArrayVolume(np.asarray(grays, np.float32)), ArrayVolume(np.asarray(label, np.uint8))


def _half_tissue():
    """16 slices of 16 x 16: rows from 8 on are tissue of gray 0.8, one voxel of it dark and labelled."""
    grays, label = np.zeros((16, 16, 16)), np.zeros((16, 16, 16))
    grays[:, 8:] = 0.8
    grays[4, 12, 4] = 0
    label[4, 12, 4] = 255
    return _volumes(grays, label)


def test_by_hand():
    found = SurroundingGray(block=4, reach=0, axes=["z"])
    found.add(*_half_tissue())
    assert found.least == 0
    assert found.labelled == pytest.approx(0.8 * 15 / 16)
    assert found.threshold() == pytest.approx(0.75 * 0.3)
    assert found.share_below(0.5625) == 0.5
    assert found.threshold(margin=1) is None  # nothing is darker than the darkest
    assert found.threshold(least_share=0.6) is None
    wider = SurroundingGray(block=4, reach=1, axes=["z"])
    wider.add(*_half_tissue())
    assert wider.labelled == pytest.approx(0.8)
    assert wider.share_below(0.5) == 0.25  # one row of blocks of four: the second has tissue next to it


@pytest.mark.parametrize("memory_mb", [1e-6, 16 * 34 * 28 * 9 / 1e6, 100])
def test_slabs_give_what_the_whole_volume_gives(memory_mb):
    generator = np.random.default_rng(5)
    image, label = _volumes(generator.random((21, 34, 28)), generator.random((21, 34, 28)) < 0.001)
    for axes in (["z"], ["y"], ["x", "z"]):
        whole, slabbed = (SurroundingGray(block=4, reach=2, axes=axes) for _ in range(2))
        whole.add(image, label, memory_mb=1e6)
        slabbed.add(image, label, memory_mb=memory_mb)
        assert slabbed.least == pytest.approx(whole.least, abs=1e-6)
        assert slabbed.labelled == pytest.approx(whole.labelled, abs=1e-6)
        assert slabbed.share_below(0.55) == pytest.approx(whole.share_below(0.55), abs=0.01)


def test_nothing_is_skipped_where_tissue_and_emptiness_do_not_separate():
    grays, label = np.random.default_rng(0).random((8, 32, 32)), np.ones((8, 32, 32))
    found = SurroundingGray(axes=["z"])
    found.add(*_volumes(grays, label))  # the emptiest block is labelled
    assert found.threshold() is None
    empty = SurroundingGray()
    empty.add(*_volumes(grays, label * 0))
    assert math.isinf(empty.labelled)
    assert empty.threshold() is None


def test_bad_volumes():
    image, _ = _half_tissue()
    _, label = _volumes(np.zeros((1, 1, 1)), np.zeros((2, 16, 16)))
    with pytest.raises(InputError, match=r"image is \(16, 16, 16\), label \(2, 16, 16\)"):
        SurroundingGray().add(image, label)

    class Broken(ArrayVolume):  # plain volumes refuse NaN themselves
        def read(self, box):
            return np.full_like(self.array[box], np.nan)

    with pytest.raises(InputError, match="not finite"):
        SurroundingGray().add(Broken(image.array), image)


def _items():
    image, label = _half_tissue()
    image.meta["path"] = "set/kidney_1/images"
    return [{"image": image, "label": label}]


def test_kept_beside_the_weights_and_read_back(tmp_path, caplog):
    path = tmp_path / "empty.json"
    found = training_empty_threshold(_items(), path=path, axes=["z"], block=4, reach=0)
    assert found["threshold"] == pytest.approx(0.225)
    assert load_empty_threshold(path) == found
    assert "kidney" not in path.read_text()
    changed = _items()
    changed[0]["image"].array[:] = 1
    assert training_empty_threshold(changed, path=path, axes=["z"], block=4, reach=0) == found
    with caplog.at_level("INFO", logger="tomobundles"):
        other = training_empty_threshold(changed, path=path, axes=["z"], block=4, reach=1)
    assert other["threshold"] is None
    assert "no tile will be skipped" in caplog.text
    skip = EmptyTiles(**{key: value for key, value in other.items() if key != "training_set"})
    assert skip.tissue(torch.zeros(1, 1, 8, 8)) is None


def test_no_usable_file(tmp_path):
    path = tmp_path / "empty.json"
    with pytest.raises(InputError, match="no gray of empty tiles"):
        load_empty_threshold(path)
    whole = {"threshold": 0.5, "block": 8, "reach": 4, "training_set": ""}
    for text in ("[]", "no", json.dumps({**whole, "block": None}), '{"threshold": 1}'):
        path.write_text(text)
        with pytest.raises(InputError, match="no gray of empty tiles"):
            load_empty_threshold(path)
    for change in ({"threshold": math.nan}, {"block": 0}, {"reach": -1}):
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(InputError, match="not usable"):
            load_empty_threshold(path)


@pytest.fixture(scope="module")
def kidneys():
    """Phantoms of five seeds, normalised, with their labels."""
    found = []
    for seed in range(5):
        phantom = kidney_phantom(shape=(56, 88, 96), seed=seed)
        image = ArrayVolume(phantom.image)
        range_ = measure_intensity(image)
        normalised = NormalisedVolume(image, low=range_["low"], high=range_["high"])
        found.append({"image": normalised, "label": ArrayVolume(phantom.label)})
    return found


def _dropped(item, skip, *, axis, roi_size, overlap):
    """Labelled voxels that no computed tile covers, and the share of tiles that were computed."""
    planes, labels = (
        torch.from_numpy(np.moveaxis(item[key].read_all(), axis, 0).copy()).unsqueeze(1)
        for key in ("image", "label")
    )
    computed = []

    def network(tiles):
        computed.append(len(tiles))
        return torch.ones_like(tiles)

    windows = InPlaneWindows(roi_size=roi_size, overlap=overlap, skip=skip)
    covered = windows(planes, network)
    skipped, computed[:] = sum(computed), []
    windows.skip = None
    windows(planes, network)
    return int(((labels > 0) & (covered < 1)).sum()), skipped / sum(computed)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("roi_size", "overlap"), [((16, 16), 0.25), ((24, 40), 0.5), ((13, 7), 0.0)])
def test_no_labelled_voxel_of_the_phantom_is_dropped(kidneys, tmp_path, axis, roi_size, overlap):
    """Neither of the kidneys that the gray was learned from, nor of others, which it has never seen."""
    found = training_empty_threshold(kidneys[:2], path=tmp_path / "empty.json")
    skip = EmptyTiles(threshold=found["threshold"], block=found["block"], reach=found["reach"])
    computed = []
    for item in kidneys:
        dropped, share = _dropped(item, skip, axis=axis, roi_size=roi_size, overlap=overlap)
        assert dropped == 0
        computed.append(share)
    assert np.mean(computed) < 0.95  # and it does skip
