# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.open import find_form, is_openable
from tomobundles.utils import InputError

_ARRAY = np.random.default_rng(0).integers(0, 256, (3, 8, 9), dtype=np.uint8)


@pytest.fixture
def forms(tmp_path):
    """The same volume in every form: form -> path."""
    paths = {
        "tiff_stack": tmp_path / "slices",
        "images": tmp_path / "pictures",
        "tiff": tmp_path / "a.TIFF",
        "nifti": tmp_path / "a.nii.gz",
        "npy": tmp_path / "a.npy",
        "ome_zarr": tmp_path / "a.zarr",
        "mhd": tmp_path / "a.mha",
    }
    for form, suffix in (("tiff_stack", ".tif"), ("images", ".png")):
        paths[form].mkdir()
        for index, pixels in enumerate(_ARRAY):
            Image.fromarray(pixels).save(paths[form] / f"{index}{suffix}")
    tifffile.imwrite(paths["tiff"], _ARRAY, photometric="minisblack")
    nib.save(nib.Nifti1Image(_ARRAY.transpose(2, 1, 0), np.eye(4)), paths["nifti"])
    np.save(paths["npy"], _ARRAY)
    zarr.create_array(str(paths["ome_zarr"]), data=_ARRAY)
    header = "NDims = 3\nDimSize = 9 8 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    paths["mhd"].write_bytes(header.encode() + _ARRAY.tobytes())
    return paths


def test_all_forms_give_the_same(forms):
    box = (slice(1, 3), slice(2, 8), slice(4, 5))
    for form, path in forms.items():
        assert find_form(path) == find_form(str(path)) == form
        assert is_openable(path)
        volume = open_volume(path, spacing_um=[5, 2, 1])
        assert volume.meta["form"] == form
        assert volume.path == str(path)
        assert (volume.shape, volume.dtype, volume.spacing_um) == ((3, 8, 9), np.uint8, (5, 2, 1))
        np.testing.assert_array_equal(volume.read_all(), _ARRAY)
        np.testing.assert_array_equal(volume.read(box), _ARRAY[box])
        assert volume.meta["slice_names"] == ["0", "1", "2"]
        assert ("slice_files" in volume.meta) == (form in ("tiff_stack", "images"))
        some = open_volume(path, slices=[1, 2])
        assert some.meta["slices"] == [1, 2]
        assert some.meta["slice_names"] == ["1", "2"]
        assert some.spacing_um is None
        np.testing.assert_array_equal(some.read_all(), _ARRAY[1:])
        with pytest.raises(InputError, match="slices"):
            open_volume(path, slices=[1, 3])


def test_nothing_there(tmp_path):
    for path in (tmp_path / "absent.tif", f"{tmp_path}/absent.zarr::0"):
        with pytest.raises(InputError, match="no such file or folder"):
            open_volume(path)
        assert not is_openable(path)


def test_empty_and_unknown(tmp_path):
    with pytest.raises(InputError, match="empty folder"):
        open_volume(tmp_path)
    (tmp_path / ".hidden.tif").touch()
    with pytest.raises(InputError, match="empty folder"):
        find_form(tmp_path)
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=r"not a form of volume .*\ngive a folder of TIFF"):
            open_volume(path)
        assert not is_openable(path)


def test_levels_are_for_zarr(forms):
    with pytest.raises(InputError, match="not a form of volume"):
        open_volume(f"{forms['npy']}::0")


def test_a_name_with_two_colons(tmp_path):
    np.save(tmp_path / "a::b.npy", _ARRAY)
    np.testing.assert_array_equal(open_volume(tmp_path / "a::b.npy").read_all(), _ARRAY)


def test_two_formats_in_one_folder(forms):
    Image.fromarray(_ARRAY[0]).save(forms["tiff_stack"] / "3.png")
    with pytest.raises(InputError, match="several formats"):
        open_volume(forms["tiff_stack"])


def test_an_unreadable_folder(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(InputError, match="cannot list this folder: Permission denied"):
        open_volume(tmp_path)


def test_bad_arguments(forms):
    with pytest.raises(InputError, match="voxel size"):
        open_volume(forms["npy"], spacing_um=-1)
    with pytest.raises(InputError, match="permutation of XYZ"):
        open_volume(forms["npy"], axes="ABC")
