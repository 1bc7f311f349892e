# SPDX-License-Identifier: Apache-2.0
"""Which slabs of a long inference are finished, so that it goes on where it was interrupted."""

from __future__ import annotations

import json
import os
from os import PathLike
from pathlib import Path

from ..utils import atomic_path


class Ledger:
    """A file of lines: the first says what the work is, each other one which slices are finished.

    Lines are forced to disk one by one; a last line that was torn by a crash is forgotten.

    Args:
        path: JSON lines.
        fingerprint: of everything that the result depends on. What an earlier run with another one finished
            does not count.

    Attributes:
        resumed: an earlier run with the same fingerprint has left its ledger here.
    """

    def __init__(self, path: str | PathLike, *, fingerprint: str) -> None:
        self.path = Path(path)
        self.fingerprint = fingerprint
        lines = _lines(self.path)
        self.resumed = bool(lines) and lines[0].get("fingerprint") == fingerprint
        self._ranges: dict[str, list[range]] = {}
        for line in lines[1:] if self.resumed else []:
            self._remember(line["axis"], line["start"], line["stop"])

    def start(self) -> None:
        """Write the ledger anew with what counts of it, so that lines can be added."""
        lines = [{"fingerprint": self.fingerprint}]
        for axis, ranges in self._ranges.items():
            lines += [{"axis": axis, "start": done.start, "stop": done.stop} for done in ranges]
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def forget(self) -> None:
        """Take all slabs as not finished."""
        self.path.unlink(missing_ok=True)
        self.resumed = False
        self._ranges = {}

    def add(self, axis: str, start: int, stop: int) -> None:
        """Note that slices [start, stop) along ``axis`` are finished and on disk."""
        self._remember(axis, start, stop)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"axis": axis, "start": start, "stop": stop}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def missing(self, axis: str, size: int) -> list[range]:
        """Ranges of the ``size`` slices along ``axis`` that are not finished, in order."""
        missing, position = [], 0
        for done in sorted(self._ranges.get(axis, []), key=lambda done: done.start):
            if done.start > position:
                missing.append(range(position, done.start))
            position = max(position, done.stop)
        return [*missing, range(position, size)] if position < size else missing

    def _remember(self, axis: str, start: int, stop: int) -> None:
        self._ranges.setdefault(axis, []).append(range(start, stop))


def _lines(path: Path) -> list[dict]:
    """The lines up to the first that is no ledger's; [] where there is no file."""
    lines = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    for number, line in enumerate(text.splitlines()):
        try:
            entry = json.loads(line)
            whole = "fingerprint" in entry if number == 0 else {"axis", "start", "stop"} <= set(entry)
        except (ValueError, TypeError):
            break
        if not whole:
            break
        lines.append(entry)
    return lines
