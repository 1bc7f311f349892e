# SPDX-License-Identifier: Apache-2.0
"""Imports are followed as Python would run them, and are never kept in a list."""

import ast
from textwrap import dedent

import pytest

import tomobundles
from tests.helpers import ROOT
from tomobundles.scripts.sharing.config_values import own_targets
from tomobundles.scripts.sharing.imports import (
    foreign_packages,
    imports_of,
    module_file,
    reached_modules,
)
from tomobundles.utils import InputError

FILES = {
    "a/__init__.py": "from .x import f\n",
    "a/x.py": """
        from __future__ import annotations
        import os, numpy.linalg
        from typing import TYPE_CHECKING
        from ..b import one, y
        if TYPE_CHECKING:
            import onlytypes
            from ..d import typed
        else:
            import scipy
        try:
            import optional
        except ImportError:
            optional = None
        class C:
            import inclass
        def f():
            import tomobundles.c.z
            from plotly import graph_objects
            importlib.import_module("by_text.sub"), importlib.import_module(name), f(), import_module(1)
        """,
    "b/__init__.py": "one = 1\n",
    "b/y.py": "try:\n    from torch import nn\nfinally:\n    pass\n",
    "b/unreached.py": "",
    "c/__init__.py": "",
    "c/z.py": "import PIL.Image\nfrom . import __name__ as n\nfrom .. import __version__\n",
    "d.py": "from .missing import g\n",
    "e.py": "import tomobundles.nowhere\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(text))
    monkeypatch.setattr(tomobundles, "__path__", [str(tmp_path)])
    return tmp_path


def test_a_package_its_modules_and_what_runs_late(package):
    found = reached_modules(["tomobundles.a.f", "torch.nn.Linear"])
    assert {name.removeprefix("tomobundles"): path for name, path in found.items()} == {
        "": ROOT / "tomobundles" / "__init__.py",
        ".a": package / "a" / "__init__.py",
        ".a.x": package / "a" / "x.py",
        ".b": package / "b" / "__init__.py",
        ".b.y": package / "b" / "y.py",
        ".c": package / "c" / "__init__.py",
        ".c.z": package / "c" / "z.py",
    }
    assert list(found) == sorted(found)


def test_without_what_runs_late(package):
    names = ["tomobundles", "tomobundles.a", "tomobundles.a.x", "tomobundles.b", "tomobundles.b.y"]
    assert list(reached_modules(["tomobundles.a.f"], lazy=False)) == names
    # a try without a handler for failed imports is no option; a class body runs with its module
    assert foreign_packages(["tomobundles.a.f"], lazy=False) == {"numpy", "scipy", "torch", "inclass"}
    late = {"optional", "plotly", "PIL", "by_text"}
    assert foreign_packages(["tomobundles.a.f"]) == {"numpy", "scipy", "torch", "inclass"} | late


def test_names_of_one_file(package):
    found = imports_of(package / "c" / "z.py", "tomobundles.c.z")
    assert found.eager == {"PIL.Image", "tomobundles.c.__name__", "tomobundles.__version__"}
    assert found.lazy == set()


@pytest.mark.parametrize(("name", "missing"), [("d", "missing"), ("e", "nowhere")])
def test_an_import_that_leads_nowhere(package, name, missing):
    with pytest.raises(InputError, match=f"line 1 imports tomobundles.{missing}, which does not exist"):
        reached_modules([f"tomobundles.{name}"])


def test_where_modules_lie():
    assert module_file("tomobundles") == ROOT / "tomobundles" / "__init__.py"
    assert module_file("tomobundles.networks") == ROOT / "networks" / "__init__.py"
    assert module_file("tomobundles.networks.grid_unet") == ROOT / "networks" / "grid_unet.py"
    assert module_file("tomobundles.networks.GridUNet") is None


@pytest.fixture(scope="module")
def reached():
    return reached_modules(own_targets(sorted((ROOT / "bundles").iterdir())))


def test_what_the_bundles_need(reached):
    rooms = {name.split(".")[1] for name in reached if "." in name}
    assert rooms <= {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert "scripts" not in rooms
    assert {"networks", "data", "handlers", "utils"} <= rooms
    assert "tomobundles.data.phantoms.oct_sample" in reached  # imported when a sample is made
    assert "tomobundles.data.pairing" not in reached  # of a command alone


def test_no_import_hides_from_the_reader(reached):
    """A module's name that is computed cannot be followed; one that is written down is."""
    hidden = {"__import__", "optional_import", "spec_from_file_location", "run_module", "exec"}
    for file in reached.values():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                assert name not in hidden, f"{file}:{node.lineno}"
                assert name != "import_module" or isinstance(node.args[0], ast.Constant), (
                    f"{file}:{node.lineno}"
                )


def test_the_package_has_no_data_files(reached):
    """The code of a zip is its .py files: a file of another kind would be left behind."""
    folders = {file.parent for file in reached.values()} | {ROOT / "tomobundles"}
    found = {file for folder in folders for file in folder.iterdir() if file.is_file()}
    assert not {file for file in found if file.suffix != ".py" and not file.name.startswith(".")}
