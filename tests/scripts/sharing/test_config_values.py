# SPDX-License-Identifier: Apache-2.0
"""What configs name is found, at any depth."""

import json
from pathlib import Path

import pytest

from tomobundles.scripts.sharing.config_values import (
    check_targets,
    own_targets,
    read_json,
    target_names,
    values_by_id,
    workflow_files,
)
from tomobundles.utils import InputError

CONFIG = {
    "net": {"_target_": "tomobundles.networks.GridUNet", "in_channels": 3},
    "list": [1, {"a": {"_target_": "Compose", "transforms": [{"_target_": "torch.nn.ReLU"}]}}],
}


def test_ids_are_monai_s():
    found = dict(values_by_id(CONFIG))
    assert found["list::1::a::_target_"] == "Compose"
    assert found["net::in_channels"] == 3
    assert found[""] is CONFIG


def test_targets_at_any_depth():
    assert target_names(CONFIG) == {
        "net": "tomobundles.networks.GridUNet",
        "list::1::a": "Compose",
        "list::1::a::transforms::0": "torch.nn.ReLU",
    }
    check_targets(CONFIG, Path("x.json"))


@pytest.mark.parametrize(
    "target", ["tomobundles.networks.NoNetwork", "tomobundles.nowhere.X", "NotInMonai", "$torch.nn.ReLU", ""]
)
def test_a_target_that_does_not_exist(target):
    with pytest.raises(InputError, match=r"x\.json\na::0 names .*, which does not exist"):
        check_targets({"a": [{"_target_": target}]}, Path("x.json"))


def test_a_target_whose_import_fails(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"broken_module\.X, which does not exist"):
        check_targets({"_target_": "broken_module.X"}, Path("x.json"))


def test_own_targets_of_workflows_alone(tmp_path):
    folder = tmp_path / "one" / "configs"
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps(CONFIG))
    (folder / "over.json").write_text('{"x": {"_target_": "tomobundles.data.trained_model_dir"}}')
    (folder / "metadata.json").write_text('{"x": {"_target_": "tomobundles.data.other"}}')
    assert [path.name for path in workflow_files(tmp_path / "one")] == ["over.json", "train.json"]
    assert own_targets([tmp_path / "one"]) == [
        "tomobundles.data.trained_model_dir",
        "tomobundles.networks.GridUNet",
    ]


@pytest.mark.parametrize(
    ("text", "match"), [(None, "no such file"), ("{", "is not JSON"), ("[]", "is not a JSON object")]
)
def test_files_that_cannot_be_read(tmp_path, text, match):
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=match):
        read_json(tmp_path / "x.json")
