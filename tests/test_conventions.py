# SPDX-License-Identifier: Apache-2.0
"""What the collection promises of its own text and code: no network, no pickle, one direction of imports."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from .helpers import ROOT

# room -> rooms it may import besides itself; scripts may import all, benchmarks and tests are no rooms
MAY_IMPORT = {
    "utils": set(),
    "networks": {"utils"},
    "losses": {"utils"},
    "metrics": {"utils"},
    "transforms": {"utils"},
    "inferers": {"utils", "transforms"},  # how stacks are gathered is written once
    "visualize": {"utils"},
    "data": {"utils", "visualize"},
    "handlers": {"utils", "visualize", "data", "networks", "losses", "metrics", "transforms", "inferers"},
}
ROOMS = {*MAY_IMPORT, "scripts"}
NO_TEST_OF_THEIR_OWN = {
    "data/phantoms": "its files are one simulator, tested as a whole by tests/data/phantoms",
    "scripts": "its verbs are run by tests/scripts/test_cli.py, which checks that it knows all of them",
}
MACHINE_PATH = re.compile(r"(?<![\w.:/~\-])/(?:root|home|work|opt)/\w")


def _listed():
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        files = [Path(line) for line in done.stdout.splitlines()]
    else:  # an archive without git
        files = [path.relative_to(ROOT) for path in ROOT.rglob("*") if not _is_hidden(path)]
    return sorted({file for file in files if (ROOT / file).is_file()})


def _is_hidden(path):
    return any(part.startswith(".") or part in ("output", "sample") for part in path.relative_to(ROOT).parts)


FILES = _listed()
CODE = [file for file in FILES if file.suffix == ".py"]
SHIPPED = [file for file in CODE if file.parts[0] != "tests"]


def _text(file):
    return (ROOT / file).read_text(encoding="utf-8")


def _names(file):
    """Dotted names of everything a file imports, relative ones from the package's root."""
    package = ("tomobundles", *(file.parent.parts if file.parts[0] != "tomobundles" else ()))
    for node in ast.walk(ast.parse(_text(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = [*above, *filter(None, [node.module])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def test_the_scan_sees_the_repository():
    assert {"networks", "tests", "bundles"} <= {file.parts[0] for file in FILES if len(file.parts) > 1}
    assert "tomobundles.utils.InputError" in set(_names(Path("data/slices.py")))
    assert "tomobundles.data.slices.list_slices" in set(_names(Path("data/readers.py")))


def test_every_room_has_a_place_in_the_order():
    folders = {file.parts[0] for file in SHIPPED if len(file.parts) > 1}
    assert folders - {"tomobundles", "benchmarks"} == ROOMS


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_dependencies_point_one_way(room):
    for file in (file for file in SHIPPED if file.parts[0] == room):
        for name in _names(file):
            parts = name.split(".")
            if parts[0] == "tomobundles" and len(parts) > 1 and parts[1] in ROOMS:
                assert parts[1] in MAY_IMPORT[room] | {room}, f"{file} imports {name}"


@pytest.mark.parametrize("file", [file for file in SHIPPED if file.parts[0] in ROOMS], ids=str)
def test_inside_the_package_imports_are_relative(file):
    absolute = [
        node
        for node in ast.walk(ast.parse(_text(file)))
        if isinstance(node, ast.ImportFrom)
        and node.level == 0
        and (node.module or "").startswith("tomobundles")
    ]
    assert not absolute, f"{file}:{absolute[0].lineno}"


def test_licence_line_comes_first():
    assert [
        file for file in CODE if _text(file) and _first_line(file) != "# SPDX-License-Identifier: Apache-2.0"
    ] == []


def _first_line(file):
    return _text(file).partition("\n")[0]


def test_no_paths_of_one_machine():
    found = []
    for file in FILES:
        try:
            lines = _text(file).splitlines()
        except UnicodeDecodeError:  # a picture
            continue
        found += [f"{file}:{number}" for number, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert found == []


def test_what_counts_as_a_machine_path():
    for path in ("home/me/x", "root/x", "work/x", "opt/x"):
        assert MACHINE_PATH.search(f'"/{path}"')
    for text in ("a/work/b", "https://x.org/home/b", "bundles/opt/x", "~/work/x"):
        assert not MACHINE_PATH.search(text)


def _calls(file, function):
    """Calls of a function by its last name (torch.load as load), with the name before it."""
    for node in ast.walk(ast.parse(_text(file))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == function:
            yield ast.unparse(node.func.value), node


@pytest.mark.parametrize("file", SHIPPED, ids=str)
def test_no_pickle_is_loaded(file):
    banned = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    assert not {name.split(".")[0] for name in _names(file)} & banned
    assert not {"torch.load", "numpy.load"} & set(_names(file)), (
        "call it by its full name: this test looks there"
    )
    for owner, call in _calls(file, "load"):
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if owner == "torch":
            assert keywords.get("weights_only") == "True", f"{file}:{call.lineno}"
        assert keywords.get("allow_pickle", "False") == "False", f"{file}:{call.lineno}"


def test_tests_load_safely_too():
    for file in CODE:
        for owner, call in _calls(file, "load"):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if owner == "torch":
                assert keywords.get("weights_only") == "True", f"{file}:{call.lineno}"


def test_nothing_reaches_for_the_network():
    banned = {
        "requests",
        "urllib.request",
        "http.client",
        "socket",
        "gdown",
        "huggingface_hub",
        "torchvision",
    }
    for file in SHIPPED:
        for name in _names(file):
            assert not any(name == bad or name.startswith(f"{bad}.") for bad in banned), (
                f"{file} imports {name}"
            )


def test_every_module_has_its_test():
    """data/slices.py has tests/data/test_slices*.py, or a test imports from it or a public name of it."""
    imported = {name for file in CODE if file.parts[0] == "tests" for name in _names(file)}
    missing = []
    for file in (file for file in SHIPPED if file.parts[0] in ROOMS and file.name != "__init__.py"):
        room = ".".join(["tomobundles", *file.parent.parts])
        offered = {f"{room}.{name}" for name in _public_names(file)}
        named = any(f"{name}.".startswith(f"{room}.{file.stem}.") for name in imported)
        mirrored = any((ROOT / "tests" / file.parent).glob(f"test_{file.stem}*.py"))
        if not (mirrored or named or offered & imported or file.parent.as_posix() in NO_TEST_OF_THEIR_OWN):
            missing.append(str(file))
    assert missing == []


def _public_names(file):
    body = ast.parse(_text(file)).body
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in body if isinstance(node, kinds) and not node.name.startswith("_")}
