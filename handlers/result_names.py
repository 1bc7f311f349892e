# SPDX-License-Identifier: Apache-2.0
"""Names of results that do not depend on which process infers what, nor on what fails."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any

import ignite.distributed as idist

from ..data.dicom.headers import read_header
from ..data.study_items import is_dicom
from ..data.writers_names import distinct_names
from ..utils import InputError
from .shares import Share

Item = Mapping[str, Any]


class ResultNames:
    """Name the results of a data set's items, all of them before the first is inferred.

    A DICOM study goes by its StudyInstanceUID, a further item of it by its SeriesInstanceUID: folders and
    identifiers of the input may name the patient. Others go by the item's "name", else by their file. A name
    that is taken gets "_2", "_3", ...: a scan may be listed again, with the labels of another reader.

    With several processes each reads the headers of a part of the items, and all must make the names.

    Args:
        share: whose items are named.
        by_uid: as above; if False, DICOM goes by its file too and "name" does not count.
    """

    def __init__(self, share: Share, *, by_uid: bool = True) -> None:
        self._by_uid = by_uid
        self._files = distinct_names([str(item["image"]) for item in share.items])
        uids = _all_uids(share) if by_uid else [None] * len(share.items)
        self._plan = list(_plan([self._bases(*both) for both in zip(share.items, uids, strict=True)]))

    def __call__(self, index: int, item: Item, meta: Mapping[str, Any]) -> tuple[str, str]:
        """Name of the results, and the name without regard to further items of the same.

        Args:
            index: place of the item in the data set.
            item: the item.
            meta: of its image, as loaded.
        """
        dicom = self._by_uid and meta.get("form") == "dicom"
        uids = (str(meta["study_uid"]), str(meta["series_uid"])) if dicom else None
        bases = self._bases(item, uids)
        which, suffix = self._plan[index]
        return bases[min(which, len(bases) - 1)] + suffix, bases[0]

    def _bases(self, item: Item, uids: Sequence[str] | None) -> list[str]:
        if uids is not None:
            return list(uids)
        return [str((self._by_uid and item.get("name")) or self._files[str(item["image"])])]


def _plan(bases: Sequence[Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Which of its names each item gets, and what is put behind it."""
    used: set[str] = set()
    for names in bases:
        own = ((which, "") for which in range(len(names)))
        further = ((len(names) - 1, f"_{number}") for number in count(2))
        which, suffix = next(one for one in chain(own, further) if names[one[0]] + one[1] not in used)
        used.add(names[which] + suffix)
        yield which, suffix


def _all_uids(share: Share) -> list[Sequence[str] | None]:
    """StudyInstanceUID and SeriesInstanceUID of each item that is DICOM."""
    rank, ranks = idist.get_rank(), idist.get_world_size()
    own = [(index, _uids(share.items[index])) for index in range(rank, len(share.items), ranks)]
    return share.gather(own)


def _uids(item: Item) -> Sequence[str] | None:
    files = item.get("files") or (_below(item["image"]) if is_dicom(item["image"]) else ())
    for file in files:
        try:
            header = read_header(file)
        except InputError:  # the reader judges it
            continue
        if header is not None:
            return header.study_uid, str(item.get("series_uid") or header.series_uid)
    return None


def _below(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names))
