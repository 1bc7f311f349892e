# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from tomobundles.data.volumes import ArrayVolume, RawVolume
from tomobundles.data.volumes.resampled import ResampledVolume, axis_weights
from tomobundles.utils import InputError

RNG = np.random.default_rng(0)


def _line(values, **options):
    """A volume of one row, resampled along x."""
    volume = ArrayVolume(np.asarray(values, np.float32).reshape(1, 1, -1), spacing_um=10)
    return ResampledVolume(volume, **options).read_all().ravel().tolist()


def _ramp(shape):
    z, y, x = np.indices(shape)
    return (3.0 * z - 2.0 * y + x).astype(np.float32)


def test_twice_as_fine_by_hand():
    # voxel i lies at (i + 0.5) / 2 - 0.5 = -0.25, 0.25, 0.75, 1.25 of [0, 8]; beyond the ends 0 and 8 repeat
    assert _line([0, 8], spacing_um=(10, 10, 5)) == [0.0, 2.0, 6.0, 8.0]


def test_twice_as_coarse_by_hand():
    # voxel 0 lies at 0.5 and weighs -1, 0, 1, 2 by 1 - |d| / 2 = 1/4, 3/4, 3/4, 1/4, all over 2;
    # source -1 is source 0: (1 + 3) / 8 * 8 = 4; voxel 1 lies at 2.5, source 4 is source 3: (3 + 1) / 8 * 16
    assert _line([8, 0, 0, 16], spacing_um=(10, 10, 20)) == [4.0, 8.0]


def test_coarser_by_whole_numbers_is_torch_antialias_inside():
    array = RNG.random((1, 40, 60)).astype(np.float32)
    ours = ResampledVolume(ArrayVolume(array, spacing_um=1), spacing_um=(1, 2, 3)).read_all()
    options = {"size": (20, 20), "mode": "bilinear", "antialias": True, "align_corners": False}
    theirs = torch.nn.functional.interpolate(torch.from_numpy(array)[None], **options)[0].numpy()
    assert np.abs(ours - theirs)[:, 2:-2, 2:-2].max() < 1e-5


def test_finer_is_torch_linear():
    array = RNG.random((7, 8, 9)).astype(np.float32)
    ours = ResampledVolume(ArrayVolume(array), shape=(10, 16, 21)).read_all()
    options = {"size": (10, 16, 21), "mode": "trilinear", "align_corners": False}
    theirs = torch.nn.functional.interpolate(torch.from_numpy(array)[None, None], **options)[0, 0].numpy()
    assert np.abs(ours - theirs).max() < 1e-5


def test_finer_by_lanczos_is_pillows_inside():
    array = RNG.random((1, 30, 40)).astype(np.float32)
    ours = ResampledVolume(ArrayVolume(array), shape=(1, 45, 50), lanczos=True).read_all()[0]
    theirs = np.asarray(Image.fromarray(array[0]).resize((50, 45), Image.Resampling.LANCZOS))
    assert np.abs(ours - theirs)[5:-5, 5:-5].max() < 1e-5


def test_lanczos_keeps_a_thin_line_and_levels():
    line = np.zeros(41, np.float32)
    line[20] = 1
    linear, sharp = (np.array(_line(line, spacing_um=(10, 10, 8), lanczos=kind)) for kind in (False, True))
    assert linear.max() == pytest.approx(0.9)  # voxel 25 lies at 25.5 * 0.8 - 0.5 = 19.9
    assert sharp.max() == pytest.approx(np.sinc(0.1) * np.sinc(0.1 / 3), abs=0.01)
    assert np.allclose(_line(np.full(9, 7.0), spacing_um=(10, 10, 8), lanczos=True), 7)


def test_lanczos_to_coarser_is_the_same_antialias():
    array = RNG.random(30)
    linear, sharp = (_line(array, spacing_um=(10, 10, 21), lanczos=kind) for kind in (False, True))
    assert linear == sharp


@pytest.mark.parametrize("spacing", [63.08, 37.0, (50.0, 80.0, 111.0), 173.0])
def test_a_ramp_stays_a_ramp(spacing):
    volume = ResampledVolume(ArrayVolume(_ramp((40, 44, 48)), spacing_um=50), spacing_um=spacing)
    z, y, x = np.indices(volume.shape)
    steps = np.broadcast_to(np.asarray(spacing) / 50, 3)
    where = [(index + 0.5) * step - 0.5 for index, step in zip((z, y, x), steps, strict=True)]
    expected = 3 * where[0] - 2 * where[1] + where[2]
    inside = np.logical_and.reduce(
        [
            (place >= step) & (place <= size - 1 - step)
            for place, step, size in zip(where, np.maximum(steps, 1), (40, 44, 48), strict=True)
        ]
    )
    assert inside.sum() > 20
    assert np.abs(volume.read_all() - expected)[inside].max() < 1e-3


