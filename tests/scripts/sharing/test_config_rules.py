# SPDX-License-Identifier: Apache-2.0
"""Whole configs: hostile ones are found out, those of the collection raise no alarm."""

import json

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing import config_rules
from tomobundles.scripts.sharing.config_rules import config_problems, read_config, walk
from tomobundles.utils import InputError

BUNDLES = sorted(path.parent for path in (ROOT / "bundles").glob("*/configs"))

HOSTILE = {
    "target": ({"a": {"_target_": "os.system", "command": "ls"}}, "a::_target_: 'os.system'"),
    "target in a list": ({"a": [{"b": {"_target_": "os.system"}}]}, "a::0::b::_target_"),
    "target in an overlay's key": ({"network_def#_target_": "os.system"}, "network_def::_target_"),
    "target in an overlay's new key": ({"network_def::_target_": "os.system"}, "network_def::_target_"),
    "target in a merged key": ({"+a": {"_target_": "os.system"}}, "a::_target_"),
    "target by reference": ({"n": "os.system", "a": {"_target_": "@n"}}, "not a plain name"),
    "target by expression": ({"a": {"_target_": "$@x.f"}}, "not a plain name"),
    "target as a macro": ({"a": {"_target_": "%x"}}, "not a plain name"),
    "Lambda": ({"a": {"_target_": "Lambdad", "keys": "image", "func": "$@x"}}, "calls code"),
    "MONAI download": ({"a": {"_target_": "MedNISTDataset", "root_dir": "."}}, "packages for workflows"),
    "debug mode": ({"a": {"_target_": "Compose", "_mode_": "debug"}}, "mode 'debug'"),
    "debug mode in a key": ({"a#_mode_": "debug"}, "mode 'debug'"),
    "mode by reference": ({"a": {"_target_": "Compose", "_mode_": "@m"}}, "mode '@m'"),
    "expression": ({"run": ["$exec('1')"]}, "run::0: expression 'exec"),
    "expression in a requirement": ({"a": {"_target_": "Compose", "_requires_": "$eval('1')"}}, "calls eval"),
    "expression in a description": ({"a": {"_target_": "Compose", "_desc_": "$eval('1')"}}, "calls eval"),
    "expression in a switch": ({"a": {"_target_": "Compose", "_disabled_": "$eval('1')"}}, "calls eval"),
    "import": ({"imports": ["$import subprocess"]}, "imports subprocess"),
    "import from": ({"imports": ["$from os import system"]}, "is not one"),
    "import elsewhere": ({"a": "$import os"}, "outside 'imports'"),
    "import under another id": ({"imports_2": ["$import os"]}, "outside 'imports'"),
    "module by reference": ({"imports": ["$import os"], "a": "@imports::0"}, "refers to the imports"),
    "import by a macro": ({"imports": ["$import os"], "a": "%imports::0"}, "refers to the imports"),
    "import by a relative macro": ({"imports": ["$import os"], "a": "%#imports#0"}, "refers to the imports"),
    "everything by a macro": ({"imports": ["$import os"], "a": "%"}, "refers to the imports"),
    "import by a relative id": ({"imports": ["$import os"], "a": "@#imports::0"}, "refers to the imports"),
    "import by a higher id": ({"a": {"b": ["@::::::imports::0"]}}, "refers to the imports"),
    "expression among imports": ({"imports": {"a": "$import os", "b": "$@c"}}, "is no import"),
    "reference among imports": ({"imports": ["@a"]}, "is no import"),
    "id inside another": ({"a": {"b#c": "$@##d"}}, "an id inside another"),
    "id inside a list": ({"a": [{"b::c": 1}]}, "an id inside another"),
    "merge inside another": ({"a": {"+b": []}}, "an id inside another"),
    "empty id": ({"": {"run": []}}, "an empty part"),
    "id with an empty part": ({"a##b": 1}, "an empty part"),
    "debugger": ({"a": {"_target_": "Compose", "_debug_": True}}, "none of MONAI's special keys"),
    "debugger in a key": ({"a#_debug_": True}, "none of MONAI's special keys"),
    "upwards": ({"output_dir": "../../elsewhere"}, "leads upwards"),
    "built-in as reader": ({"a": {"_target_": "LoadImage", "reader": "open", "file": "x"}}, "names code"),
    "import as reader": ({"a": {"_target_": "LoadImage", "reader": "__import__"}}, "names code"),
    "macro of a file": ({"a": "%../other.json::b"}, "reads another file"),
    "macro of a YAML file": ({"a": "%other.YAML"}, "reads another file"),
    "absolute path": ({"dataset_dir": "/data/scans"}, "an absolute path"),
    "drive": ({"dataset_dir": "D:\\scans"}, "an absolute path"),
    "home": ({"a": ["~/scans"]}, "home"),
    "address": ({"a": "https://x.org/model.pt"}, "an address"),
    "reader by name": ({"a": {"_target_": "LoadImaged", "reader": "subprocess.Popen"}}, "names code"),
    "reader in a key": ({"a#transforms#0#reader": "subprocess.Popen"}, "names code"),
    "reader by reference": ({"a": {"_target_": "LoadImaged", "reader": "@r"}}, "names code"),
    "reader in a list": ({"a": {"_target_": "LoadImaged", "reader": ["os.system"]}}, "names code"),
    "code in another argument": ({"a": {"_target_": "UNet", "norm": "os.system"}}, "name of code"),
    "pickles": ({"a": {"_target_": "NumpyReader", "allow_pickle": True}}, "must be False"),
    "weights with objects": ({"a": {"_target_": "PersistentDataset", "weights_only": False}}, "must be True"),
    "weights with objects, by reference": ({"a#weights_only": "@no"}, "must be True"),
    "downloaded weights": ({"a": {"_target_": "UNet", "pretrained": "@x"}}, "must be False"),
    "lambda reader": ({"a": {"_target_": "LoadImage", "reader": "Lambda"}}, "names code"),
    "own tool": ({"a": {"_target_": "tomobundles.scripts.cli.main"}}, "a tool"),
    "own module's module": ({"a": {"_target_": "tomobundles.utils.files.os.system"}}, "not defined"),
}


