# SPDX-License-Identifier: Apache-2.0
import itertools
import logging

import numpy as np
import pytest
import torch
from torch import nn

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.probability_store import ProbabilityFolder
from tomobundles.inferers import InPlaneWindows, SliceStackInferer
from tomobundles.inferers.empty_tiles import EmptyTiles
from tomobundles.inferers.finish import CentreProbability
from tomobundles.inferers.in_plane import Chain, PadToMultiple
from tomobundles.inferers.interfaces import BoxReader, Store
from tomobundles.inferers.plane_views import PlaneViews
from tomobundles.inferers.volume_inferer import VolumeInferer
from tomobundles.utils import InputError

SHAPE = (17, 33, 29)
THREE = ("z", "y", "x")
STEP = 1 / 65535  # of what is stored


class Net(nn.Module):
    """A network with a neighbourhood, that counts its calls and fails after ``fail_at`` of them."""

    def __init__(self, num_slices=3, *, divisor=1, fail_at=None, channels=1):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(num_slices, 4, 3, padding=1), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Conv2d(4, channels, 3, padding=1)
        self.divisor = divisor
        self.fail_at = fail_at
        self.calls = 0
        self.seen = []

    def forward(self, stacks):
        assert not self.training
        assert not any(size % self.divisor for size in stacks.shape[-2:])
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        self.calls += 1
        self.seen.append(tuple(stacks.shape))
        return 8 * self.head(self.body(stacks))


def _volume(shape=SHAPE, **options):
    return ArrayVolume(np.random.default_rng(3).random(shape, dtype=np.float32), **options)


def _inferer(root, **options):
    return VolumeInferer(store=ProbabilityFolder(root), **({"progress": False, "memory_mb": 0.2} | options))


def _directly(array, network, *, axes, num_slices):
    """Whole slices one by one, float64 mean over the axes."""
    half, total = num_slices // 2, 0
    with torch.no_grad():
        for axis in axes:
            planes = torch.from_numpy(np.moveaxis(array, "zyx".index(axis), 0).copy())
            padded = torch.cat([planes[:1]] * half + [planes] + [planes[-1:]] * half)
            answers = [network.eval()(padded[None, k : k + num_slices])[0, 0] for k in range(len(planes))]
            found = torch.stack(answers).sigmoid().double().numpy()
            total = total + np.moveaxis(found, 0, "zyx".index(axis))
    return total / len(axes)


