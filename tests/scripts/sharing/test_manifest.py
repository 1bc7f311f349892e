# SPDX-License-Identifier: Apache-2.0
"""The manifest of a packed bundle against the shell's own tool."""

import hashlib
import shutil
import subprocess

import pytest

from tomobundles.scripts.sharing.manifest import (
    MANIFEST,
    digest_of,
    file_sum,
    file_sums,
    read_manifest,
    write_manifest,
)
from tomobundles.utils import InputError

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "x y.txt").write_bytes(b"abc")
    (tmp_path / "b.txt").touch()
    return tmp_path


def test_sums_are_sorted_and_leave_out_the_manifest_at_the_top_alone(folder):
    write_manifest(folder)
    (folder / "b" / MANIFEST).write_bytes(b"abc")
    assert list(file_sums(folder).items()) == [("b.txt", EMPTY), (f"b/{MANIFEST}", ABC), ("b/c/x y.txt", ABC)]
    assert file_sum(folder / "b" / MANIFEST) == ABC


def test_the_text_is_what_sha256sum_reads(folder):
    write_manifest(folder)
    assert (folder / MANIFEST).read_bytes() == f"{EMPTY}  b.txt\n{ABC}  b/c/x y.txt\n".encode()
    assert read_manifest(folder) == file_sums(folder)
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    command = ["sha256sum", "--check", "--strict", MANIFEST]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    (folder / "b.txt").write_bytes(b"!")
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1


def test_one_digest_for_many_files(folder):
    text = f"{EMPTY}  b.txt\n{ABC}  b/c/x y.txt\n"
    assert digest_of(file_sums(folder)) == hashlib.sha256(text.encode()).hexdigest()


def test_a_line_break_in_a_name_is_refused(tmp_path):
    (tmp_path / "a\nb").touch()
    with pytest.raises(InputError, match=r"line break: 'a\\nb'"):
        write_manifest(tmp_path)
    assert not (tmp_path / MANIFEST).exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"abc  x\n", "line 1 is no line of a manifest"),
        (f"{ABC}  x\n{ABC} x\n".encode(), "line 2 is no line of a manifest"),
        (f"{ABC}  x\n{EMPTY}  x\n".encode(), "line 2 names a file for the second time"),
        (b"\xff\xfe", "the manifest is not text"),
        (None, "the bundle has no manifest"),
    ],
)
def test_a_manifest_that_cannot_be_read(tmp_path, content, match):
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_manifest(tmp_path)
