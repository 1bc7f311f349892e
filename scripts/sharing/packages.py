# SPDX-License-Identifier: Apache-2.0
"""Which installed distributions the code of a bundle imports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from .imports import foreign_packages


@dataclass(frozen=True)
class RequiredPackages:
    """Distributions by when they are imported, by the names that package indexes list them under.

    Args:
        eager: without these a name of the bundle's configs cannot be imported.
        lazy: the others: imported when a function that needs them runs, or done without.
    """

    eager: frozenset[str]
    lazy: frozenset[str]


def required_packages(names: Iterable[str]) -> RequiredPackages:
    """Find the distributions behind the imports that are reached from names.

    Args:
        names: ``_target_`` names of a bundle's configs.

    Returns:
        Distributions; an imported package that is not installed stands under its import name. What MONAI
        itself imports for the bundle (ignite, tensorboard, ...) is only here if this package imports it too.
    """
    given = list(names)
    eager = frozenset(_distribution(top) for top in foreign_packages(given, lazy=False))
    return RequiredPackages(eager, frozenset(map(_distribution, foreign_packages(given))) - eager)


def _distribution(top: str) -> str:
    owners = sorted(set(_owners().get(top, [top])))
    return owners[0].lower().replace("_", "-")


@cache
def _owners() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