@pytest.mark.parametrize("lanczos", [False, True])
@pytest.mark.parametrize("spacing", [(63.0, 40.0, 50.0), 31.7, 120.0])
def test_boxes_have_the_bits_of_the_whole(spacing, lanczos):
    source = ArrayVolume(RNG.integers(0, 65536, (23, 30, 27), dtype=np.uint16), spacing_um=50)
    volume = ResampledVolume(source, spacing_um=spacing, lanczos=lanczos)
    whole = volume.read_all()
    assert whole.dtype == volume.dtype == np.float32
    for _ in range(20):
        box = []
        for size in volume.shape:
            start = int(RNG.integers(size))
            box.append(slice(start, int(RNG.integers(start + 1, size + 1))))
        assert np.array_equal(volume.read(tuple(box)), whole[tuple(box)])


@pytest.mark.parametrize("spacing", [63.08, 40.0, 90.0])
def test_there_and_back_is_not_shifted(spacing):
    centre = np.array([24.3, 25.8, 26.1])
    offsets = np.indices((50, 52, 54)) - centre[:, None, None, None]
    native = ArrayVolume(np.exp(-(offsets**2).sum(0) / 32).astype(np.float32), spacing_um=50)
    there = ResampledVolume(native, spacing_um=spacing)
    back = ResampledVolume(there, like=native)
    assert back.shape == native.shape
    assert back.spacing_um == native.spacing_um
    assert np.abs(np.array(ndimage.center_of_mass(back.read_all())) - centre).max() < 0.01
    physical = (np.array(ndimage.center_of_mass(there.read_all())) + 0.5) * spacing
    assert np.abs(physical / 50 - 0.5 - centre).max() < 0.01


def test_the_voxel_size_it_has_changes_nothing():
    array = RNG.random((3, 4, 5)).astype(np.float32)
    assert np.array_equal(ResampledVolume(ArrayVolume(array, spacing_um=7), spacing_um=7).read_all(), array)


def test_probabilities_stay_probabilities():
    for step in np.linspace(1 / 8, 8, 200):
        _, matrix = axis_weights(200, step=step, start=0, stop=int(200 / step))
        assert matrix.data.min() >= 0
        assert np.abs(matrix.sum(axis=1) - 1).max() < 1e-5


def test_labels_become_shares():
    label = np.zeros((4, 4, 4), np.uint8)
    label[:, :, :2] = 1
    coarse = ResampledVolume(ArrayVolume(label, spacing_um=1), spacing_um=(1, 1, 2)).read_all()
    assert coarse[0, 0].tolist() == [0.875, 0.125]  # 7/8 of the triangle about 0.5 lies on voxels up to 1


def test_shape_and_meta():
    meta = {"path": "kidney", "form": "tiff_stack", "slice_names": ["a"] * 10, "affine": np.eye(4)}
    native = ArrayVolume(np.zeros((10, 11, 12), np.uint8), spacing_um=50, meta=meta)
    there = ResampledVolume(native, spacing_um=63)
    assert there.shape == (8, 9, 10)  # 10 * 50 / 63 = 7.9, 8.7, 9.5
    assert there.meta == {"path": "kidney", "form": "tiff_stack"}
    assert ResampledVolume(there, like=native).meta == native.meta
    fitted = ResampledVolume(native, shape=(5, 11, 24))
    assert fitted.spacing_um == (100.0, 50.0, 25.0)
    assert ResampledVolume(ArrayVolume(native.array), shape=(5, 11, 24)).spacing_um is None
    assert ResampledVolume(native, spacing_um=63, shape=(7, 9, 10)).shape == (7, 9, 10)
    assert ResampledVolume(ArrayVolume(np.zeros((1, 9, 9)), spacing_um=1), spacing_um=3).shape == (1, 3, 3)


def test_random_access_is_the_sources(tmp_path):
    source = RawVolume.create(tmp_path / "a.npy", shape=(4, 4, 4), dtype=np.uint8, spacing_um=1)
    assert ResampledVolume(source, spacing_um=2).random_access
    source.random_access = False
    assert not ResampledVolume(source, spacing_um=2).random_access


def test_refuses_an_unknown_voxel_size():
    known = ArrayVolume(np.zeros((4, 4, 4)), spacing_um=1)
    unknown = ArrayVolume(np.zeros((4, 4, 4)), meta={"path": "here.tif"})
    with pytest.raises(InputError, match=r"here\.tif\nno voxel size is known"):
        ResampledVolume(unknown, spacing_um=50)
    with pytest.raises(InputError, match="no voxel size is known"):
        ResampledVolume(known, like=unknown)


@pytest.mark.parametrize("spacing", [0.05, 500, (50, 50, 401)])
def test_refuses_mistaken_units(spacing):
    volume = ArrayVolume(np.zeros((4, 4, 4)), spacing_um=50)
    with pytest.raises(InputError, match="micrometres"):
        ResampledVolume(volume, spacing_um=spacing)


def test_refuses_no_grid_and_a_far_shape():
    volume = ArrayVolume(np.zeros((4, 4, 40)), spacing_um=50)
    with pytest.raises(InputError, match="no grid"):
        ResampledVolume(volume)
    with pytest.raises(InputError, match=r"shape \(4, 4, 4\) for"):
        ResampledVolume(volume, shape=(4, 4, 4))
