# SPDX-License-Identifier: Apache-2.0
"""Expressions and imports of a config, read without running them."""

from __future__ import annotations

import ast
import builtins

from monai.bundle import ConfigParser, ReferenceResolver

from .allow_list import (
    ATTRIBUTES,
    BUILTIN_KEYWORDS,
    BUILTINS,
    ENVIRONMENT,
    FUNCTIONS,
    IMPORTS,
    METHODS,
    VALUES,
)
from .paths import why_not_relative

_REFERENCES = "__local_refs"  # the table that MONAI writes in the place of @id
_MAX_LENGTH = 500
# nodes that compute and build values; what names or calls something has a rule of its own below
_PLAIN = (
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Slice, ast.Starred, ast.keyword),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.JoinedStr, ast.FormattedValue),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
    *(ast.boolop, ast.unaryop, ast.cmpop, ast.expr_context),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor),
)
# what a name means outside the comprehension that binds it; MONAI adds the last four
_GLOBALS = {*dir(builtins), *IMPORTS, "monai", "torch", "np", "numpy"}


class _RefusedError(Exception):
    """Carries the reason out of the tree."""


def why_not_import(text: str) -> str | None:
    """Say why an import of a config is refused.

    Args:
        text: a string of a config, with its "$".

    Returns:
        The reason; None if it is an allowed import.
    """
    try:
        statements = ast.parse(text.removeprefix("$")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "is no Python"
    if len(statements) != 1 or not isinstance(statements[0], ast.Import) or len(statements[0].names) != 1:
        return "is not one 'import module' or 'import module as name'"
    alias = statements[0].names[0]
    name = alias.asname or alias.name
    return None if IMPORTS.get(name) == alias.name else f"imports {alias.name} as {name}"


def is_import(text: str) -> bool:
    """Whether MONAI would take a string for an import: its first statement is one."""
    if not text.startswith("$") or "import" not in text:
        return False
    try:
        statements = ast.parse(text[1:]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(statements) and isinstance(statements[0], ast.Import | ast.ImportFrom)


def why_not_expression(text: str, *, place: str = "") -> str | None:
    """Say why an expression of a config is refused.

    The text is read as MONAI evaluates it, with references put in, so that what is checked is what would run.

    Args:
        text: a string of a config, with its "$".
        place: the id under which it stands, for references relative to it.

    Returns:
        The reason; None if every part of it is allowed.
    """
    if len(text) > _MAX_LENGTH:
        return f"is longer than {_MAX_LENGTH} characters"
    if not text.isascii():  # Python reads a wide "_" in a name as "_"
        return "has characters beyond ASCII"
    try:
        tree = ast.parse(_with_references(text, place)[1:], mode="eval").body
        _Reader(_bound_names(tree)).read(tree)
    except _RefusedError as refused:
        return str(refused)
    except (SyntaxError, ValueError, KeyError, RecursionError, MemoryError):
        return "is no Python expression"
    return None


def _with_references(text: str, place: str) -> str:
    if _REFERENCES in text:
        raise _RefusedError(f"names {_REFERENCES}")
    text = ConfigParser.resolve_relative_ids(ReferenceResolver.normalize_id(place), text)
    references = ReferenceResolver.match_refs_pattern(text)
    for reference in references:
        if reference.split("::")[0] in ("imports", ""):
            raise _RefusedError("refers to the imports" if reference else "has an @ without an id")
    return ReferenceResolver.update_refs_pattern(text, references)


def _bound_names(tree: ast.expr) -> set[str]:
    """Names that comprehensions bind: none that means something else beside its comprehension."""
    targets = [part.target for part in ast.walk(tree) if isinstance(part, ast.comprehension)]
    parts = [part for target in targets for part in ast.walk(target)]
    if not all(isinstance(part, ast.Name | ast.Tuple | ast.List | ast.Starred | ast.Store) for part in parts):
        raise _RefusedError("assigns to more than a name")
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    hidden = names & _GLOBALS
    if hidden:
        raise _RefusedError(f"binds the name {min(hidden)}")
    return names


class _Reader:
    """Reads a tree from the top; every node must be expected where it stands."""

    def __init__(self, bound: set[str]) -> None:
        self.bound = bound

    def read(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if not isinstance(node, _PLAIN):
            raise _RefusedError(f"holds a {type(node).__name__}")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _follows_a_value(node):
            return self.read(node.left)
        for child in ast.iter_child_nodes(node):
            self.read(child)
        return None

    def _call(self, node: ast.Call) -> None:
        name = self._module_name(node.func)
        if name is not None:
            if name not in FUNCTIONS:
                raise _RefusedError(f"calls {name}")
            if name == "os.environ.get":
                _check_variable(node.args[0] if node.args else None)
        elif isinstance(node.func, ast.Name):
            self._builtin(node)
        elif isinstance(node.func, ast.Attribute):
            if node.func.attr not in METHODS or isinstance(node.func.value, ast.Constant | ast.JoinedStr):
                raise _RefusedError(f"calls the method {node.func.attr}")
            self.read(node.func.value)
        else:
            raise _RefusedError("calls what an expression gives")
        for part in (*node.args, *node.keywords):
            self.read(part)

    def _builtin(self, node: ast.Call) -> None:
        if node.func.id not in BUILTINS:
            raise _RefusedError(f"calls {node.func.id}")
        extra = {keyword.arg for keyword in node.keywords} - BUILTIN_KEYWORDS
        if extra and node.func.id != "dict":
            raise _RefusedError(f"calls {node.func.id} with {min(map(str, extra))}")

    def _attribute(self, node: ast.Attribute) -> None:
        name = self._module_name(node)
        if name is not None:
            if name not in VALUES:
                raise _RefusedError(f"reads {name}")
            return
        if node.attr not in ATTRIBUTES:
            raise _RefusedError(f"reads the attribute {node.attr}")
        self.read(node.value)

    def _subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == _REFERENCES:
            return  # _with_references has put it there
        if self._module_name(node.value) == "os.environ":
            return _check_variable(node.slice)
        self.read(node.value)
        self.read(node.slice)

    def _name(self, node: ast.Name) -> None:
        if node.id not in self.bound:
            raise _RefusedError(f"names {node.id}")
        if node.id.startswith("_"):
            raise _RefusedError(f"binds the name {node.id}")

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bytes):  # a path, too
            raise _RefusedError("holds bytes")
        reason = why_not_relative(node.value) if isinstance(node.value, str) else None
        if reason:
            raise _RefusedError(f"holds '{node.value}', {reason}")

    def _module_name(self, node: ast.expr) -> str | None:
        """The dotted name of a chain of attributes that starts at a name; None for anything else."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if root is node or not isinstance(root, ast.Name) or root.id in self.bound:
            return None
        return ast.unparse(node)


def _check_variable(node: ast.expr | None) -> None:
    if not isinstance(node, ast.Constant) or node.value not in ENVIRONMENT:
        raise _RefusedError(f"reads more of os.environ than {', '.join(sorted(ENVIRONMENT))}")


def _follows_a_value(node: ast.BinOp) -> bool:
    """Whether "/x" stands after something that comes first in the path: @output_dir + '/models'."""
    tail = node.right
    if not (isinstance(tail, ast.Constant) and isinstance(tail.value, str) and tail.value.startswith("/")):
        return False
    first = node.left
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add):
        first = first.left
    plain = not tail.value.startswith("//") and ".." not in tail.value.split("/")
    return plain and not isinstance(first, ast.Constant | ast.JoinedStr)
