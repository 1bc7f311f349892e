# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a DICOM series: one code a fault, and what the user can do about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...utils import InputError

# Faults that a user may accept knowingly; everything else fatal would give wrong voxels or wrong places.
ACCEPTABLE = ("missing_slice", "uneven_spacing", "inplane_shift", "unreadable_file", "derived")
# Not faults of a scan, but reasons why a group of images is no candidate at all.
EXCLUDING = ("localizer", "derived", "not_image", "not_gray", "multi_frame")

_REMEDIES = {
    "duplicate_sop": "point to one copy of the study, or delete the extra files",
    "duplicate_slice": "point to one copy of the study, or delete the extra files",
    "duplicate_position": "keep one acquisition in the folder (two scans share this series)",
    "encrypted_file": "decrypt or export the files again",
    "missing_codec": 'pip install "tomobundles[dicom]", or export the study uncompressed',
    "missing_rescale": "export the original CT images: without slope and intercept there is no HU",
    "mixed_patients": "put each patient into a folder of its own",
    "multi_frame": "convert it to single-frame images, e.g. with dcm4che's emf2sf",
    "not_gray": "give the original CT images, not screenshots of them",
    "truncated_file": "the transfer was cut off: export or copy the files again",
}
_MIXED = "give the folder of one acquisition, so that its slices are not mixed with others"


@dataclass(frozen=True)
class Finding:
    """One observation about a series.

    Args:
        code: short name of the kind of observation, e.g. "missing_slice".
        message: one line for humans; holds UIDs, numbers and technical terms, never patient data or paths.
        fatal: the series must not be used (unless ``code`` is in ``ACCEPTABLE`` and the user accepts it).
        path: a file that shows the fault; for error messages only.
    """

    code: str
    message: str
    fatal: bool = False
    path: str | None = None

    @property
    def remedy(self) -> str:
        """What the user can do, one line."""
        if self.code in ACCEPTABLE:
            return f'complete the series, or take the risk with accept=["{self.code}"]'
        if self.code.startswith(("mixed_", "other_")):
            return _REMEDIES.get(self.code, _MIXED)
        return _REMEDIES.get(self.code, "export the original images from the scanner or PACS again")


def count(number: int, noun: str = "slice") -> str:
    """Write a number with its noun: ``1 slice``, ``2 slices``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_accept(accept: Collection[str]) -> tuple[str, ...]:
    """Return the codes a user accepts.

    Raises:
        InputError: a code that is unknown or must not be accepted.
    """
    codes = (accept,) if isinstance(accept, str) else tuple(accept)
    unknown = [code for code in codes if code not in ACCEPTABLE]
    if unknown:
        raise InputError(f"{unknown[0]!r} cannot be accepted", remedy=f"accept knows {', '.join(ACCEPTABLE)}")
    return codes
