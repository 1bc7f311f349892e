# SPDX-License-Identifier: Apache-2.0
"""The tables name what exists, and nothing that is known to do harm."""

import importlib

import pytest

from tomobundles.scripts.sharing import allow_list as table

HARM = ("load", "save", "system", "popen", "exec", "spawn", "remove", "unlink", "rename", "download", "open")


@pytest.mark.parametrize("name", sorted(table.FUNCTIONS | table.VALUES))
def test_names_exist_under_the_names_of_imports(name):
    root, *rest = name.split(".")
    found = importlib.import_module(table.IMPORTS[root])
    for part in rest:
        found = getattr(found, part)
    assert callable(found) == (name in table.FUNCTIONS)
    assert rest[-1] not in HARM


def test_builtins_exist_and_run_nothing():
    found = vars(importlib.import_module("builtins"))
    assert found.keys() >= table.BUILTINS
    assert not table.BUILTINS & {
        "eval",
        "exec",
        "compile",
        "open",
        "getattr",
        "setattr",
        "type",
        "map",
        "vars",
    }


def test_modules_exist():
    for name in table.LIBRARY_MODULES | table.MONAI_PACKAGES:
        importlib.import_module(name)


def test_methods_change_or_read_no_file():
    assert not table.METHODS & {*HARM, "format", "mro"}


def test_attributes_lead_to_no_module_and_no_code():
    modules = {"os", "sys", "modules", "path", "reducer", "subprocess", "torch", "utils"}
    assert not table.ATTRIBUTES & {*HARM, *modules, *table.IMPORTS}
    assert not [name for name in table.ATTRIBUTES if name.startswith(("_", "f_", "gi_", "co_", "tb_"))]
