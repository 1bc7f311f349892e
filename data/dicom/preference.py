# SPDX-License-Identifier: Apache-2.0
"""Which series of a study is wanted, and how well one fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...utils import InputError
from .findings import EXCLUDING
from .geometry import PLANES
from .series import Series

_ANY = "any"
_MIN_EXTENT = 0.75  # of the largest candidate: less is a part of the scan, or a monitoring scan
_KERNELS = ("soft", "sharp", _ANY)
_EDGE_MM = 0.05  # 2.96 mm is a nominal 3 mm


@dataclass(frozen=True)
class SeriesPreference:
    """The series to choose from a study; the defaults suit head CT for haemorrhage.

    Modality, plane and kernel are conditions. A thickness outside the range is taken only when no series
    lies within, and is then reported.

    Args:
        modality: DICOM modality.
        plane: "axial", "coronal", "sagittal" or "any".
        kernel: "soft", "sharp" or "any"; a kernel that is not known is taken after one that is.
        thickness_mm: lowest and highest slice thickness wanted.
        nearest_mm: among several, the thickness to be nearest to.
        contrast: False takes a series without contrast agent first, True one with it; None does not mind.
        first_kernel: "soft" or "sharp": which to take of series that fit equally well in all else; None does
            not mind, and such a study is refused.
        body_parts: words of which BodyPartExamined holds one, in capitals; a series of another part is taken
            all the same and this is reported. Empty for any part.

    Raises:
        InputError: a plane or kernel that is none of these, or an empty range of thickness.
    """

    modality: str = "CT"
    plane: str = "axial"
    kernel: str = "soft"
    thickness_mm: tuple[float, float] = (3.0, 6.0)
    nearest_mm: float = 5.0
    contrast: bool | None = False
    first_kernel: str | None = None
    body_parts: Sequence[str] = ("HEAD", "BRAIN")

    def __post_init__(self) -> None:
        if self.plane not in (*PLANES, _ANY):
            raise InputError(f"plane is {self.plane!r}", remedy=f"give one of {', '.join(PLANES)}, any")
        if self.kernel not in _KERNELS:
            raise InputError(f"kernel is {self.kernel!r}", remedy=f"give one of {', '.join(_KERNELS)}")
        if self.first_kernel not in (None, *_KERNELS[:2]):
            raise InputError(f"first_kernel is {self.first_kernel!r}", remedy="give soft, sharp or null")
        if len(self.thickness_mm) != 2 or not 0 <= self.thickness_mm[0] <= self.thickness_mm[1]:
            raise InputError(
                f"thickness_mm is {self.thickness_mm}", remedy="give lowest and highest in mm, e.g. [3, 6]"
            )

    def misfit(self, series: Series, *, accept: tuple[str, ...] = (), named: bool = False) -> str:
        """Say in words why a series is no candidate; "" if it is one.

        Args:
            series: the series to judge.
            accept: codes of findings that the user accepts ("derived" counts here).
            named: the user named this series, so its plane and kernel are not judged.
        """
        for finding in series.findings:
            if finding.code in EXCLUDING and finding.code not in accept:
                return finding.message
        if series.modality != self.modality:
            return f"modality {series.modality or 'not given'} where {self.modality} is expected"
        if not named and self.plane != _ANY and series.plane not in (self.plane, "unknown"):
            return f"{series.plane}, not {self.plane}"
        if not named and _ANY != self.kernel != series.kernel_class != "unknown":
            return f"{series.kernel_class} kernel ({series.kernel}), not {self.kernel}"
        return ""

    def in_range(self, series: Series) -> bool:
        """Say whether the thickness is wanted, or unknown."""
        return _distance(series, *self.thickness_mm) <= _EDGE_MM

    def other_part(self, series: Series) -> str:
        """Say in words that a series shows another part of the body; "" if not, or if it does not say."""
        part = series.body_part
        if not part or not self.body_parts or any(word in part for word in self.body_parts):
            return ""
        return f"body part is {part}, not {self.body_parts[0]}"

    def rank(self, series: Series) -> tuple[float, ...]:
        """Order candidates: the smallest is the best, and equal ones are equally good."""
        other_contrast = self.contrast is not None and series.contrast != self.contrast
        unknown_kernel = self.kernel != _ANY and series.kernel_class == "unknown"
        away = round(_distance(series, *self.thickness_mm), 1) if not self.in_range(series) else 0.0
        nearest = round(_distance(series, self.nearest_mm, self.nearest_mm), 1)
        other_kernel = self.first_kernel is not None and series.kernel_class != self.first_kernel
        return (away, other_contrast, unknown_kernel, nearest, other_kernel)


def whole_extent(candidates: list[Series]) -> list[Series]:
    """Keep the series that cover (nearly) as much as the one that covers most."""
    longest = max(series.extent_mm for series in candidates)
    return [series for series in candidates if series.extent_mm >= _MIN_EXTENT * longest]


def _distance(series: Series, low: float, high: float) -> float:
    thickness = series.thickness_mm or series.spacing_mm
    return 0.0 if thickness is None else max(low - thickness, thickness - high, 0.0)
