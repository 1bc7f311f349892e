# SPDX-License-Identifier: Apache-2.0
"""A packed bundle's folder: its parts, its code and their digest."""

import hashlib
import json

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing.assemble import CODE_DIGEST, pack_code
from tomobundles.utils import InputError


def _bundle(folder, target):
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "train.json").write_text(json.dumps({"a": {"_target_": target}}))
    return folder


def test_code_is_that_of_all_bundles_of_a_collection(tmp_path):
    one = _bundle(tmp_path / "one", "tomobundles.utils.start_run")
    two = _bundle(tmp_path / "two", "tomobundles.networks.GridUNet")
    pack_code([one], tmp_path / "out1")
    pack_code([one, two], tmp_path / "out2")
    assert not (tmp_path / "out1" / "tomobundles" / "networks").exists()
    for packed, module in (("out1", "utils/run.py"), ("out2", "networks/grid_unet.py")):
        assert (tmp_path / packed / "tomobundles" / module).read_bytes() == (ROOT / module).read_bytes()
    init = ROOT / "tomobundles" / "__init__.py"
    assert (tmp_path / "out1" / "tomobundles" / "__init__.py").read_bytes() == init.read_bytes()


def test_the_digest_is_that_of_the_code_s_manifest(tmp_path):
    pack_code([_bundle(tmp_path / "one", "tomobundles.utils.start_run")], tmp_path / "out")
    package = tmp_path / "out" / "tomobundles"
    files = sorted((path.relative_to(package).as_posix(), path) for path in package.rglob("*.py"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in files]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (package / CODE_DIGEST).read_text() == expected + "\n"


def test_commands_are_no_part_of_a_bundle(tmp_path):
    bundle = _bundle(tmp_path / "one", "tomobundles.scripts.froc.run")
    with pytest.raises(InputError, match="is a command, but code that a config needs imports it"):
        pack_code([bundle], tmp_path / "out")
