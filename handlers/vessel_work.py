# SPDX-License-Identifier: Apache-2.0
"""The end of a run over volumes of vessels: one submission of all, and no work files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import ignite.distributed as idist

from ..data.rle import HEADER
from ..inferers.interfaces import Store
from ..utils import atomic_path
from .shares import is_rank0


def join_run_lengths(folder: Path, names: Sequence[str]) -> Path:
    """Write ``submission.csv``: the run lengths of all volumes, from ``<name>/<name>_rle.csv``.

    Args:
        folder: of the results of all.
        names: of the volumes, in the order of the table.
    """
    target = folder / "submission.csv"
    with atomic_path(target) as path, path.open("w", encoding="utf-8") as file:
        file.write(f"{HEADER}\n")
        for name in names:
            with (folder / name / f"{name}_rle.csv").open(encoding="utf-8") as lines:
                next(lines)
                shutil.copyfileobj(lines, file)
    return target


def remove_work(
    stores: Sequence[Store], *, masks: Sequence[Path], work_dir: Path, shared: Path | None
) -> None:
    """Remove work files by name, and folders that are empty then: others' files may lie in them too.

    Each process removes its volumes' when all have come here, rank 0 what is shared when nobody reads it any
    more.

    Args:
        stores: probabilities of this process's volumes.
        masks: of this process's volumes, in ``work_dir / "masks"``.
        work_dir: folder of the masks' folder.
        shared: folder of copies of volumes, all of which are removed; None keeps them.
    """
    idist.barrier()
    for store in stores:
        store.remove()
    for mask in masks:
        mask.unlink(missing_ok=True)
    idist.barrier()
    if not is_rank0():
        return
    folders = [work_dir / "masks", work_dir, *(store.folder.parent for store in stores[:1])]
    if shared is not None:
        shutil.rmtree(shared, ignore_errors=True)
        folders.append(shared.parent)
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
