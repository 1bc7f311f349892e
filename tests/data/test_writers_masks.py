# SPDX-License-Identifier: Apache-2.0
"""Masks are read back with other libraries than those that wrote them: SimpleITK (ITK) and the raw bytes."""

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from tomobundles.data.readers import read_volume
from tomobundles.data.writers_masks import write_mask_like
from tomobundles.utils import InputError

from .dicom.builder import ct_slices, save
from .nodules.disk import write_mhd

REAL = Path(os.environ.get("TOMOBUNDLES_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
CONTEST_VALUES = {1: 255, 2: 191, 3: 128}
SHAPE = (4, 6, 5)  # rows, columns, slices: all different, so that no wrong order of axes fits


@pytest.fixture
def mask():
    return np.random.default_rng(0).integers(0, 4, SHAPE, dtype=np.uint8)


def make_folder(folder, *, suffix, pattern="{}"):
    folder.mkdir()
    for number in range(1, SHAPE[2] + 1):
        Image.fromarray(np.full(SHAPE[:2], number, np.uint8)).save(folder / (pattern.format(number) + suffix))
    return folder


def read_with_itk(path):
    itk = pytest.importorskip("SimpleITK")
    pixels = itk.GetArrayFromImage(itk.ReadImage(str(path)))
    if pixels.ndim == 3 and path.suffix == ".bmp":  # ITK gives BMP's gray palette as colour
        assert (pixels == pixels[..., :1]).all()
        return pixels[..., 0]
    return pixels


@pytest.mark.parametrize(
    ("suffix", "written"),
    [(".bmp", ".bmp"), (".png", ".png"), (".tif", ".tif"), (".jpg", ".png"), (".JPEG", ".png")],
)
def test_folder_keeps_file_names_and_writes_grey_values(tmp_path, mask, suffix, written):
    source = make_folder(tmp_path / "P1_z.img", suffix=suffix, pattern="scan_{:03d}")
    target = write_mask_like(source, mask, tmp_path / "out", label_values=CONTEST_VALUES)
    assert target == tmp_path / "out" / "P1_z_labelMark"
    assert sorted(file.name for file in target.iterdir()) == [f"scan_{k:03d}{written}" for k in range(1, 6)]
    grey = np.array([0, 255, 191, 128], np.uint8)
    for index in range(SHAPE[2]):
        pixels = read_with_itk(target / f"scan_{index + 1:03d}{written}")
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, grey[mask[..., index]])


def test_folder_order_is_natural(tmp_path):
    source = tmp_path / "eye"
    source.mkdir()
    for number in range(1, 12):  # 10 and 11 sort before 2 as text
        Image.fromarray(np.zeros((2, 3), np.uint8)).save(source / f"{number}.bmp")
    mask = np.zeros((2, 3, 11), np.uint8)
    mask[..., 9] = 1  # the tenth slice
    target = write_mask_like(source, mask, tmp_path / "out")
    positive = [file.name for file in target.iterdir() if np.asarray(Image.open(file)).any()]
    assert positive == ["10.bmp"]


def test_folder_with_gaps_is_written_as_it_is(tmp_path):
    source = tmp_path / "eye"
    source.mkdir()
    for number in (1, 3):
        Image.fromarray(np.zeros((2, 3), np.uint8)).save(source / f"{number}.png")
    target = write_mask_like(source, np.ones((2, 3, 2), np.uint8), tmp_path / "out")
    assert sorted(file.name for file in target.iterdir()) == ["1.png", "3.png"]


def test_folder_replaces_an_older_result_whole(tmp_path, mask):
    source = make_folder(tmp_path / "eye", suffix=".bmp")
    old = tmp_path / "out" / "eye_labelMark"
    old.mkdir(parents=True)
    (old / "99.bmp").write_bytes(b"old")
    target = write_mask_like(source, mask, tmp_path / "out")
    assert sorted(file.name for file in target.iterdir()) == [f"{k}.bmp" for k in range(1, 6)]


@pytest.mark.parametrize(("suffix", "written"), [(".png", ".png"), (".jpg", ".png"), (".tiff", ".tiff")])
def test_single_image(tmp_path, mask, suffix, written):
    source = tmp_path / f"scan{suffix}"
    Image.fromarray(np.zeros(SHAPE[:2], np.uint8)).save(source)
    target = write_mask_like(source, mask[..., :1], tmp_path / "out")
    assert target == tmp_path / "out" / f"scan_labelMark{written}"
    np.testing.assert_array_equal(read_with_itk(target), mask[..., 0])


@pytest.mark.parametrize("axes", [None, "ZYX", "XYZ", "YXZ"])
def test_npy_in_the_stored_order_of_axes(tmp_path, mask, axes):
    stored = mask.transpose(["YXZ".index(letter) for letter in axes or "ZYX"])
    np.save(tmp_path / "scan.npy", stored.astype(np.float32))
    target = write_mask_like(tmp_path / "scan.npy", mask, tmp_path / "out", axes=axes)
    assert target == tmp_path / "out" / "scan_labelMark.npy"
    content = target.read_bytes()  # a .npy ends with the array's bytes
    assert b"'descr': '|u1'" in content
    assert b"'fortran_order': False" in content
    assert content[-mask.size :] == stored.tobytes()


def test_npy_of_one_slice_stays_two_dimensional(tmp_path, mask):
    np.save(tmp_path / "scan.npy", np.zeros(SHAPE[:2]))
    target = write_mask_like(tmp_path / "scan.npy", mask[..., :1], tmp_path / "out")
    np.testing.assert_array_equal(np.load(target), mask[..., 0])


def make_nifti(path, *, sform_code, qform_code, shape=(6, 4, 5), kind=nib.Nifti1Image, dtype=np.int16):
    """An oblique scan with a flip, a scale factor and remarks, whose two transforms differ."""
    sform = np.array([[-0.1, 0.02, 0, 5], [0.01, 0.3, 0.1, -7], [0, -0.1, 0.6, 11], [0, 0, 0, 1]])
    qform = np.diag([0.2, 0.3, 0.7, 1.0])
    image = kind(np.ones(shape, dtype), sform)
    image.set_sform(sform, code=sform_code)
    image.set_qform(qform, code=qform_code)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(0.5, -3)
    image.header["cal_max"] = 900
    image.header["descrip"] = b"scanner"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"name of the patient"))
    nib.save(image, path)
    return path


