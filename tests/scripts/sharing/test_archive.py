# SPDX-License-Identifier: Apache-2.0
"""A zip's bytes depend on names and contents alone."""

import os
import stat
import time
import zipfile

import pytest

from tomobundles.scripts.sharing.archive import write_archive
from tomobundles.utils import InputError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in" / "bundle"
    (root / "sub").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "sub" / "a.txt").write_bytes(b"a" * 3000)
    (root / "sub.txt").write_bytes(b"")
    (root / "B").write_bytes(b"b")
    return root


def test_names_contents_and_attributes(folder, tmp_path):
    write_archive(folder, tmp_path / "out" / "x.zip")
    with zipfile.ZipFile(tmp_path / "out" / "x.zip") as archive:
        assert archive.namelist() == ["bundle/B", "bundle/sub.txt", "bundle/sub/a.txt"]
        assert archive.read("bundle/sub/a.txt") == b"a" * 3000
        assert archive.testzip() is None
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == stat.S_IFREG | 0o644
            assert entry.create_system == 3
            assert entry.compress_type == zipfile.ZIP_STORED


def test_dates_permissions_and_time_zones_do_not_matter(folder, tmp_path, monkeypatch):
    write_archive(folder, tmp_path / "1.zip")
    for file in folder.rglob("*.txt"):
        os.utime(file, (10**9, 10**9))
        file.chmod(0o755)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        write_archive(folder, tmp_path / "2.zip")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    (folder / "B").write_bytes(b"c")
    write_archive(folder, tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() != (tmp_path / "2.zip").read_bytes()


def test_a_link_is_refused_and_leaves_no_zip(folder, tmp_path):
    (folder / "sub" / "link").symlink_to(folder / "B")
    with pytest.raises(InputError, match="symbolic link"):
        write_archive(folder, tmp_path / "x.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
