# SPDX-License-Identifier: Apache-2.0
import os
from functools import partial

import numpy as np
import torch
from torch import nn

from tomobundles.data.volumes import ArrayVolume, RawVolume
from tomobundles.inferers.fingerprint import describe, fingerprint
from tomobundles.inferers.in_plane import InPlaneWindows
from tomobundles.inferers.plane_views import PlaneViews


def _volume(**changes):
    array = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    for place, value in changes.pop("voxels", {}).items():
        array[place] = value
    return ArrayVolume(array, **changes)


def _network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU())


def test_the_same_is_the_same():
    first = fingerprint(_volume(), _network(), windows=InPlaneWindows(), views=PlaneViews())
    assert first == fingerprint(_volume(), _network(), windows=InPlaneWindows(), views=PlaneViews())
    assert len(first) == 64


def test_wrappers_of_a_network_change_nothing():
    wrapped = nn.DataParallel(_network())
    assert fingerprint(_volume(), wrapped) == fingerprint(_volume(), _network())


def test_whatever_changes_the_result_changes_it():
    network, deeper, half = _network(), _network(), _network().to(torch.bfloat16)
    network[0].bias.data += 1e-6
    deeper[2] = nn.ELU()
    found = [
        fingerprint(_volume(), _network()),
        fingerprint(_volume(), network),
        fingerprint(_volume(), deeper),
        fingerprint(_volume(), half),
        fingerprint(_volume(), torch.sigmoid),
        fingerprint(_volume(), torch.tanh),
        fingerprint(_volume(spacing_um=(1, 1, 1)), _network()),
        fingerprint(_volume(meta={"path": "elsewhere"}), _network()),
        fingerprint(_volume(voxels={(2, 1, 1): 99}), _network()),
        fingerprint(_volume(), _network(), windows=InPlaneWindows()),
        fingerprint(_volume(), _network(), windows=InPlaneWindows(roi_size=(8, 8))),
        fingerprint(_volume(), _network(), views=PlaneViews(flips=True)),
    ]
    assert len(set(found)) == len(found)


def test_a_file_that_is_written_again(tmp_path):
    path = tmp_path / "volume.npy"
    np.save(path, np.zeros((2, 2, 2), np.float32))
    before = fingerprint(RawVolume(path), _network())
    assert before == fingerprint(RawVolume(path), _network())
    os.utime(path, ns=(1, 1))
    assert before != fingerprint(RawVolume(path), _network())


def test_a_folder_in_which_a_slice_is_written_again(tmp_path):
    for name in ("0.tif", "1.tif", "other.txt"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(1, 1))
    slices = {"path": str(tmp_path), "slice_files": ["0.tif", "1.tif"]}
    whole = {"path": str(tmp_path)}
    before = [fingerprint(_volume(meta=meta), None) for meta in (slices, whole)]
    os.utime(tmp_path / "other.txt", ns=(2, 2))
    assert fingerprint(_volume(meta=slices), None) == before[0]
    assert fingerprint(_volume(meta=whole), None) != before[1]
    os.utime(tmp_path / "1.tif", ns=(2, 2))
    assert fingerprint(_volume(meta=slices), None) != before[0]


def test_descriptions():
    class Plain:
        def __init__(self):
            self.size = (1, 2.5)

    assert describe({"a": [None, True, "x"]}) == {"a": [None, True, "x"]}
    assert describe(Plain())["size"] == [1, 2.5]
    assert describe(Plain())["class"].endswith("Plain")
    assert describe(Plain).endswith("Plain")
    assert describe(np.float32).startswith("numpy")
    assert describe(nn.Sigmoid()) == describe(nn.Sigmoid())
    assert describe(nn.Sigmoid()) != describe(nn.Tanh())
    assert "0x" not in str(describe(object()))
    assert describe(partial(torch.sigmoid)) == describe(partial(torch.sigmoid))
