# SPDX-License-Identifier: Apache-2.0
"""Python as in an environment with nothing but some distributions: runs a module or a script so.

``python -S only_required.py DISTRIBUTIONS -m MODULE ...`` or ``... SCRIPT ...``; DISTRIBUTIONS is a list
of names with commas, whose requirements count too. ``-S`` and a PYTHONPATH of the libraries keep the
repository out.
"""

from __future__ import annotations

import re
import runpy
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_requirements(names: list[str]) -> set[str]:
    """The distributions and all that they need without extras."""
    found: set[str] = set()
    todo = [_plain(name) for name in names]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # for another platform
            continue
        plain = [line.partition(";")[0] for line in needed if "extra ==" not in line]
        todo += [_plain(re.match(r"[\w.-]+", line)[0]) for line in plain]
    return found


class OnlySome(MetaPathFinder):
    """Finds modules on the path as Python does, but none of the distributions that are not allowed."""

    def __init__(self, allowed: set[str]) -> None:
        owners = packages_distributions()
        self.hidden = {
            name for name, dists in owners.items() if not {_plain(dist) for dist in dists} & allowed
        } - {"tomobundles"}  # whose installed copy -S hides; the bundle's own is wanted

    def find_spec(self, fullname, path=None, target=None):
        """The spec, or None as for what is not there."""
        if fullname.partition(".")[0] in self.hidden:
            return None
        return PathFinder.find_spec(fullname, path, target)

    def find_distributions(self, *args, **kwargs):
        """Versions of distributions, as Python finds them."""
        return PathFinder.find_distributions(*args, **kwargs)


def main() -> None:
    """Set up, then run the rest of the command line."""
    _, names, *command = sys.argv
    only = OnlySome(with_requirements(names.split(",")))
    sys.meta_path[:] = [only if finder is PathFinder else finder for finder in sys.meta_path]
    if command[0] == "-m":
        sys.argv = command[1:]
        sys.path[0] = ""  # as python -m does
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
