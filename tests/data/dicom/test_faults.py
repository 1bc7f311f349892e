# SPDX-License-Identifier: Apache-2.0
"""The table of faults: each is found under its own code, and fatal where it gives wrong voxels or places."""

import copy

import numpy as np
import pytest
from pydicom.uid import EnhancedCTImageStorage, SecondaryCaptureImageStorage

from tomobundles.data.dicom import find_series, read_series, resolve_series
from tomobundles.utils import InputError

from .builder import SERIES, ct_slices, save, set_raw, set_stored


def edit(*numbers, **changes):
    """A fault: elements of some slices (all if none is named) set, or deleted where None."""

    def apply(datasets):
        for number in numbers or range(len(datasets)):
            for keyword, value in changes.items():
                if value is None:
                    del datasets[number][keyword]
                else:
                    setattr(datasets[number], keyword, value)

    return apply


def raw(number, keyword, value):
    return lambda datasets: set_raw(datasets[number], keyword, value)


def drop(*numbers):
    def apply(datasets):
        for number in sorted(numbers, reverse=True):
            del datasets[number]

    return apply


def move(number, z, y=-70.0):
    return edit(number, ImagePositionPatient=[-60.0, y, z])


def copy_slice(number, *, uid, change_pixels=False):
    def apply(datasets):
        twin = copy.deepcopy(datasets[number])
        twin.SOPInstanceUID = uid or twin.SOPInstanceUID
        if change_pixels:
            twin.PixelData = b"\x01\x04" + twin.PixelData[2:]
        datasets.append(twin)

    return apply


def other_size(datasets):
    set_stored(datasets[-1], np.arange(12).reshape(3, 4))


