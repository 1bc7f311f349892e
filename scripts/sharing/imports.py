# SPDX-License-Identifier: Apache-2.0
"""Which modules of the package a set of names needs, found by reading what each file imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ...utils import InputError

PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class Imports:
    """Dotted names that one file imports, and as what: ``package.module.name`` stands for one of a module.

    Args:
        eager: imported with the file itself.
        lazy: imported inside functions, or in a ``try`` that goes on without.
    """

    eager: set[str] = field(default_factory=set)
    lazy: set[str] = field(default_factory=set)


def reached_modules(names: Iterable[str], *, lazy: bool = True) -> dict[str, Path]:
    """Follow imports from names to every module of the package that they need.

    The packages above a module count, since Python runs their ``__init__.py`` first.

    Args:
        names: dotted names of modules, classes or functions; those of other packages are passed over.
        lazy: also follow imports that run later or not at all.

    Returns:
        File by module, sorted by module.

    Raises:
        InputError: if a file imports from a module of the package that does not exist.
    """
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for module, file in _modules_of(name):
            if module in found:
                continue
            found[module] = file
            imports = imports_of(file, module)
            waiting |= (imports.eager | (imports.lazy if lazy else set())) - seen
    return dict(sorted(found.items()))


def foreign_packages(names: Iterable[str], *, lazy: bool = True) -> set[str]:
    """Top names of the packages that names need and that neither Python nor this package brings.

    Args:
        names: as in :func:`reached_modules`.
        lazy: if False, only what is imported when the names are.
    """
    tops = set()
    for module, file in reached_modules(names, lazy=lazy).items():
        imports = imports_of(file, module)
        tops |= {name.partition(".")[0] for name in [*imports.eager, *(imports.lazy if lazy else ())]}
    return tops - set(sys.stdlib_module_names) - {PACKAGE}


def module_file(module: str) -> Path | None:
    """Where a module of the package lies: a file, or the ``__init__.py`` of a folder; None if nowhere."""
    top = sys.modules[PACKAGE]
    if module == PACKAGE:
        return Path(str(top.__file__))
    for folder in top.__path__:
        base = Path(folder, *module.split(".")[1:])
        for file in (base / "__init__.py", base.with_name(base.name + ".py")):
            if file.is_file():
                return file
    return None


@cache
def imports_of(file: Path, module: str) -> Imports:
    """Read what one file of the package imports; blocks for type checkers alone do not count.

    Args:
        file: the module's file.
        module: its dotted name, which relative imports start from.

    Raises:
        InputError: if a relative or absolute import names a module of the package that does not exist.
    """
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found = Imports()
    for node, late in _import_nodes(ast.parse(file.read_text(encoding="utf-8")), late=False):
        (found.lazy if late else found.eager).update(_names(node, package, file))
    return found


def _modules_of(name: str) -> Iterator[tuple[str, Path]]:
    """The modules on the way to a name: tomobundles, tomobundles.networks, ... as far as they exist."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return
    for length in range(1, len(parts) + 1):
        module = ".".join(parts[:length])
        file = module_file(module)
        if file is None:
            return
        yield module, file


def _import_nodes(node: ast.AST, *, late: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Imports below a node, each with whether it runs late."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, late
        return
    if isinstance(node, ast.Call) and _by_text(node):
        yield ast.copy_location(ast.Import([ast.alias(_by_text(node))]), node), late
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children = list(node.orelse)
    late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_optional(node)
    for child in children:
        yield from _import_nodes(child, late=late)


def _by_text(node: ast.Call) -> str:
    """The module that ``import_module("package.module")`` imports; nothing for any other call."""
    name = ast.unparse(node.func).rpartition(".")[2]
    first = node.args[0] if node.args else None
    fits = name == "import_module" and isinstance(first, ast.Constant) and isinstance(first.value, str)
    return first.value if fits else ""


def _is_optional(node: ast.AST) -> bool:
    """A try that catches a failed import."""
    if not isinstance(node, ast.Try):
        return False
    caught = [ast.unparse(handler.type) if handler.type else "Exception" for handler in node.handlers]
    return any(name in text for text in caught for name in ("ImportError", "ModuleNotFound", "Exception"))


def _names(node: ast.Import | ast.ImportFrom, package: str, file: Path) -> list[str]:
    if isinstance(node, ast.Import):
        bases = [alias.name for alias in node.names]
        names = bases
    else:
        above = package.split(".")
        above = above[: len(above) - node.level + 1] if node.level else []
        bases = [".".join([*above, *filter(None, [node.module])])]
        names = [f"{bases[0]}.{alias.name}" for alias in node.names]
    for base in bases:
        _check(base, node.lineno, file)
    return names


def _check(base: str, line: int, file: Path) -> None:
    if base.partition(".")[0] == PACKAGE and module_file(base) is None:
        raise InputError(f"line {line} imports {base}, which does not exist", path=file)
