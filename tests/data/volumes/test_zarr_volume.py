# SPDX-License-Identifier: Apache-2.0
import json
import pickle

import numpy as np
import pytest
import zarr

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.zarr_volume import ZarrVolume
from tomobundles.utils import InputError

_ARRAY = np.random.default_rng(0).integers(0, 65_536, (6, 20, 30), dtype=np.uint16)
_BOX = (slice(1, 4), slice(2, 19), slice(7, 8))


def _axes(letters, unit="micrometer"):
    kinds = {"t": "time", "c": "channel"}
    return [
        {"name": letter, "type": kinds.get(letter, "space")}
        | ({"unit": unit} if unit and letter in "zyx" else {})
        for letter in letters
    ]


def _scale(*sizes):
    return [{"type": "scale", "scale": list(sizes)}]


def _write(path, array=_ARRAY, *, version="0.4", axes="zyx", unit="micrometer", scale=(30, 50, 60), **more):
    """An image of two levels, the second every second voxel."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, values in enumerate((array, array[..., ::2, ::2])):
        group.create_array(str(level), data=values, chunks=tuple(min(size, 8) for size in values.shape))
    lead = (1,) * (array.ndim - len(scale))
    datasets = [
        {"path": "0", "coordinateTransformations": _scale(*lead, *scale)},
        {
            "path": "1",
            "coordinateTransformations": _scale(*lead, scale[0], *(2 * size for size in scale[1:])),
        },
    ]
    scales = [{"axes": _axes(axes, unit), "datasets": datasets, **more}]
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": "0.4", **scales[0]}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": scales}
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_sixteen_bits_come_back_exactly(tmp_path, version):
    path = _write(tmp_path / "a.ome.zarr", version=version)
    volume = open_volume(path)
    assert isinstance(volume, ZarrVolume)
    assert (volume.shape, volume.dtype, volume.spacing_um) == ((6, 20, 30), np.uint16, (30, 50, 60))
    assert volume.meta["form"] == "ome_zarr"
    assert volume.meta["level"] == "0"
    assert volume.random_access
    np.testing.assert_array_equal(volume.read_all(), _ARRAY)
    np.testing.assert_array_equal(volume.read(_BOX), _ARRAY[_BOX])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(volume)).read(_BOX), _ARRAY[_BOX])
    coarse = open_volume(f"{path}::1")
    assert (coarse.shape, coarse.spacing_um) == ((6, 10, 15), (30, 100, 120))
    np.testing.assert_array_equal(coarse.read_all(), _ARRAY[:, ::2, ::2])
    some = open_volume(f"{path}::1", slices=(2, 3), spacing_um=1)
    np.testing.assert_array_equal(some.read_all(), _ARRAY[2:4, ::2, ::2])
    assert some.meta["spacing_source"] == "argument"


def test_only_the_chunks_of_a_box_are_read(tmp_path):
    path = _write(tmp_path / "a.zarr")
    (path / "0" / "0.2.3").write_bytes(b"damage")
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.read((slice(0, 6), slice(0, 8), slice(0, 30))), _ARRAY[:, :8])
    with pytest.raises(InputError, match=r"(?s)a\.zarr.*cannot be read as zarr"):
        volume.read_all()


@pytest.mark.parametrize(
    ("letters", "order"), [("tczyx", (0, 1, 2)), ("czyx", (0, 1, 2)), ("xyz", (2, 1, 0)), ("yx", (1, 2))]
)
def test_axes(tmp_path, letters, order):
    stored = _ARRAY.transpose(order) if len(order) == 3 else _ARRAY[0]
    stored = stored[(None,) * (len(letters) - stored.ndim)]
    sizes = tuple((30, 50, 60)[axis] for axis in order)
    volume = open_volume(_write(tmp_path / "a.zarr", stored, axes=letters, scale=sizes))
    expected = _ARRAY if len(order) == 3 else _ARRAY[:1]
    np.testing.assert_array_equal(volume.read_all(), expected)
    np.testing.assert_array_equal(volume.read((slice(0, 1), *_BOX[1:])), expected[:1, 2:19, 7:8])
    assert volume.spacing_um == ((30, 50, 60) if len(order) == 3 else None)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("millimeter", (30_000, 50_000, 60_000)),
        ("nanometer", (0.03, 0.05, 0.06)),
        (None, None),
        ("foot", None),
    ],
)
def test_units(tmp_path, unit, expected):
    spacing = open_volume(_write(tmp_path / "a.zarr", unit=unit)).spacing_um
    assert spacing == (None if expected is None else pytest.approx(expected))


def test_scales(tmp_path):
    both = open_volume(_write(tmp_path / "a.zarr", coordinateTransformations=_scale(2, 3, 4)))
    assert both.spacing_um == (60, 150, 240)
    assert open_volume(_write(tmp_path / "b.zarr", scale=(0, 50, 60))).spacing_um is None
    group = zarr.open_group(str(_write(tmp_path / "c.zarr")))
    scales = group.attrs["multiscales"]
    for steps in ([], [{"type": "scale", "path": "elsewhere"}], [{"type": "identity"}]):
        scales[0]["datasets"][0]["coordinateTransformations"] = steps
        group.attrs["multiscales"] = scales
        assert open_volume(tmp_path / "c.zarr").spacing_um is None


def test_old_metadata(tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=_ARRAY[None, None])
    group.attrs["multiscales"] = [{"datasets": [{"path": "0"}]}]  # 0.1: always t, c, z, y, x
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr").read_all(), _ARRAY)
    group.attrs["multiscales"] = [{"axes": list("tczyx"), "datasets": [{"path": "0"}]}]  # 0.3
    assert open_volume(tmp_path / "a.zarr").shape == (6, 20, 30)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_arrays(tmp_path, zarr_format):
    mask = _ARRAY > 30_000
    array = zarr.create_array(str(tmp_path / "a"), data=mask, chunks=(1, 20, 30), zarr_format=zarr_format)
    volume = open_volume(tmp_path / "a")
    assert (volume.dtype, volume.spacing_um, volume.meta["level"]) == (np.uint8, None, "")
    np.testing.assert_array_equal(volume.read_all(), mask)
    with pytest.raises(InputError, match=r"a plain array has no levels\nleave out ::0"):
        open_volume(f"{tmp_path / 'a'}::0")
    assert array.shape == (6, 20, 30)
    zarr.create_array(str(tmp_path / "b"), data=_ARRAY[0])
    assert open_volume(tmp_path / "b").shape == (1, 20, 30)
    zarr.create_array(str(tmp_path / "c"), data=_ARRAY[None, None])
    assert open_volume(tmp_path / "c").shape == (6, 20, 30)


def test_chunks_of_whole_slices_are_no_random_access(tmp_path):
    values = np.zeros((2, 300, 300), np.uint8)
    for name, chunks, expected in (("a", (1, 300, 300), False), ("b", (2, 256, 256), True)):
        zarr.create_array(str(tmp_path / name), data=values, chunks=chunks)
        assert open_volume(tmp_path / name).random_access is expected


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [
        ((2, 6, 20, 30), "czyx", "2 channels where one gray volume"),
        ((3, 1, 6, 20, 30), "tczyx", "3 time points"),
        ((2, 6, 20, 30), "qzyx", "2 places along axis q"),
        ((6, 20, 30), "zy", "ValueError scale .* for 2 axes"),
        ((20, 30), "zy", "axes 'zy'"),
        ((6, 20, 30), "zzx", "break the format: ValueError axes zzx"),
    ],
)
def test_what_is_no_gray_volume(tmp_path, shape, axes, words):
    with pytest.raises(InputError, match=rf"(?s)a\.zarr.*{words}"):
        open_volume(_write(tmp_path / "a.zarr", np.zeros(shape, np.uint8), axes=axes, scale=(1,) * len(axes)))


def test_plain_arrays_of_other_axes_and_types(tmp_path):
    zarr.create_array(str(tmp_path / "a"), data=np.zeros((2, 3, 4, 5), np.uint8))
    with pytest.raises(InputError, match="2 channels"):
        open_volume(tmp_path / "a")
    zarr.create_array(str(tmp_path / "b"), data=np.zeros((2, 3, 4), np.complex64))
    with pytest.raises(InputError, match="values of type complex64"):
        open_volume(tmp_path / "b")
    zarr.create_array(str(tmp_path / "c"), data=np.full((2, 3, 4), np.nan, np.float32))
    with pytest.raises(InputError, match=r"(?s)/c\n.*NaN"):
        open_volume(tmp_path / "c").read_all()
    zarr.create_array(str(tmp_path / "d"), data=np.zeros(3))
    with pytest.raises(InputError, match="axes 'x'"):
        open_volume(tmp_path / "d")


def test_groups_without_an_image(tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    with pytest.raises(InputError, match="no multiscales"):
        open_volume(tmp_path / "a.zarr")
    group.create_group("0")
    with pytest.raises(InputError, match=r"such as .*a\.zarr/0"):
        open_volume(tmp_path / "a.zarr")


def test_levels_that_are_absent(tmp_path):
    path = _write(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"(?s)no level '7': there are 0, 1.*a\.zarr::0"):
        open_volume(f"{path}::7")
    (path / "1" / ".zarray").unlink()
    with pytest.raises(InputError, match=r"(?s)a\.zarr.*cannot be read as zarr"):
        open_volume(f"{path}::1")


@pytest.mark.parametrize(
    "scales",
    [[{}], [{"datasets": []}], [{"datasets": [{}]}], "text", [{"axes": [5], "datasets": [{"path": "0"}]}]],
)
def test_broken_metadata(tmp_path, scales):
    zarr.open_group(str(_write(tmp_path / "a.zarr"))).attrs["multiscales"] = scales
    with pytest.raises(InputError, match=r"(?s)a\.zarr.*metadata break the format"):
        open_volume(tmp_path / "a.zarr")


def test_scales_of_other_axes(tmp_path):
    path = _write(tmp_path / "a.zarr", coordinateTransformations=_scale(1, 2))
    with pytest.raises(InputError, match="for 3 axes"):
        open_volume(path)


def test_metadata_that_are_no_json(tmp_path):
    path = _write(tmp_path / "a.zarr", version="0.5")
    (path / "zarr.json").write_text(json.dumps({})[:1])
    with pytest.raises(InputError, match=r"(?s)a\.zarr.*cannot be read as zarr"):
        open_volume(path)