FAULTS = {  # name: fault, code, fatal
    "missing slice": (drop(3), "missing_slice", True),
    "two neighbours missing": (drop(3, 4), "missing_slice", True),
    "two gaps": (drop(2, 5), "missing_slice", True),
    "uneven": (move(3, 12.5 + 17.0), "uneven_spacing", True),
    "copy of a slice": (copy_slice(2, uid="1.9.9"), "duplicate_slice", True),
    "two scans at one place": (copy_slice(2, uid="1.9.9", change_pixels=True), "duplicate_position", True),
    "the same object twice": (copy_slice(2, uid=None), "duplicate_sop", True),
    "one UID for two slices": (edit(3, SOPInstanceUID=f"{SERIES}.1"), "duplicate_sop", True),
    "other size": (other_size, "other_size", True),
    "other pixel spacing": (edit(7, PixelSpacing=[0.7, 0.7]), "other_pixel_spacing", True),
    "other orientation": (
        edit(7, ImageOrientationPatient=[1, 0, 0, 0, 0.9848, -0.1736]),
        "other_orientation",
        True,
    ),
    "part derived": (edit(7, ImageType=["DERIVED", "SECONDARY", "AXIAL"]), "other_image_type", True),
    "shifted in plane": (move(3, 12.5 + 15.0, y=-60.0), "inplane_shift", True),
    "no PixelSpacing": (edit(PixelSpacing=None), "missing_pixel_spacing", True),
    "no PixelSpacing in one": (edit(2, PixelSpacing=None), "other_pixel_spacing", True),
    "PixelSpacing of 0": (edit(PixelSpacing=[0, 0]), "missing_pixel_spacing", True),
    "no IPP": (edit(ImagePositionPatient=None), "missing_position", True),
    "no IPP in one": (edit(2, ImagePositionPatient=None), "missing_position", True),
    "no IOP": (edit(ImageOrientationPatient=None), "missing_orientation", True),
    "no IOP in one": (edit(2, ImageOrientationPatient=None), "other_orientation", True),
    "IOP not perpendicular": (edit(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "bad_orientation", True),
    "no slope": (edit(RescaleSlope=None), "missing_rescale", True),
    "no intercept in one": (edit(4, RescaleIntercept=None), "missing_rescale", True),
    "slope 0": (edit(RescaleSlope=0), "missing_rescale", True),
    "slope is no number": (raw(0, "RescaleSlope", "one"), "bad_number", False),
    "not HU": (edit(RescaleType="US"), "not_hu", True),
    "infinite position": (raw(2, "ImagePositionPatient", "-60\\-70\\inf"), "non_finite_geometry", True),
    "NaN orientation": (raw(2, "ImageOrientationPatient", "1\\0\\0\\0\\nan\\0"), "non_finite_geometry", True),
    "huge spacing": (raw(2, "PixelSpacing", "1e300\\1e300"), "non_finite_geometry", True),
    "two positions only": (raw(2, "ImagePositionPatient", "-60\\-70"), "non_finite_geometry", True),
    "no series UID": (edit(SeriesInstanceUID=None), "missing_uid", True),
    "no object UID": (edit(1, SOPInstanceUID=None), "missing_uid", True),
    "two thicknesses": (edit(6, 7, SliceThickness=2.5), "mixed_thickness", True),
    "two kernels": (edit(6, 7, ConvolutionKernel="H60s"), "mixed_kernel", True),
    "two frames of reference": (edit(7, FrameOfReferenceUID="1.5"), "mixed_frame_of_reference", True),
    "two modalities": (edit(7, Modality="PT"), "mixed_modality", True),
    "two patients": (edit(7, PatientID="MRN-2"), "mixed_patients", True),
    "multi-frame": (edit(NumberOfFrames=2), "multi_frame", True),
    "Enhanced CT": (edit(SOPClassUID=EnhancedCTImageStorage), "multi_frame", True),
    "localizer": (edit(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localizer", True),
    "derived": (edit(ImageType=["DERIVED", "SECONDARY", "MPR"]), "derived", True),
    "screenshot": (edit(SOPClassUID=SecondaryCaptureImageStorage), "derived", True),
    "colour": (edit(SamplesPerPixel=3), "not_gray", True),
    "no image": (edit(Rows=None), "not_image", True),
    "spacing unlike thickness": (edit(SliceThickness=2.5), "spacing_unlike_thickness", False),
    "long DS": (raw(2, "ImagePositionPatient", "-60.0000000000000000\\-70\\22.5"), "long_decimal", False),
    "varying intercept": (edit(2, RescaleIntercept=-1000), "varying_rescale", False),
    "one slice": (drop(1, 2, 3, 4, 5, 6, 7), "one_slice", False),
    "contrast": (edit(ContrastBolusAgent="Iohexol"), "contrast", False),
    "lossy": (edit(LossyImageCompression="01"), "lossy", False),
    "unknown kernel": (edit(ConvolutionKernel="XYZ"), "kernel_unknown", False),
    "no kernel": (edit(ConvolutionKernel=None), "kernel_unknown", False),
    "nominal tilt not in the positions": (edit(GantryDetectorTilt=15), "tilt_unconfirmed", False),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_has_its_code(name, tmp_path):
    fault, code, fatal = FAULTS[name]
    datasets = ct_slices()
    fault(datasets)
    scan = find_series(save(tmp_path, datasets))
    findings = [finding for series in scan.series for finding in series.findings if finding.code == code]
    assert {finding.fatal for finding in findings} == {fatal}
    assert len(findings[0].message) < 110
    assert not fatal or all(series.fatal for series in scan.series)  # a stray slice spoils the rest too
    if fatal:
        with pytest.raises(InputError) as caught:
            resolve_series(tmp_path)
        assert len(str(caught.value).splitlines()) == 3
    else:
        code_only = {finding.code for finding in scan.series[0].fatal}
        assert code_only <= {"missing_rescale"}  # of the slope that is no number


@pytest.mark.parametrize("tilt", [15.0, -20.0])
def test_tilt_is_legal_and_measured(tmp_path, tilt):
    series = resolve_series(save(tmp_path, ct_slices(tilt_deg=tilt, GantryDetectorTilt=tilt)))
    assert series.tilt_deg == pytest.approx(tilt, abs=0.01)
    assert series.codes == {"gantry_tilt"}


def test_a_sound_series_has_no_finding(tmp_path):
    assert resolve_series(save(tmp_path, ct_slices())).findings == ()


def test_missing_slices_are_counted_and_placed(tmp_path):
    datasets = ct_slices(10)
    drop(3, 4, 7)(datasets)
    (series,) = find_series(save(tmp_path, datasets)).series
    (finding,) = series.fatal
    # slices 2 and 5 lie at 12.5 + 10 and 12.5 + 25
    assert finding.message == "3 slices missing between 22.5 and 37.5 mm and 1 more place"


def test_rounded_positions_are_even(tmp_path):
    """Steps of 2.4615 mm written with one decimal are 2.4 or 2.5 mm and add up to no drift."""
    datasets = ct_slices(30, thickness_mm=2.5)
    for index, dataset in enumerate(datasets):
        dataset.ImagePositionPatient = [-60, -70, round(index * 2.4615, 1)]
    (series,) = find_series(save(tmp_path, datasets)).series
    assert series.findings == ()


def test_small_deviations_that_add_up_are_uneven(tmp_path):
    """20 steps of 5.13 and 20 of 4.87 mm: slice 20 is 20 * 0.13 = 2.6 mm from even, over half a step."""
    datasets = ct_slices(41)
    steps = [5.13] * 20 + [4.87] * 20
    for dataset, z in zip(datasets, np.cumsum([0, *steps]), strict=True):
        dataset.ImagePositionPatient = [-60, -70, round(float(z), 3)]
    (series,) = find_series(save(tmp_path, datasets)).series
    assert [finding.code for finding in series.fatal] == ["uneven_spacing"]


@pytest.mark.parametrize("code", ["missing_slice", "uneven_spacing", "inplane_shift", "derived"])
def test_some_faults_can_be_accepted_and_stay_known(tmp_path, code):
    fault = next(fault for fault, known, _ in FAULTS.values() if known == code)
    datasets = ct_slices()
    fault(datasets)
    save(tmp_path, datasets)
    if code != "derived":
        with pytest.raises(InputError, match=f'accept=\\["{code}"'):
            resolve_series(tmp_path)
    series = resolve_series(tmp_path, accept=[code, "uneven_spacing"])
    assert code in series.codes
    assert not series.fatal
    array, meta = read_series(series)
    assert array.shape[-1] == len(datasets)
    assert any("(accepted)" in line for line in meta["findings"])


def test_all_acceptable_faults_are_named_at_once(tmp_path):
    datasets = ct_slices()
    move(3, 12.5 + 17.0, y=-60.0)(datasets)
    with pytest.raises(InputError, match=r'accept=\["uneven_spacing", "inplane_shift"\]'):
        resolve_series(save(tmp_path, datasets))
