# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest
import tifffile
import zarr

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.open import open_volume
from tomobundles.data.volumes.write_like import WRITERS, write_like
from tomobundles.utils import InputError

from .writer_cases import SPACING, mask_array, mask_volume, probability_volume


@pytest.mark.parametrize(
    ("form", "path", "written"),
    [
        ("tiff_stack", "k/images", "m"),
        ("images", "k/pngs", "m"),
        ("tiff", "k.tif", "m.tif"),
        ("nifti", "k.nii", "m.nii"),
        ("nifti", "k.nii.gz", "m.nii.gz"),
        ("npy", "k.npy", "m.npy"),
        ("ome_zarr", "k.zarr", "m.ome.zarr"),
    ],
)
def test_form_of_the_input(tmp_path, form, path, written):
    source = ArrayVolume(mask_array(), spacing_um=SPACING, meta={"form": form, "path": path})
    assert write_like(mask_volume(), source, tmp_path / "out", "m") == tmp_path / "out" / written
    assert [file.name for file in (tmp_path / "out").iterdir()] == [written]


def test_form_that_the_user_names(tmp_path):
    source = ArrayVolume(mask_array(), meta={"form": "tiff_stack"})
    assert write_like(mask_volume(), source, tmp_path, "m", form="nifti").name == "m.nii.gz"


def test_volume_of_no_form_gives_npy(tmp_path):
    assert write_like(mask_volume(), ArrayVolume(mask_array()), tmp_path, "m").name == "m.npy"


def test_unknown_form(tmp_path):
    with pytest.raises(InputError, match=f"unknown form of results 'dicom'\nknown are {', '.join(WRITERS)}"):
        write_like(mask_volume(), mask_volume(), tmp_path, "m", form="dicom")


def test_another_grid(tmp_path):
    with pytest.raises(InputError, match="does not fit the volume's"):
        write_like(mask_volume((4, 7, 6)), mask_volume(), tmp_path, "m")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_version_of_the_ome_zarr(tmp_path, version):
    zarr.create_group(tmp_path / "source.zarr", zarr_format=2 if version == "0.4" else 3)
    source = ArrayVolume(
        mask_array(), meta={"form": "ome_zarr", "path": f"{tmp_path / 'source.zarr'}::0"}, spacing_um=1
    )
    path = write_like(mask_volume(), source, tmp_path, "m")
    assert (path / ".zgroup").is_file() == (version == "0.4")
    assert (path / "labels").is_dir()
    assert not (write_like(probability_volume(), source, tmp_path, "p") / "labels").exists()


@pytest.mark.parametrize(
    ("form", "path"),
    [("npy", "m.npy"), ("tiff_stack", "m"), ("tiff_stack", "m/images"), ("ome_zarr", "m.ome.zarr::0")],
)
def test_input_is_not_replaced(tmp_path, form, path):
    source = ArrayVolume(mask_array(), meta={"form": form, "path": str(tmp_path / path)})
    with pytest.raises(InputError, match="the result would replace its input\nwrite to another folder"):
        write_like(mask_volume(), source, tmp_path, "m")


def write_source(folder, form):
    """A gray volume on disk in each form, as users have it; returns what ``open_volume`` takes."""
    gray = (np.arange(210, dtype=np.uint16) * 300).reshape(5, 7, 6)
    if form == "tiff_stack":
        (folder / "images").mkdir()
        for index, plane in enumerate(gray):
            tifffile.imwrite(folder / "images" / f"slice_{index + 8:04d}.tif", plane)
        return folder / "images"
    if form == "tiff":
        tifffile.imwrite(folder / "k.tif", gray, ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 50.0})
        return folder / "k.tif"
    if form == "nifti":
        nib.save(nib.Nifti1Image(gray.T, np.diag([0.05, 0.05, 0.06, 1])), folder / "k.nii.gz")
        return folder / "k.nii.gz"
    if form == "npy":
        np.save(folder / "k.npy", gray)
        return folder / "k.npy"
    if form == "mhd":
        header = "NDims = 3\nOffset = 1 2 3\nElementSpacing = 0.05 0.05 0.06\nDimSize = 6 7 5\n"
        (folder / "k.mha").write_bytes(
            (header + "ElementType = MET_USHORT\nElementDataFile = LOCAL\n").encode() + gray.tobytes()
        )
        return folder / "k.mha"
    zarr.create_array(folder / "k.zarr", data=gray)
    return folder / "k.zarr"


@pytest.mark.parametrize("form", ["tiff_stack", "tiff", "nifti", "npy", "mhd", "ome_zarr"])
def test_what_is_written_opens_as_the_input_did(tmp_path, form):
    source = open_volume(write_source(tmp_path, form))
    assert source.meta["form"] == form
    path = write_like(mask_volume(spacing_um=source.spacing_um), source, tmp_path / "out", "k")
    read = open_volume(path)
    assert read.meta["form"] == form
    assert read.meta["slice_names"] == source.meta["slice_names"]
    assert read.spacing_um == pytest.approx(source.spacing_um)
    value = 255 if "tiff" in form else 1
    assert np.array_equal(read.read_all(), mask_array() * value)


@pytest.mark.parametrize("form", ["nifti", "npy", "mhd"])
def test_some_slices_of_the_input(tmp_path, form):
    source = open_volume(write_source(tmp_path, form), slices=(1, 3))
    path = write_like(mask_volume((3, 7, 6)), source, tmp_path / "out", "k")
    assert np.array_equal(open_volume(path).read_all(), mask_array((3, 7, 6)))


def test_real_slice(tmp_path, real_data):
    """The contest's own TIFF: a mask of it is a TIFF of its size and name."""
    folder = tmp_path / "images"
    folder.mkdir()
    slice_file = real_data / "kidney" / "format_sample_test_slice_0000.tif"
    (folder / "0000.tif").write_bytes(slice_file.read_bytes())
    source = open_volume(folder, spacing_um=50)
    mask = ArrayVolume((source.read_all() > 20000).astype(np.uint8), spacing_um=50)
    read = tifffile.imread(write_like(mask, source, tmp_path, "mask") / "0000.tif")
    assert read.shape == (1303, 912)
    assert np.array_equal(read, mask.array[0] * 255)
