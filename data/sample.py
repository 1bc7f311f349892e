# SPDX-License-Identifier: Apache-2.0
"""The embedded samples: phantoms written once into a bundle's own folder, in the contest's layout."""

from __future__ import annotations

import logging
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from ..utils import InputError
from .phantoms import write_ich_sample, write_kidney_sample, write_lung_sample, write_oct_sample

_logger = logging.getLogger("tomobundles")

SAMPLES: dict[str, Callable[[Path], None]] = {
    "ich": write_ich_sample,
    "kidney_vasculature": write_kidney_sample,
    "lung_nodule": write_lung_sample,
    "oct_edema": write_oct_sample,
}


def make_sample(task: str, folder: str | PathLike) -> Path:
    """Write the sample of a task into ``folder``; one that is there already is kept.

    Args:
        task: a bundle's name, e.g. "oct_edema".
        folder: made if absent.

    Raises:
        InputError: no sample of that task.
    """
    if task not in SAMPLES:
        raise InputError(f"no sample of {task!r}", remedy=f"one of: {', '.join(sorted(SAMPLES))}")
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    _logger.info("making the embedded sample of %s (simulated scans) in %s", task, folder)
    SAMPLES[task](folder)
    return folder