@pytest.mark.parametrize(("sform_code", "qform_code"), [(1, 0), (0, 1), (2, 1), (4, 3), (0, 0)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_geometry_is_the_sources_to_the_bit(tmp_path, mask, sform_code, qform_code, ending):
    source = make_nifti(tmp_path / f"scan{ending}", sform_code=sform_code, qform_code=qform_code)
    target = write_mask_like(source, mask, tmp_path / "out")
    assert target == tmp_path / "out" / f"scan_labelMark{ending}"
    old, new = source.read_bytes(), target.read_bytes()
    if ending == ".nii.gz":
        old, new = gzip.decompress(old), gzip.decompress(new)
    # Offsets of the NIfTI-1 header: dim 40-55, datatype 70, pixdim 76-107, scl_slope 112, scl_inter 116,
    # xyzt_units 123, qform_code 252 to the end of srow_z 327.
    assert new[40:56] == old[40:56]
    assert new[76:108] == old[76:108]
    assert new[123] == old[123]
    assert new[252:328] == old[252:328]
    assert int.from_bytes(new[70:72], "little") == 2  # uint8
    slope, inter = np.frombuffer(new[112:120], "<f4")
    assert np.isnan(slope) or slope in (0, 1)  # the three ways to say "no scale factor"
    assert np.isnan(inter) or inter == 0
    assert new[-mask.size :] == mask.transpose(1, 0, 2).tobytes(order="F")  # X fastest, then Y, Z
    assert b"patient" not in new


def test_nifti_is_read_alike_by_itk(tmp_path, mask):
    itk = pytest.importorskip("SimpleITK")
    source = tmp_path / "scan.nii.gz"
    affine = np.array([[0, -0.3, 0, 5], [0.1, 0, 0, -7], [0, 0, 0.6, 11], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(np.zeros((6, 4, 5), np.float32), affine), source)
    before, after = (
        itk.ReadImage(str(path)) for path in (source, write_mask_like(source, mask, tmp_path / "out"))
    )
    for geometry in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(before, geometry)() == getattr(after, geometry)()
    np.testing.assert_array_equal(itk.GetArrayFromImage(after), mask.transpose(2, 0, 1))


def test_nifti_2_and_trailing_axes_stay(tmp_path, mask):
    source = make_nifti(
        tmp_path / "scan.nii", sform_code=1, qform_code=1, shape=(6, 4, 5, 1), kind=nib.Nifti2Image
    )
    target = nib.load(write_mask_like(source, mask, tmp_path / "out"))
    assert isinstance(target, nib.Nifti2Image)
    np.testing.assert_array_equal(np.asanyarray(target.dataobj)[..., 0], mask.transpose(1, 0, 2))


def test_nifti_is_the_same_each_time(tmp_path, mask):
    source = make_nifti(tmp_path / "scan.nii.gz", sform_code=1, qform_code=1)
    first, second = (write_mask_like(source, mask, tmp_path / run).read_bytes() for run in "ab")
    assert first == second  # no time and no temporary name in the gzip header


def test_real_volume_and_back(tmp_path):
    source = REAL / "oct" / "train" / "duke_dme" / "duke_S01_image.nii.gz"
    if not source.exists():
        pytest.skip(f"no real OCT volume at {source}: set TOMOBUNDLES_REAL_DATA")
    label, meta = read_volume(source.with_name("duke_S01_label.nii.gz"))
    written, again = read_volume(write_mask_like(source, label, tmp_path))
    np.testing.assert_array_equal(written, label)
    np.testing.assert_array_equal(again["affine"], meta["affine"])


@pytest.mark.parametrize("spacing", ["0.5 0.6 2", None])
def test_metaimage_gives_a_nifti_of_its_geometry(tmp_path, mask, spacing):
    volume = np.zeros((SHAPE[2], *SHAPE[:2]), np.int16)
    source = write_mhd(tmp_path / "a.mhd", volume, origin=(1, 2, 3), ElementSpacing=spacing)
    written = write_mask_like(source, mask, tmp_path / "out")
    assert written == tmp_path / "out" / "a_labelMark.nii.gz"
    array, meta = read_volume(written)
    np.testing.assert_array_equal(array, mask)
    np.testing.assert_allclose(meta["affine"], read_volume(source)[1]["affine"], atol=1e-6)
    with pytest.raises(InputError, match="does not fit the source's"):
        write_mask_like(source, mask[:2], tmp_path / "out")


def test_dicom_has_no_masks_of_its_form(tmp_path, mask):
    with pytest.raises(InputError, match=r"no masks are written in this form \(dicom\)"):
        write_mask_like(save(tmp_path / "series", ct_slices()), mask, tmp_path)


def test_keys_may_be_texts_as_in_json(tmp_path):
    np.save(tmp_path / "scan.npy", np.zeros((1, 1, 2)))
    target = write_mask_like(
        tmp_path / "scan.npy",
        np.array([[[1], [0]]], np.uint8).reshape(1, 2, 1),
        tmp_path,
        label_values={"1": 255},
    )
    assert np.load(target).tolist() == [[[255, 0]]]


@pytest.mark.parametrize(
    ("wrong", "values", "message"),
    [
        (np.zeros((4, 6), np.uint8), None, r"shape \(4, 6\) where \(rows, columns, slices\)"),
        (np.zeros(SHAPE, np.float32), None, "mask holds float32"),
        (np.full(SHAPE, 3, np.uint8), {1: 255}, "class 3 has no value"),
        (np.zeros(SHAPE, np.uint8), {1: 256}, "class 1 with value 256"),
        (np.full(SHAPE, 300, np.int64), None, "class 300 with value 300"),
        (np.full(SHAPE, -1, np.int8), None, "class -1 with value -1"),
        (np.zeros(SHAPE, np.uint8), {"REA": 255}, "not numbers to numbers"),
        (np.zeros((4, 6, 4), np.uint8), None, r"\(4, 6, 4\) does not fit the source's \(4, 6, 5\)"),
        (np.zeros((6, 4, 5), np.uint8), None, r"\(6, 4, 5\) does not fit the source's \(4, 6, 5\)"),
    ],
)
def test_wrong_mask(tmp_path, wrong, values, message):
    source = make_folder(tmp_path / "eye", suffix=".png")
    with pytest.raises(InputError, match=message):
        write_mask_like(source, wrong, tmp_path / "out", label_values=values)
    assert not (tmp_path / "out").exists()


def test_wrong_shape_for_an_array(tmp_path):
    np.save(tmp_path / "scan.npy", np.zeros((5, 4, 6)))
    with pytest.raises(InputError, match=r"stored shape \(5, 6, 4\) does not fit the source's \(5, 4, 6\)"):
        write_mask_like(tmp_path / "scan.npy", np.zeros((6, 4, 5), np.uint8), tmp_path / "out")


def test_missing_source(tmp_path, mask):
    with pytest.raises(InputError, match="no such file"):
        write_mask_like(tmp_path / "none.npy", mask, tmp_path)
