# SPDX-License-Identifier: Apache-2.0
"""Absolute paths are found in values and in expressions, and nothing else is taken for one."""

from pathlib import Path

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing.absolute_paths import absolute_paths, check_no_absolute_paths
from tomobundles.scripts.sharing.config_values import read_json
from tomobundles.utils import InputError


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/data/x", "/data/x"),
        ("//server/x", "//server/x"),
        ("~/x", "~/x"),
        ("~", "~"),
        ("~user", "~user"),
        ("C:\\x", "C:\\x"),
        ("d:/x", "d:/x"),
        ("\\\\server\\x", "\\\\server\\x"),
        ("file:///x", "file:///x"),
        ("$'/data' + @name", "/data"),
        ("$@a::b if @train#c else '/data'", "/data"),
        ("$os.path.join(@bundle_root, '/data')", "/data"),
        ("$f'/data/{@name}'", "/data/"),
        ("$[x for x in", None),
        ("$'/data' +", "/data"),
    ],
)
def test_what_is_absolute(value, path):
    assert absolute_paths({"a": [value]}) == ({} if path is None else {"a::0": path})


@pytest.mark.parametrize(
    "value",
    [
        ".",
        "models/x",
        "../x",
        "@bundle_root",
        "$@bundle_root + '/output/' + @variant + '/models'",
        "$f'{@bundle_root}/data'",
        "$@x.split('/')[0]",
        "$4 / 2",
        "https://example.org/x",
        "a: b",
        "/",
        5,
        None,
    ],
)
def test_what_is_not(value):
    assert absolute_paths({"a": value}) == {}


def test_the_refusal_names_the_id():
    with pytest.raises(InputError, match=r"x\.json\nb::c has an absolute path: /data"):
        check_no_absolute_paths({"a": 1, "b": {"c": "/data"}}, Path("x.json"))


def test_the_bundles_have_none():
    files = sorted((ROOT / "bundles").glob("*/configs/*.json"))
    assert files
    for path in files:
        check_no_absolute_paths(read_json(path), path)
