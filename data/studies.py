# SPDX-License-Identifier: Apache-2.0
"""Which studies to infer, wherever the user points, and which of them cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from ..utils import InputError, find_input_error, gather_json, rank0_first
from .datalist import Layout, load_datalist
from .dicom import SeriesPreference, has_dicom_magic, holds_dicom
from .dicom.headers import DICOM_SUFFIXES
from .discover import VOLUME_FILES, VOLUME_SUFFIXES, is_volume
from .sample import make_sample
from .slices import is_slice_folder
from .study_items import Item, found_studies, is_dicom, listed_study, refuse, unreadable_folders
from .study_result import StudyRefusal
from .writers_names import distinct_names

_logger = logging.getLogger("tomobundles")


@dataclass(frozen=True)
class Studies:
    """Studies to infer and those refused.

    Args:
        items: "image" and "patient", "name" for results, and for DICOM "series_uid", "series_reason" (why
            this series) and "files", the files of the series in slice order.
        refused: the others, each with its reason.
    """

    items: list[Item] = field(default_factory=list)
    refused: list[StudyRefusal] = field(default_factory=list)


def find_studies(
    *,
    dataset_dir: str | PathLike,
    datalist: str | PathLike | None = None,
    layout: Layout | None = None,
    sample: str | None = None,
    sample_dir: str | PathLike | None = None,
    section: str = "test",
    preference: SeriesPreference | None = None,
    accept: Collection[str] = (),
    check: Callable[[Mapping[str, Any]], Any] | None = None,
) -> Studies:
    """Find studies of any form, choose a series of each DICOM study, and try every one of them.

    Names: a DICOM study goes by its StudyInstanceUID, since its folder and files may name the patient (by its
    place, "test_3", where a listed one has none; "unreadable_1" for a folder of unreadable DICOM files);
    other studies by their file or folder, with parent folders in front where names repeat.

    Volumes are looked for in the folder itself, DICOM at any depth. Images that lie loose in a folder with
    DICOM studies below it (a viewer's icons) are left out with a warning.

    With several processes all must come here: each tries a part of the studies, and all get the same result.

    Args:
        dataset_dir: one study (a DICOM folder, a folder of slice images, .nii, .nii.gz, .npy, one slice), a
            folder that holds studies of any form, or a folder in the task's known layout (whose ``section``
            is taken).
        datalist: JSON file as for training; its ``section`` is taken.
        layout: see ``load_datalist``; a folder that does not match it is searched.
        sample: name of the embedded sample that ``sample_dir`` is made of, where it is absent or empty.
        sample_dir: see ``load_datalist``.
        section: section of the datalist or layout.
        preference: which series of a DICOM study to choose.
        accept: codes of DICOM findings whose risk the user takes, see ``data.dicom.ACCEPTABLE``.
        check: loads an item as inference will; a study where it raises InputError is refused now, so that it
            does not stop the others later. None tries none.

    Returns:
        the studies; one that cannot be read is refused with its reason, not left out.

    Raises:
        InputError: no study there, or none that can be used.
    """
    path = Path(dataset_dir)
    if sample is not None and sample_dir is not None and path == Path(sample_dir):
        with rank0_first():
            make_sample(sample, path)
    if not path.exists():
        raise InputError("no such file or folder", path=path, remedy="check the path given as --dataset_dir")
    options = {"preference": preference, "accept": accept}
    if datalist is not None or (layout is not None and layout.matches(path)):
        found = _listed(path, datalist=datalist, layout=layout, section=section, **options)
    else:
        found = _searched(path, **options)
    refused = {} if check is None else _try_all(found.items, check)
    items = [item for index, item in enumerate(found.items) if index not in refused]
    studies = Studies(items, [*found.refused, *(refused[index] for index in sorted(refused))])
    _report(studies, path)
    return studies


def _listed(path: Path, *, datalist: Any, layout: Layout | None, section: str, **options: Any) -> Studies:
    data = load_datalist(dataset_dir=path, datalist=datalist, layout=layout, sections=(section,))
    kept = [{key: value for key, value in item.items() if key != "label"} for item in data[section]]
    names = distinct_names([item["image"] for item in kept])
    studies = Studies()
    for number, item in enumerate(kept, start=1):
        if is_dicom(item["image"]):
            _add(studies, listed_study(item, place=f"{section}_{number}", **options))
        else:
            studies.items.append(item | {"name": names[item["image"]]})
    return studies


def _searched(path: Path, *, preference: SeriesPreference | None, accept: Collection[str]) -> Studies:
    volumes, with_dicom = _places(path)
    names = distinct_names([str(volume) for volume in volumes])
    studies = Studies([{"image": image, "patient": name, "name": name} for image, name in names.items()])
    found = found_studies(path, alone=not volumes, preference=preference, accept=accept) if with_dicom else []
    for study in [*found, *unreadable_folders(path, found)]:
        _add(studies, study)
    if not studies.items and not studies.refused:
        raise InputError(
            "no study found here",
            path=path,
            remedy=f"give DICOM series, slices or volumes ({', '.join(VOLUME_SUFFIXES)})",
        )
    return studies


def _add(studies: Studies, found: Item | StudyRefusal) -> None:
    (studies.refused if isinstance(found, StudyRefusal) else studies.items).append(found)


def _places(path: Path) -> tuple[list[Path], bool]:
    """Volumes at a path or among its children, and whether DICOM lies there or anywhere below."""
    if path.is_file():
        dicom = path.name.lower().endswith(DICOM_SUFFIXES) or has_dicom_magic(path)
        return [path] if is_volume(path) and not dicom else [], dicom
    dicom, children = holds_dicom(path), [child for child in sorted(path.iterdir()) if is_volume(child)]
    volumes = [child for child in children if child.name.lower().endswith(VOLUME_FILES)]
    if not is_slice_folder(path):
        return [child for child in children if child.is_dir() or child in volumes], dicom
    if not dicom:
        return [path, *volumes], False
    _logger.warning("%s: images beside the DICOM studies are left out", path)
    return [child for child in children if child.is_dir() or child in volumes], True


def _try_all(items: Sequence[Item], check: Callable[[Mapping[str, Any]], Any]) -> dict[int, StudyRefusal]:
    """Refusals by the place of their item; each process tries its share."""
    own = range(idist.get_rank(), len(items), idist.get_world_size())
    tried = [(index, _try(items[index], check)) for index in own]
    refused = [(index, asdict(refusal)) for index, refusal in tried if refusal is not None]
    return {index: StudyRefusal(**one) for share in gather_json(refused) for index, one in share}


def _try(item: Item, check: Callable[[Mapping[str, Any]], Any]) -> StudyRefusal | None:
    try:
        check(item)
    except Exception as wrapped:  # MONAI wraps what a transform raises
        error = find_input_error(wrapped)
        if error is None:
            raise
        uids = {"study_uid": item["name"], "series_uid": item["series_uid"]} if "files" in item else {}
        return replace(refuse(item["name"], error, **uids), patient=item["patient"])
    return None


def _report(studies: Studies, path: Path) -> None:
    total = len(studies.items) + len(studies.refused)
    if not studies.items:
        reasons = "; ".join(sorted({one.reason for one in studies.refused})[:3])
        raise InputError(
            f"none of {total} studies can be used: {reasons}",
            path=path,
            remedy="the lines above say why; mend the studies or give others",
        )
    _logger.info("%d of %d studies can be used", len(studies.items), total)
