# SPDX-License-Identifier: Apache-2.0
"""The one exception for bad input: which file, what is wrong, what to do."""

from __future__ import annotations

from os import PathLike


class InputError(ValueError):
    """Something the user gave (a file, a folder, a config value) cannot be used.

    The message has at most three lines: the file, the fault, the remedy. ``utils.report_errors`` shows it
    without a traceback.

    Args:
        problem: what is wrong, one line.
        path: the file or folder at fault, where there is one.
        remedy: what the user can do about it, one line.
    """

    def __init__(
        self, problem: str, *, path: str | PathLike | None = None, remedy: str | None = None
    ) -> None:
        self.problem = problem
        self.path = None if path is None else str(path)
        self.remedy = remedy
        super().__init__("\n".join(part for part in (self.path, problem, remedy) if part))

    def __reduce__(self):  # exceptions cross process borders by their positional arguments alone
        return _rebuild, (self.problem, self.path, self.remedy)


def _rebuild(problem: str, path: str | None, remedy: str | None) -> InputError:
    return InputError(problem, path=path, remedy=remedy)
