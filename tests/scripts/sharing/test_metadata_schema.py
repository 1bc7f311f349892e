# SPDX-License-Identifier: Apache-2.0
"""Metadata by MONAI's schema as we state it, and by what a schema cannot say."""

import copy
import json
import sys

import pytest
from monai.bundle import verify_metadata

from tests.helpers import ROOT
from tomobundles.scripts.sharing.metadata_schema import SCHEMA, metadata_problems
from tomobundles.utils import InputError

pytest.importorskip("jsonschema", reason="the schema is checked by it")
BUNDLES = sorted(path.parent for path in (ROOT / "bundles").glob("*/configs"))
GOOD = json.loads((ROOT / "bundles/kidney_vasculature/configs/metadata.json").read_text())
PRED = ("network_data_format", "outputs", "pred")


def _changed(*place, value=None):
    """The good metadata with one value set, or removed if it is None."""
    metadata = copy.deepcopy(GOOD)
    node = metadata
    for name in place[:-1]:
        node = node[name]
    if value is None:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    return metadata


@pytest.mark.filterwarnings("ignore:No hash value:UserWarning")
@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_no_alarm_for_the_collection(bundle, tmp_path):
    path = bundle / "configs" / "metadata.json"
    assert metadata_problems(path) == []
    # MONAI's own command, which takes a schema that is already there instead of downloading it
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    verify_metadata(meta_file=str(path), filepath=str(tmp_path / "schema.json"))


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_required_keys(key, tmp_path):
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(_changed(key)))
    assert any(f"'{key}' is a required property" in problem for problem in metadata_problems(path))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (_changed("version", value=1), "version: 1 is not of type 'string'"),
        (_changed("changelog"), "changelog: has no entry"),
        (_changed("changelog", value={"0.0.1": "old"}), "changelog: has no entry for version 0.1.0"),
        (_changed("required_packages_version", value={}), "names no package"),
        (_changed("required_packages_version", value=["fire"]), "is not of type 'object'"),
        (_changed("references", value="one"), "references: 'one' is not of type 'array'"),
        (_changed("network_data_format", value=3), "network_data_format: 3"),
        (_changed("network_data_format", "inputs"), "'inputs' is a required property"),
        (_changed("network_data_format", "inputs", "image"), "has no tensor 'image'"),
        (_changed("network_data_format", "outputs", "pred", value=3), "has no tensor 'pred'"),
        (_changed(*PRED, "dtype"), "'dtype' is a required property"),
        (_changed(*PRED, "num_channels", value="1"), "network_data_format::outputs::pred"),
        (_changed(*PRED, "spatial_shape", value=["16*m"]), "network_data_format::outputs::pred"),
        (_changed("other_data_format", value={"inputs": {}}), "'outputs' is a required property"),
        (_changed("task", value="$exec('1')"), "task: MONAI would resolve it"),
        (_changed("task", value="%other.json::x"), "task: MONAI would resolve it"),
        (_changed("task", value="@imports"), "task: MONAI would resolve it"),
        (_changed(*PRED, "channel_def", value={"_target_": "x"}), "_target_: MONAI would resolve it"),
        (_changed("name#_target_", value="os.system"), "_target_: MONAI would resolve it"),
    ],
)
def test_faults_are_found(metadata, reason, tmp_path):
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(metadata))
    assert reason in "; ".join(metadata_problems(path))


def test_a_file_that_is_no_json(tmp_path):
    (tmp_path / "metadata.json").write_text("{")
    assert "cannot be read" in metadata_problems(tmp_path / "metadata.json")[0]


def test_the_schema_may_be_given(tmp_path):
    schema, path = tmp_path / "schema.json", tmp_path / "metadata.json"
    schema.write_text(json.dumps({"required": ["owner"]}))
    path.write_text(json.dumps(GOOD))
    assert metadata_problems(path, schema=schema) == ["'owner' is a required property"]


def test_a_schema_that_is_none(tmp_path):
    schema, path = tmp_path / "schema.json", tmp_path / "metadata.json"
    schema.write_text(json.dumps({"type": "nothing"}))
    path.write_text(json.dumps(GOOD))
    with pytest.raises(InputError, match="is no JSON schema"):
        metadata_problems(path, schema=schema)
    with pytest.raises(InputError, match="cannot be read"):
        metadata_problems(path, schema=tmp_path / "none.json")


def test_without_jsonschema(tmp_path, monkeypatch):
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(GOOD))
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(InputError, match="jsonschema is not installed"):
        metadata_problems(path)
