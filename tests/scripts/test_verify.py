# SPDX-License-Identifier: Apache-2.0
"""The verb "verify": zips and folders, one line a check, an error if any failed."""

import argparse

import pytest

from tomobundles.scripts import verify
from tomobundles.scripts.sharing.archive import write_archive
from tomobundles.utils import InputError

from .sharing.tiny_bundle import broken, build, edit_json


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A sound bundle; read only."""
    return build(tmp_path_factory.mktemp("packed"))


def _verify(*arguments):
    parser = argparse.ArgumentParser()
    verify.add_arguments(parser)
    verify.run(parser.parse_args([*map(str, arguments), "--static"]))


def test_a_folder_and_its_zip_pass(packed, tmp_path, capsys):
    _verify(packed)
    folder = capsys.readouterr().out.splitlines()
    write_archive(packed, tmp_path / "bundle.zip")
    _verify(tmp_path / "bundle.zip")
    assert capsys.readouterr().out.splitlines() == ["ok      archive", *folder]
    assert [line.split()[:2] for line in folder[:2]] == [["ok", "manifest"], ["ok", "layout"]]
    assert {path.name for path in tmp_path.iterdir()} == {"bundle.zip"}


def test_results_in_a_zip_fail(packed, tmp_path, capsys):
    """Inference prefers weights below output/; in a folder they may come from a run, in a zip they do not."""

    def change(root):
        (root / "output/asl/models").mkdir(parents=True)
        (root / "output/asl/models/model.pt").write_bytes(b"other")

    root = broken(packed, tmp_path, change, sign=False)
    _verify(root)
    write_archive(root, tmp_path / "bundle.zip")
    with pytest.raises(InputError, match="failed: manifest, layout"):
        _verify(tmp_path / "bundle.zip")
    assert "output/asl/models/model.pt: not listed" in capsys.readouterr().out


def test_what_failed_is_the_error(packed, tmp_path, capsys):
    def change(root):
        edit_json(root / "configs/train.json", lambda config: config.update(dataset_dir="/data"))

    root = broken(packed, tmp_path, change, sign=False)
    with pytest.raises(InputError, match="failed: manifest, configs"):
        _verify(root)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert lines == [
        "FAILED  manifest: configs/train.json: its checksum differs",
        "FAILED  configs: train.json: dataset_dir: '/data' is an absolute path",
    ]


def test_another_schema(packed, tmp_path, capsys):
    (tmp_path / "schema.json").write_text('{"required": ["owner"]}')
    with pytest.raises(InputError, match="failed: metadata"):
        _verify(packed, "--schema", tmp_path / "schema.json")
    assert "FAILED  metadata: 'owner' is a required property" in capsys.readouterr().out


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        _verify(tmp_path / "none.zip")
