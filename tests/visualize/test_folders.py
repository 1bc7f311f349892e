# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from tomobundles.utils import InputError
from tomobundles.visualize.folders import atomic_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_folder_with_parents(tmp_path):
    with atomic_folder(tmp_path / "a" / "b") as fresh:
        (fresh / "1").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
    assert names(tmp_path / "a" / "b") == ["1"]
    assert names(tmp_path / "a") == ["b"]


def test_older_folder_is_replaced_whole(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_text("x")
    with atomic_folder(tmp_path / "b") as fresh:
        (fresh / "new").write_text("x")
        assert names(tmp_path / "b") == ["old"]
    assert names(tmp_path / "b") == ["new"]
    assert names(tmp_path) == ["b"]


def test_failure_leaves_the_older_folder(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_text("x")
    with pytest.raises(RuntimeError, match="disk"), atomic_folder(tmp_path / "b") as fresh:  # noqa: PT012
        (fresh / "new").write_text("x")
        raise RuntimeError("disk full")
    assert names(tmp_path / "b") == ["old"]
    assert names(tmp_path) == ["b"]


@pytest.mark.parametrize("older", [True, False])
def test_failure_of_the_last_step_brings_the_older_folder_back(tmp_path, monkeypatch, older):
    if older:
        (tmp_path / "b").mkdir()
    replace = os.replace

    def refuse(source, target):
        if source.name == "fresh":
            raise OSError("refused")
        replace(source, target)

    monkeypatch.setattr("tomobundles.visualize.folders.os.replace", refuse)
    with pytest.raises(OSError, match="refused"), atomic_folder(tmp_path / "b"):
        pass
    assert names(tmp_path) == (["b"] if older else [])


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_permissions_are_the_users_own(tmp_path):
    (tmp_path / "plain").mkdir()
    with atomic_folder(tmp_path / "b"):
        pass
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_file_in_the_way(tmp_path):
    (tmp_path / "b").write_text("x")
    with pytest.raises(InputError, match="a file stands where"), atomic_folder(tmp_path / "b"):
        pass
    assert (tmp_path / "b").read_text() == "x"


def test_tree_replaces_the_older_one(tmp_path):
    (tmp_path / "out" / "old").mkdir(parents=True)
    with atomic_folder(tmp_path / "out") as fresh:
        (fresh / "a" / "b").mkdir(parents=True)
        (fresh / "a" / "b" / "c").write_text("x")
        assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path / "out") == ["a"]
    assert names(tmp_path) == ["out"]


def test_tree_keeps_the_older_one_on_failure(tmp_path, monkeypatch):
    (tmp_path / "out" / "old").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="stop"), atomic_folder(tmp_path / "out"):
        raise RuntimeError("stop")
    assert names(tmp_path / "out") == ["old"]
    replace = os.replace

    def refuse(source, target):
        if source.name == "fresh":
            raise OSError("refused")
        replace(source, target)

    monkeypatch.setattr("tomobundles.visualize.folders.os.replace", refuse)
    with pytest.raises(OSError, match="refused"), atomic_folder(tmp_path / "out"):
        pass
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_tree_where_a_file_is(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="a file stands where"), atomic_folder(tmp_path / "out"):
        pass
