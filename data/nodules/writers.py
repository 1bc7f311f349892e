# SPDX-License-Identifier: Apache-2.0
"""Results of one chest CT to disk, in the forms asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ... import __version__
from ...utils import InputError
from ..dicom.nodule_report import write_nodule_report
from .boxes_json import write_boxes_json
from .case import NoduleCase
from .mask import write_lung_mask, write_nodule_mask
from .page import write_case_page, write_contact_sheet
from .ranked import write_lung_quality, write_ranked_json, write_ranked_text

ALGORITHM = "tomobundles lung_nodule"
DEFAULT_OUTPUTS = ("ranked", "contact_sheet", "html")


@dataclass(frozen=True, kw_only=True)
class CaseOptions:
    """How the results of a scan are written.

    Args:
        mask_probability: candidates from here on are drawn in the mask, 0-1.
        report_probability: candidates below it are left out of every file, 0-1.
        source_files: DICOM files of the series, for the structured report.
        identified: copy the patient's identity into the structured report.

    Raises:
        InputError: a probability outside 0-1.
    """

    mask_probability: float = 0.5
    report_probability: float = 0.0
    source_files: Sequence[str] = ()
    identified: bool = False

    def __post_init__(self) -> None:
        for name in ("mask_probability", "report_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}", remedy="give a probability, 0 to 1")


def write_case(
    case: NoduleCase,
    output_dir: str | PathLike,
    *,
    outputs: Sequence[str] = DEFAULT_OUTPUTS,
    options: CaseOptions | None = None,
) -> list[Path]:
    """Write the results of one scan into ``output_dir/<name>/``.

    Args:
        case: the scan, with all its candidates.
        output_dir: folder that gets one folder a scan.
        outputs: which results, of ``CASE_FORMS``: "ranked" (list as text and JSON), "boxes" (MONAI's box
            JSON), "mask" (nodules as NIfTI on the stored grid), "lungs" (lungs, the same; nothing without
            them), "structured_report" (DICOM SR; nothing unless the input is DICOM), "contact_sheet" (PNG),
            "html" (one page), "lung_quality" (JSON).
        options: see ``CaseOptions``.

    Returns:
        the files written, in the order of ``outputs``.

    Raises:
        InputError: an unknown output, or what the writers raise.
    """
    check_outputs(outputs, CASE_FORMS)
    options = options or CaseOptions()
    shown, folder = case.reported(options.report_probability), Path(output_dir) / case.name
    return [path for one in dict.fromkeys(outputs) for path in CASE_FORMS[one](shown, folder, options)]


def check_outputs(outputs: Sequence[str], known: Sequence[str]) -> None:
    """Refuse outputs that are not known.

    Raises:
        InputError: an unknown output.
    """
    unknown = [one for one in outputs if one not in known]
    if unknown:
        raise InputError(f"unknown output {unknown[0]!r}", remedy=f"known are {', '.join(known)}")


def _ranked(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    text = write_ranked_text(folder / f"{case.name}_nodules.txt", case)
    return [text, write_ranked_json(folder / f"{case.name}_nodules.json", case)]


def _boxes(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    return [write_boxes_json(folder / f"{case.name}_boxes.json", case)]


def _mask(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    path = folder / f"{case.name}_nodules.nii.gz"
    return [write_nodule_mask(path, case, probability=options.mask_probability)]


def _lungs(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    return [] if case.lungs is None else [write_lung_mask(folder / f"{case.name}_lungs.nii.gz", case)]


def _structured_report(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    if case.series_uid is None:
        return []
    path = folder / f"{case.name}_report.dcm"
    write_nodule_report(
        path,
        source_files=options.source_files,
        sop_instance_uids=list(case.slice_names),
        nodules=case.nodules,
        probability=case.probability,
        slices=case.slices,
        algorithm_name=ALGORITHM,
        algorithm_version=__version__,
        findings=[*map(str, case.lung_quality.get("warnings") or ()), *case.findings],
        identified=options.identified,
    )
    return [path]


def _contact_sheet(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    return [write_contact_sheet(folder / f"{case.name}_nodules.png", case)]


def _html(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    return [write_case_page(folder / f"{case.name}.html", case)]


def _lung_quality(case: NoduleCase, folder: Path, options: CaseOptions) -> list[Path]:
    return [write_lung_quality(folder / f"{case.name}_lung_quality.json", case)]


CASE_FORMS: dict[str, Callable[[NoduleCase, Path, CaseOptions], list[Path]]] = {
    "ranked": _ranked,
    "boxes": _boxes,
    "mask": _mask,
    "lungs": _lungs,
    "structured_report": _structured_report,
    "contact_sheet": _contact_sheet,
    "html": _html,
    "lung_quality": _lung_quality,
}
