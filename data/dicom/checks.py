# SPDX-License-Identifier: Apache-2.0
"""What one group of DICOM slices says about itself: absent or odd attributes, mixed acquisitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)

from .findings import EXCLUDING, Finding, count
from .headers import SliceHeader

_GEOMETRY = {
    "ImagePositionPatient": ("position", "missing_position"),
    "ImageOrientationPatient": ("orientation", "missing_orientation"),
    "PixelSpacing": ("pixel_spacing", "missing_pixel_spacing"),
}
_MULTI_FRAME = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_THICKNESS_DIGITS = 2


def header_findings(slices: Sequence[SliceHeader]) -> list[Finding]:
    """Judge slices of one group by their headers alone."""
    kind = list(_kind_findings(slices))
    if any(finding.code in ("not_image", "multi_frame") for finding in kind):
        return kind
    return [*kind, *_attribute_findings(slices), *_rescale_findings(slices), *_mixture_findings(slices)]


def kind_codes(slices: Sequence[SliceHeader]) -> frozenset[str]:
    """Collect the codes for which a group is no candidate: localizer, derived, no gray image."""
    return frozenset(finding.code for finding in _kind_findings(slices)).intersection(EXCLUDING)


def missing_codec(transfer_syntax: str) -> str | None:
    """Name a transfer syntax that no installed decoder reads; None if it can be read."""
    uid = UID(transfer_syntax)
    try:
        if get_decoder(uid).is_available:
            return None
    except NotImplementedError:
        pass
    return uid.name if uid.name != uid else f"transfer syntax {uid or 'not given'}"


def _kind_findings(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    first = slices[0]
    if not first.rows or not first.columns:
        yield Finding("not_image", f"no image ({first.modality or 'unknown modality'})", fatal=True)
    if any("LOCALIZER" in header.image_type for header in slices):
        yield Finding("localizer", "localizer image", fatal=True)
    elif first.image_type[0] == "DERIVED" or first.sop_class == SecondaryCaptureImageStorage:
        yield Finding("derived", f"derived image ({'/'.join(first.image_type[:3])})", fatal=True)
    if any(header.frames > 1 or header.sop_class in _MULTI_FRAME for header in slices):
        yield Finding("multi_frame", "multi-frame (Enhanced CT) image, which is not read", fatal=True)
    if any(header.samples > 1 for header in slices):
        yield Finding("not_gray", "colour image", fatal=True)
    if any(header.contrast for header in slices):
        yield Finding("contrast", "given with contrast agent")
    if any(header.lossy for header in slices):
        yield Finding("lossy", "was compressed with loss")


def _attribute_findings(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    bad = Counter(keyword for header in slices for keyword in header.bad)
    for keyword, number in bad.items():
        geometric = keyword in _GEOMETRY
        code = "non_finite_geometry" if geometric else "bad_number"
        yield Finding(code, f"{keyword} holds no usable number in {count(number)}", geometric)
    for keyword, (field, code) in _GEOMETRY.items():
        absent = [h for h in slices if getattr(h, field) is None and keyword not in h.bad]
        if absent:
            yield Finding(code, f"{count(len(absent))} without {keyword}", True, absent[0].path)
    without = [h for h in slices if not (h.study_uid and h.series_uid and h.sop_uid)]
    if without:
        message = f"{count(len(without))} without Study-, Series- or SOPInstanceUID"
        yield Finding("missing_uid", message, True, without[0].path)
    for keyword in sorted({keyword for header in slices for keyword in header.long}):
        yield Finding("long_decimal", f"{keyword} is longer than 16 characters; read as it is")
    short = [header for header in slices if header.missing_bytes]
    if short:
        message = f"{count(len(short), 'file')} cut off ({count(short[0].missing_bytes, 'byte')} missing)"
        yield Finding("truncated_file", message, True, short[0].path)
    for syntax in sorted({header.transfer_syntax for header in slices}):
        if (name := missing_codec(syntax)) is not None:
            yield Finding("missing_codec", f"no decoder is installed for {name}", True)


def _rescale_findings(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    if slices[0].modality != "CT":
        return
    without = [h for h in slices if h.slope is None or h.intercept is None or h.slope == 0]
    if without:
        message = f"{count(len(without))} without a usable RescaleSlope and RescaleIntercept"
        yield Finding("missing_rescale", message, True, without[0].path)
    elif len({(header.slope, header.intercept) for header in slices}) > 1:
        yield Finding("varying_rescale", "slope or intercept differ between slices; applied per slice")
    others = sorted(
        {h.rescale_type for h in slices if h.rescale_type and not h.rescale_type.startswith("HU")}
    )
    if others:
        yield Finding("not_hu", f"values are {others[0]}, not HU", True)


def _mixture_findings(slices: Sequence[SliceHeader]) -> Iterator[Finding]:
    mixtures: tuple[tuple[str, str, Callable[[SliceHeader], Hashable]], ...] = (
        ("mixed_thickness", "SliceThickness in mm", lambda h: _rounded(h.thickness)),
        ("mixed_kernel", "ConvolutionKernel", lambda h: h.kernel),
        ("mixed_frame_of_reference", "FrameOfReferenceUID", lambda h: h.frame_uid),
        ("mixed_modality", "Modality", lambda h: h.modality),
    )
    for code, name, value in mixtures:
        values = Counter(value(header) for header in slices)
        if len(values) > 1:
            said = ", ".join(f"{text or 'none'} ({number})" for text, number in values.most_common(3))
            yield Finding(code, f"one SeriesInstanceUID with several values of {name}: {said}", True)


def _rounded(thickness: float | None) -> float | None:
    return None if thickness is None else round(thickness, _THICKNESS_DIGITS)
