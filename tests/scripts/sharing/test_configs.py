# SPDX-License-Identifier: Apache-2.0
"""Configs in a zip: the root is ".", macros are resolved, the rest is as in the repository."""

import json

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing.configs import bundle_version, pack_configs, packed_config
from tomobundles.utils import InputError

REST = ',\n  "x": [1,2], "\u00b5": "%run", "run": "@bundle_root"}'
TEXT = '{\r\n  "bundle_root" : "$\'a\\"b\' if 1 else \'.\'"' + REST
PACKED = '{\r\n  "bundle_root" : "."' + REST


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundles" / "one"
    (folder / "configs" / "more").mkdir(parents=True)
    (folder / "configs" / "train.json").write_bytes(TEXT.encode())
    (folder / "configs" / "logging.conf").write_text("[loggers]\n")
    (folder / "configs" / "metadata.json").write_text(
        '{"version": "1.2.3", "changelog": {"1.2.3": "x"}, "bundle_root": "a"}'
    )
    return folder


def test_the_root_alone_is_rewritten(bundle, tmp_path):
    pack_configs(bundle, tmp_path / "out")
    assert (tmp_path / "out" / "train.json").read_bytes() == PACKED.encode()
    for name in ("logging.conf", "metadata.json"):
        assert (tmp_path / "out" / name).read_bytes() == (bundle / "configs" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "logging.conf",
        "metadata.json",
        "train.json",
    ]


@pytest.mark.parametrize("macro", ["bundles/one/configs/train.json", "configs/train.json"])
def test_file_macros_start_at_the_repository_or_the_bundle(bundle, tmp_path, macro):
    (bundle / "configs" / "over.json").write_text(json.dumps({"y": f"%{macro}::x", "z": "%y"}))
    pack_configs(bundle, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "over.json").read_text()) == {"y": [1, 2], "z": "%y"}


def test_a_nested_root_is_some_other_id(bundle):
    path = bundle / "configs" / "over.json"
    path.write_text('{"a": {"bundle_root": "x"}, "bundle_root": "y"}')
    assert json.loads(packed_config(path, folders=())) == {"a": {"bundle_root": "x"}, "bundle_root": "."}


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"a": "/data"}, "a has an absolute path: /data"),
        ({"a": {"_target_": "tomobundles.networks.None_"}}, "a names tomobundles.networks.None_, which does"),
        ({"a": "%b.json::c"}, "a macro names b.json, which does not exist"),
    ],
)
def test_configs_that_cannot_be_shared(bundle, tmp_path, config, match):
    (bundle / "configs" / "over.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=match):
        pack_configs(bundle, tmp_path / "out")


def test_links_are_refused(bundle, tmp_path):
    (bundle / "configs" / "link.json").symlink_to(bundle / "configs" / "train.json")
    with pytest.raises(InputError, match="symbolic link"):
        pack_configs(bundle, tmp_path / "out")


def test_all_bundles_can_be_packed(tmp_path):
    for folder in sorted((ROOT / "bundles").iterdir()):
        pack_configs(folder, tmp_path / folder.name)
        for name in ("train.json", "inference.json"):
            before = json.loads((folder / "configs" / name).read_text(encoding="utf-8"))
            after = json.loads((tmp_path / folder.name / name).read_text(encoding="utf-8"))
            assert after == before | {"bundle_root": "."}


def test_versions(bundle):
    assert bundle_version(bundle) == "1.2.3"


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ({"version": "2", "changelog": {"1": "x"}}, "version 2 is missing in the changelog"),
        ({"version": "2"}, "version 2 is missing in the changelog"),
        ({"version": "../2", "changelog": {"../2": "x"}}, "has no usable version: '../2'"),
        ({"version": 2}, "has no usable version: 2"),
        ({}, "has no usable version: None"),
    ],
)
def test_versions_that_cannot_be_used(bundle, metadata, match):
    (bundle / "configs" / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=match):
        bundle_version(bundle)
