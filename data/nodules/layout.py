# SPDX-License-Identifier: Apache-2.0
"""The folders in which public data of lung nodules come: LUNA16, Tianchi, nnDetection, LIDC-IDRI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...utils import InputError
from .label_tables import has_tables
from .lidc_layout import lidc_files, read_lidc
from .nndetection import nndetection_root, nndetection_sections, read_nndetection
from .scans import section_folders
from .table_layout import read_table_layout

Item = dict[str, Any]


class NoduleLayout:
    """Read the known layouts of chest CT with nodules, told apart by what lies in the folder.

    - LUNA16 and Tianchi: annotations.csv in the folder, in ``csv*/``, ``csv*/<section>/`` or a section's own
      folder, with annotations_excluded.csv and seriesuids.csv beside it where they are; scans (.mhd, .mha,
      .nii, .nii.gz, DICOM folders) in ``train*``, ``val*``, ``test*``, ``subset0`` to ``subset9``, their
      ``images`` or subsets, or loose (training); nodule masks in ``masks/``. See ``read_table_layout``.
    - nnDetection: ``imagesTr`` and ``labelsTr``. See ``read_nndetection``.
    - LIDC-IDRI: XML files and DICOM series, anywhere below. See ``read_lidc``.

    Tables come first: where there is an annotations.csv the other labels are not looked at.

    Args:
        partial: whether rows without a scan are fine as long as some have one; None: where the folders are
            numbered parts (subset3, train_subset00), of which many users have a few.
        min_readers: readers that a nodule of LIDC-IDRI needs.
        section: only folders with a folder of this section match; None: all. "test" is for inference, which
            then takes a folder of training scans as what it is: a folder of scans.
    """

    def __init__(
        self, *, partial: bool | None = None, min_readers: int = 3, section: str | None = None
    ) -> None:
        self.partial = partial
        self.min_readers = min_readers
        self.section = section

    def matches(self, root: Path) -> bool:
        """Say whether ``root`` has one of the layouts."""
        kind = self._kind(root) if root.is_dir() else None
        if kind is None or self.section is None:
            return kind is not None
        return self.section in _sections(kind, root)

    def __call__(self, root: Path) -> dict[str, list[Item]]:
        """Return section -> items with "image", "patient", "seriesuid", and "label" where there is one.

        Raises:
            InputError: none of the layouts, or see the readers.
        """
        kind = self._kind(root)
        if kind == "tables":
            return read_table_layout(root, partial=self.partial)
        if kind == "nndetection":
            return read_nndetection(root)
        if kind == "lidc":
            return read_lidc(root, min_readers=self.min_readers)
        raise InputError(
            "neither a datalist nor a known layout here (annotations.csv and train/, imagesTr/, LIDC's XML)",
            path=root,
            remedy="name a datalist JSON with --datalist, or check --dataset_dir",
        )

    @staticmethod
    def _kind(root: Path) -> str | None:
        if has_tables(root):
            return "tables"
        if nndetection_root(root) is not None:
            return "nndetection"
        return "lidc" if next(lidc_files(root), None) is not None else None


def _sections(kind: str, root: Path) -> set[str]:
    """Sections that have a folder."""
    if kind == "tables":
        return {section for _, section in section_folders(root)[:-1]}
    return nndetection_sections(root) if kind == "nndetection" else {"training"}
