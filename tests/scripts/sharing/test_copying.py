# SPDX-License-Identifier: Apache-2.0
"""Plain files are copied; links are not."""

import pytest

from tomobundles.scripts.sharing.copying import copy_file, plain_files
from tomobundles.utils import InputError


def test_hidden_files_and_bytecode_stay(tmp_path):
    for name in ("b/x.txt", "a.txt", ".hidden", ".git/x", "b/__pycache__/x.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert plain_files(tmp_path) == [tmp_path / "a.txt", tmp_path / "b" / "x.txt"]


def test_a_file_is_copied_into_new_folders(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    copy_file(tmp_path / "a", tmp_path / "x" / "y" / "b")
    assert (tmp_path / "x" / "y" / "b").read_bytes() == b"a"
    with pytest.raises(InputError, match="no such file"):
        copy_file(tmp_path / "c", tmp_path / "d")


def test_links_are_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").touch()
    (tmp_path / "folder").symlink_to(tmp_path / "in")
    with pytest.raises(InputError, match="symbolic link"):
        plain_files(tmp_path / "folder")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    with pytest.raises(InputError, match="symbolic link"):
        plain_files(tmp_path / "in")
    with pytest.raises(InputError, match="symbolic link"):
        copy_file(tmp_path / "in" / "loop", tmp_path / "d")