@pytest.mark.parametrize("axes", [("z",), THREE, ("x", "y")])
@pytest.mark.parametrize("num_slices", [1, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_equals_the_direct_way(tmp_path, axes, num_slices, batch_size):
    network, volume = Net(num_slices), _volume()
    inferer = _inferer(tmp_path, axes=axes, num_slices=num_slices, batch_size=batch_size)
    found = inferer(volume, network).read_all()
    expected = _directly(volume.array, network, axes=axes, num_slices=num_slices)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < STEP
    assert found.max() - found.min() > 0.3


@pytest.mark.parametrize("views", [None, PlaneViews(flips=True, quarter_turns=True)])
@pytest.mark.parametrize("roi_size", [None, (16, 16), (16, 40)])
def test_equals_the_path_in_memory_with_tiles_views_and_padding(tmp_path, roi_size, views):
    network, volume = Net(divisor=8), _volume()
    windows = InPlaneWindows(roi_size=roi_size)
    found = _inferer(tmp_path, axes=THREE, windows=windows, views=views, batch_size=3)(volume, network)
    steps = Chain(windows, views, PadToMultiple(8))
    passes = [
        SliceStackInferer(slice_dim=dim, windows=steps, activate=CentreProbability())(
            torch.from_numpy(volume.array)[None, None], network.eval()
        )[0, 0].numpy()
        for dim in (-3, -2, -1)
    ]
    assert np.abs(found.read_all() - np.mean(passes, axis=0)).max() < STEP
    assert found.shape == SHAPE


@pytest.mark.parametrize("memory_mb", [1e-9, 0.1, 0.5, 100])
def test_slabs_of_any_thickness_give_the_same(tmp_path, memory_mb):
    network, volume = Net(5), _volume()
    inferer = _inferer(tmp_path, axes=THREE, num_slices=5, memory_mb=memory_mb)
    expected = _directly(volume.array, network, axes=THREE, num_slices=5)
    assert np.abs(inferer(volume, network).read_all() - expected).max() < STEP


def test_every_slice_goes_through_once_and_training_mode_is_put_back(tmp_path):
    network = Net().train()
    _inferer(tmp_path, axes=THREE, batch_size=4)(_volume(), network)
    assert sum(shape[0] for shape in network.seen) == sum(SHAPE)
    assert network.training


def test_networks_of_three_maps_answer_with_the_middle_one(tmp_path):
    network, volume = Net(channels=3), _volume()
    found = _inferer(tmp_path)(volume, network).read_all()
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(volume.array[4:7])[None])[0, 1].sigmoid()
    assert np.abs(found[5] - expected.numpy()).max() < STEP


def test_functions_are_networks_too(tmp_path):
    volume = _volume()
    found = _inferer(tmp_path, axes=THREE, activate=nn.Identity())(volume, lambda stacks: stacks[:, 1:2])
    assert np.abs(found.read_all() - volume.array).max() < STEP


def test_bf16_and_channels_last_are_close(tmp_path):
    network, volume = Net(), _volume()
    exact = _inferer(tmp_path)(volume, network).read_all()
    rounded = _inferer(tmp_path, bf16=True, channels_last=True)(volume, network).read_all()
    assert 0 < np.abs(rounded - exact).max() < 0.05


def test_voxel_size_and_meta_stay(tmp_path):
    volume = _volume(spacing_um=(3, 2, 1), meta={"path": "there/kidney", "slice_names": ["a"]})
    found = _inferer(tmp_path)(volume, Net())
    assert found.spacing_um == (3, 2, 1)
    assert found.meta == volume.meta
    assert [folder.name[:13] for folder in tmp_path.iterdir()] == ["there_kidney-"]


def test_empty_tiles_are_zero_and_not_computed(tmp_path):
    array = np.zeros((8, 32, 32), dtype=np.float32)
    array[:, 20:, 20:] = 1
    windows = InPlaneWindows(roi_size=(16, 16), overlap=0, skip=EmptyTiles(threshold=0.5, reach=0))
    network = Net()
    found = _inferer(tmp_path, windows=windows)(ArrayVolume(array), network).read_all()
    assert network.calls == 8
    assert (found[:, 16:, 16:] > 0).all()
    assert not found[:, :16].any()
    assert not found[:, 16:, :16].any()


def _run_until(root, fail_at, **options):
    network = Net(fail_at=fail_at)
    with pytest.raises(KeyboardInterrupt):
        _inferer(root, axes=THREE, **options)(_volume(), network)
    return network.calls


@pytest.mark.parametrize("fail_at", [0, 1, 9, 16, 17, 40, 78])
def test_an_interrupted_run_goes_on_and_ends_the_same(tmp_path, fail_at, caplog):
    whole = Net()
    expected = _inferer(tmp_path / "whole", axes=THREE)(_volume(), whole).read_all()
    assert whole.calls == sum(SHAPE)
    assert _run_until(tmp_path / "torn", fail_at) == fail_at
    network = Net()
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        found = _inferer(tmp_path / "torn", axes=THREE)(_volume(), network).read_all()
    assert np.array_equal(found, expected)
    # not one finished slab is computed again: at most the slab it died in
    again = network.calls + fail_at - sum(SHAPE)
    assert 0 <= again < 12  # 0.2 MB at 32 bytes a voxel hold 12 slices along y, 2 of them neighbours
    done = sum(SHAPE) - network.calls
    assert (f"{done} of them done before" in caplog.text) == (done > 0)


def test_interrupted_again_and_again(tmp_path):
    expected = _inferer(tmp_path / "whole", axes=THREE)(_volume(), Net()).read_all()
    for attempt in itertools.count():
        network = Net(fail_at=15)
        try:
            found = _inferer(tmp_path / "torn", axes=THREE)(_volume(), network).read_all()
            break
        except KeyboardInterrupt:
            assert attempt < 20
    assert attempt > 2
    assert np.array_equal(found, expected)


def test_memory_batch_and_progress_may_change_on_the_way(tmp_path):
    _run_until(tmp_path, 40)
    network = Net()
    inferer = _inferer(tmp_path, axes=THREE, memory_mb=0.1, batch_size=2, progress=True)
    found = inferer(_volume(), network).read_all()
    assert sum(shape[0] for shape in network.seen) < sum(SHAPE) - 20
    expected = _directly(_volume().array, network, axes=THREE, num_slices=3)
    assert np.abs(found - expected).max() < STEP


def test_what_is_finished_is_not_computed_again(tmp_path):
    expected = _inferer(tmp_path)(_volume(), Net()).read_all()
    assert np.array_equal(_inferer(tmp_path)(_volume(), Net(fail_at=0)).read_all(), expected)


def test_another_volume_network_or_setting_starts_anew(tmp_path):
    network = Net()
    _inferer(tmp_path)(_volume(), network)
    other = ArrayVolume(_volume().array[::-1].copy())
    changed = Net()
    changed.head.bias.data += 1
    again = [
        (other, Net(), {}),
        (_volume(), changed, {}),
        (_volume(), Net(), {"views": PlaneViews(flips=True)}),
        (_volume(), Net(), {"axes": ("z", "y")}),
        (_volume((16, 33, 29)), Net(), {}),
    ]
    for volume, network, options in again:
        _inferer(tmp_path, **options)(volume, network)
        assert network.calls >= len(volume.array)


def test_a_ledger_without_its_files_vouches_for_nothing(tmp_path):
    expected = _inferer(tmp_path)(_volume(), Net()).read_all()
    (file,) = tmp_path.glob("*/probability_z.npy")
    file.unlink()
    network = Net()
    assert np.array_equal(_inferer(tmp_path)(_volume(), network).read_all(), expected)
    assert network.calls == SHAPE[0]


def test_one_line_says_what_is_to_come(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        _inferer(tmp_path, axes=("z", "x"))(_volume(), Net())
    (line,) = caplog.messages
    assert line.startswith("slices to infer: 17 along z + 29 along x; 6.51e-05 GB of disk in ")


def test_the_bar_counts_slices(tmp_path, capfd):
    _inferer(tmp_path, progress=True)(_volume(), Net())
    assert "17/17" in capfd.readouterr().err


@pytest.mark.parametrize("axes", [(), ("z", "z"), ("w",), ("z", "y", "x", "z")])
def test_bad_axes(tmp_path, axes):
    with pytest.raises(InputError, match="axes are"):
        _inferer(tmp_path, axes=axes)


def test_bad_options_are_found_before_the_work(tmp_path):
    with pytest.raises(InputError, match="num_slices is 2"):
        _inferer(tmp_path, num_slices=2)


def test_thinner_than_the_stack(tmp_path):
    with pytest.raises(InputError, match=r"(?s)there\n.*4 slices along y, fewer than the 5"):
        _inferer(tmp_path, num_slices=5, axes=THREE)(_volume((9, 4, 9), meta={"path": "there"}), Net(5))


def test_other_axes_need_random_access(tmp_path):
    volume = _volume(meta={"path": "stack"})
    volume.random_access = False
    _inferer(tmp_path)(volume, Net())
    with pytest.raises(InputError, match=r"(?s)stack\n.*slices along y cannot be read.*stage"):
        _inferer(tmp_path, axes=THREE)(volume, Net())


@pytest.mark.parametrize(
    "network",
    [
        lambda stacks: stacks,  # three maps
        lambda stacks: stacks[:, :1, ::2],
        lambda stacks: {"label": stacks[:, :1]},
        lambda stacks: stacks.amax(dim=(1, 2, 3)),
    ],
)
def test_no_map_of_the_slice(tmp_path, network):
    with pytest.raises(InputError, match=r"the network gives .*, not one map"):
        _inferer(tmp_path, activate=nn.Identity())(_volume(), network)


def test_no_probabilities(tmp_path):
    with pytest.raises(InputError, match="not probabilities"):
        _inferer(tmp_path, activate=nn.Identity())(_volume(), lambda stacks: stacks[:, :1] * 9)
    network = Net()
    network.head.bias.data.fill_(np.nan)
    with pytest.raises(InputError, match="from nan to nan for slices 0 to 3 along z"):
        _inferer(tmp_path)(_volume(), network)


def test_volumes_and_stores_of_the_data_room_are_what_is_asked_for(tmp_path):
    """The protocols name all that is used, and nothing that volumes and stores lack."""
    store = ProbabilityFolder(tmp_path)(_volume())
    for thing, kind in ((_volume(), BoxReader), (store, Store)):
        wanted = {name for name in (*vars(kind), *kind.__annotations__) if not name.startswith("_")}
        assert {name for name in wanted if not hasattr(thing, name)} == set()