def _write(root, name, content):
    path = root / "configs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_no_alarm_for_the_collection(bundle):
    assert config_problems(bundle, code=ROOT) == []


@pytest.mark.parametrize(("config", "reason"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["train.json", "more/overlay.json"])
def test_hostile_configs_are_found_out(name, config, reason, tmp_path):
    _write(tmp_path, name, config)
    found = config_problems(tmp_path, code=ROOT)
    assert all(problem.startswith(f"{name}: ") for problem in found)
    assert reason in "; ".join(found)


def test_there_are_many_hostile_configs():
    assert len(HOSTILE) >= 25


def test_every_fault_is_named(tmp_path):
    _write(tmp_path, "train.json", {"a": "/x", "b": "~", "c": "$@d + 1"})
    _write(tmp_path, "metadata.json", {"schema": "https://x.org"})  # has rules of its own
    assert config_problems(tmp_path) == [
        "train.json: a: '/x' is an absolute path",
        "train.json: b: '~' is a path in one user's home",
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("train.json", "{", "cannot be read"),
        ("train.json", "[]", "is no JSON object"),
        ("train.json", '{"a": 1, "a": "$x"}', "a key stands twice"),
        ("train.json", "[" * 100_000, "cannot be read"),
        ("train.yaml", "a: 1", "no JSON"),
        ("train.py", "", "no JSON"),
        ("logging.conf", "[handler_x]\nclass=eval\nargs=('1',)\n", "refusing to apply"),
        ("logging.conf", "[handler_x]\nclass=StreamHandler\nargs=(open('x'),)\n", "refusing to apply"),
    ],
)
def test_files_that_are_no_configs_are_found(name, content, reason, tmp_path):
    _write(tmp_path, name, content)
    (found,) = config_problems(tmp_path)
    assert found.startswith(f"{name}: ")
    assert reason in found


def test_a_plain_logging_file_passes(tmp_path):
    _write(tmp_path, "logging.conf", "[handler_x]\nclass=StreamHandler\nargs=(sys.stdout,)\n")
    assert config_problems(tmp_path) == []


def test_without_monais_guard_logging_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.delattr(config_rules.monai_workflows, "_reject_executable_logging_config")
    _write(tmp_path, "logging.conf", "")
    assert "cannot check" in config_problems(tmp_path)[0]


def test_arguments_that_stay_are_allowed(tmp_path):
    reader = {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"}
    other = {"_target_": "LoadImaged", "reader": {"_target_": "NumpyReader", "allow_pickle": False}}
    _write(
        tmp_path, "train.json", {"a": [reader, other], "b": "model.pt", "c": "v1.2", "d": None, "e": "a.b"}
    )
    assert config_problems(tmp_path, code=ROOT) == []


def test_ids_of_overlays_are_taken_apart():
    assert list(walk({"+a#b": [{"c": 1}]})) == [
        ("b", "a::b", [{"c": 1}]),
        ("0", "a::b::0", {"c": 1}),
        ("c", "a::b::0::c", 1),
    ]


def test_reading_a_config_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_config(tmp_path / "none.json")
