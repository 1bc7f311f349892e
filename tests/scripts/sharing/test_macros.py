# SPDX-License-Identifier: Apache-2.0
"""File macros become what MONAI puts in their place."""

import json

import pytest
from monai.bundle import ConfigParser

from tomobundles.scripts.sharing.macros import resolve_file_macros
from tomobundles.utils import InputError

OTHER = {"net": {"channels": [4, 8], "act": "relu"}, "inner": {"m": ["%net"]}, "near": "@#act", "far": "@##x"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "other.json").write_text(json.dumps(OTHER))
    return tmp_path


def _resolved(config, folder, **more):
    return resolve_file_macros(config, folder / "x.json", **({"folders": [folder]} | more))


def test_as_monai_reads_them(folder, monkeypatch):
    config = {
        "a": "%configs/other.json::net::channels",
        "b": [{"c": "%configs/other.json#net"}, "%configs/other.json::net::channels::1"],
        "d": "%a",
        "e": "100%",
        "f": 5,
    }
    found = _resolved(config, folder)
    assert found["a"] == [4, 8]
    assert found["b"] == [{"c": {"channels": [4, 8], "act": "relu"}}, 8]
    assert found["d"] == "%a"
    assert config["d"] == "%a"
    assert config["a"].startswith("%configs")
    monkeypatch.chdir(folder)
    original, packed = ConfigParser(config), ConfigParser(found)
    for parser in (original, packed):
        parser.resolve_macro_and_relative_ids()
    assert {name: original[name] for name in "abef"} == {name: packed[name] for name in "abef"}


def test_a_whole_file_and_the_order_of_folders(folder):
    (folder / "other.json").write_text('{"net": 7}')
    assert _resolved("%other.json", folder) == {"net": 7}
    assert _resolved("%other.json::net", folder, folders=[folder / "configs", folder])["act"] == "relu"
    assert _resolved("%other.json::net", folder, folders=[folder, folder / "configs"]) == 7


@pytest.mark.parametrize(
    ("macro", "match"),
    [
        ("%none.json::net", "names none.json, which does not exist\nTried: "),
        ("%configs/other.json::net::x", "names an id that other.json does not have"),
        ("%configs/other.json::net::channels::9", "names an id that other.json does not have"),
        ("%configs/other.json::inner", r"brings '%net' \(m::0\), which MONAI does not resolve"),
        ("%configs/other.json::near", "brings '@#act'"),
        ("%configs/other.json::far", "brings '@##x'"),
    ],
)
def test_macros_that_lead_nowhere(folder, macro, match):
    with pytest.raises(InputError, match=match):
        _resolved({"a": macro}, folder)


def test_an_absolute_macro(folder):
    with pytest.raises(InputError, match="a macro names an absolute path"):
        _resolved({"a": f"%{folder}/configs/other.json::net"}, folder)
