# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle's configs stay within what a config may do; nothing of the bundle is run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle import workflows as monai_workflows
from monai.bundle.config_item import ConfigComponent

from ...utils import InputError
from .allow_list import FIXED_ARGUMENTS, MODES, NAMED_CODE
from .allowed_targets import why_not_target
from .config_values import METADATA
from .expressions import is_import, why_not_expression, why_not_import
from .paths import why_not_relative

LOGGING = "logging.conf"
_MODULES = {
    *sys.stdlib_module_names,
    "builtins",
    "ignite",
    "monai",
    "numpy",
    "tomobundles",
    "torch",
    "torchvision",
}


def config_problems(root: Path, *, code: Path | None = None) -> list[str]:
    """Find what a bundle's configs name, call or read against the rules.

    Args:
        root: the bundle's folder.
        code: where the package's folders lie; None takes the bundle's own copy.

    Returns:
        "file: id: what is wrong" of every fault; empty if there is none.
    """
    folder, found = root / "configs", []
    code = root / "tomobundles" if code is None else code
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name == LOGGING:
            found += [f"{name}: {problem}" for problem in _logging_problems(path)]
        elif path.suffix != ".json":
            found.append(f"{name}: no JSON; configs of other kinds are not checked and not allowed")
        elif name != METADATA:
            found += [f"{name}: {problem}" for problem in _file_problems(path, code)]
    return found


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON object that names no key twice.

    Raises:
        InputError: if it is not that.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {error}", path=path) from None
    if not isinstance(content, dict):
        raise InputError("is no JSON object", path=path)
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _file_problems(path: Path, code: Path) -> list[str]:
    try:
        config = read_config(path)
    except InputError as error:
        return [error.problem]
    found = [f"{name}: {reason}" for name, reason in _odd_keys(config)]
    for key, place, value in walk(config):
        reason = _why_not(key, place, value, code)
        if reason:
            found.append(f"{place}: {reason}")
    return found


def _odd_keys(node: Any, *, top: bool = True) -> Iterator[tuple[str, str]]:
    """Keys that would stand elsewhere than they seem to, or switch something on in MONAI."""
    for name in node if isinstance(node, dict) else ():
        parts = name.removeprefix("+").replace("#", "::").split("::")
        if "" in parts:
            yield name, "an id with an empty part"
        elif not top and (len(parts) > 1 or name.startswith("+")):
            yield name, "an id inside another, which MONAI does not take apart"
        elif re.fullmatch(r"_.*_", parts[-1], re.DOTALL) and parts[-1] not in ConfigComponent.non_arg_keys:
            yield name, "is none of MONAI's special keys"  # _debug_ stops a run in a debugger
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _odd_keys(below, top=False)


def walk(node: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every value below a node, as (last part of its id, id, value).

    An overlay's key may be a whole id ("train#handlers", "+imports"); its parts count like nested keys.
    """
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in pairs:
        part = str(name).removeprefix("+").replace("#", "::")
        below = f"{place}::{part}" if place else part
        yield part.rpartition("::")[2], below, value
        yield from walk(value, below)


def _why_not(key: str, place: str, value: Any, code: Path) -> str | None:
    if key == "_target_":
        reason = why_not_target(value, code=code)
        return f"'{value}' {reason}" if reason else None
    if key == "_mode_":
        return None if value in MODES else f"mode '{value}' is not one of {', '.join(sorted(MODES))}"
    if key in NAMED_CODE and not (isinstance(value, dict) or _names_classes(value, code)):
        return f"names code in an argument: {value!r}"
    if key in FIXED_ARGUMENTS and value is not FIXED_ARGUMENTS[key]:
        return f"is {value!r}, must be {FIXED_ARGUMENTS[key]}"
    return _why_not_text(value, place) if isinstance(value, str) else None


def _names_classes(value: Any, code: Path) -> bool:
    """Short names of MONAI's classes, or built components; other plain words may be Python's own: "exec"."""
    values = value if isinstance(value, list) else [value]
    names = [one for one in values if one is not None and not isinstance(one, dict)]
    return all("." not in str(one) and why_not_target(one, code=code) is None for one in names)


def _why_not_text(text: str, place: str) -> str | None:
    inside = place.split("::")[0] == "imports"
    if is_import(text):
        reason = why_not_import(text) if inside else "stands outside 'imports'"
        return f"import '{text[1:]}' {reason}" if reason else None
    if inside:
        return f"'{text[:80]}' is no import"
    if text.startswith("$"):
        reason = why_not_expression(text, place=place)
        return f"expression '{text[1:80]}' {reason}" if reason else None
    if text.startswith("%") and ConfigParser.split_path_id(text[1:])[0]:
        return f"macro '{text}' reads another file"
    # "@#x" and "%#x" count levels up from where they stand: what they name, not how many, is what counts
    first = text[1:].replace("#", "::").lstrip(":").split("::")[0]
    if text.startswith(("@", "%")) and first in ("imports", ""):
        return f"'{text}' refers to the imports"
    reason = why_not_relative(text) or _why_code(text)
    return f"'{text[:80]}' is {reason}" if reason else None


def _why_code(text: str) -> str | None:
    """Libraries look some names up wherever they lead; only ``_target_`` needs a module's name."""
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return None
    return "a name of code outside _target_" if parts[0] in _MODULES else None


def _logging_problems(path: Path) -> list[str]:
    """MONAI's own guard, where it has one (1.6.1): its classes and arguments are evaluated by Python."""
    guard = getattr(monai_workflows, "_reject_executable_logging_config", None)
    if guard is None:
        return ["this MONAI cannot check it; update MONAI, or remove the file"]
    try:
        guard(str(path))
    except ValueError as error:
        return [" ".join(str(error).replace(str(path), path.name).split())[:200]]
    return []
