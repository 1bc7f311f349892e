# SPDX-License-Identifier: Apache-2.0
"""Good zips come out whole; hostile ones are refused and leave nothing anywhere."""

import io
import zipfile

import pytest

from tomobundles.scripts.sharing.archive import write_archive
from tomobundles.scripts.sharing.unpack import unpack
from tomobundles.utils import InputError

from .hostile_zips import GOOD, hostile_zips, zipped

HOSTILE = list(hostile_zips())


def _everything(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_there_are_many_hostile_zips():
    assert len({title for title, _, _ in HOSTILE}) == len(HOSTILE) >= 30


@pytest.mark.parametrize(("content", "reason"), [one[1:] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_hostile_zips_are_refused_and_leave_nothing(content, reason, tmp_path):
    archive = tmp_path / "bundle.zip"
    archive.write_bytes(content)
    with pytest.raises(InputError, match=f"refused: .*({reason})") as caught:
        unpack(archive, tmp_path / "a" / "out")
    assert len(str(caught.value).splitlines()) == 3
    assert _everything(tmp_path) - {"a", "a/out"} == {"bundle.zip"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_good_zips_come_out_whole(method, tmp_path):
    archive = tmp_path / "bundle.zip"
    archive.write_bytes(zipped(("b/empty/", b""), ("b/zeros", bytes(1000)), method=method))
    root = unpack(archive, tmp_path / "out")
    assert root == tmp_path / "out" / "b"
    files = {f"b/{name}": (root / name).read_bytes() for name in _everything(root) if (root / name).is_file()}
    assert files == GOOD | {"b/zeros": bytes(1000)}
    assert (root / "empty").is_dir()
    assert _everything(tmp_path / "out") == {"b"} | {f"b/{name}" for name in _everything(root)}


def test_what_the_collection_packs_is_unpacked(tmp_path):
    folder = tmp_path / "kidney"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "README.md").write_text("# Kidney\n")
    write_archive(folder, tmp_path / "kidney.zip")
    root = unpack(tmp_path / "kidney.zip", tmp_path / "out")
    assert (root / "docs" / "README.md").read_text() == "# Kidney\n"


def test_a_folder_that_is_there_is_kept(tmp_path):
    (tmp_path / "bundle.zip").write_bytes(zipped())
    mine = tmp_path / "out" / "b" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("kept")
    with pytest.raises(InputError, match="already there"):
        unpack(tmp_path / "bundle.zip", tmp_path / "out")
    assert _everything(tmp_path / "out") == {"b", "b/mine.txt"}


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        unpack(tmp_path / "none.zip", tmp_path)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_entries": 2}, "3 entries, more than 2"),
        ({"max_bytes": 9}, "more than 9 bytes unpacked"),
    ],
)
def test_limits_are_arguments(limits, reason, tmp_path):
    (tmp_path / "bundle.zip").write_bytes(zipped())  # 4 + 2 + 4 bytes in three files
    with pytest.raises(InputError, match=reason):
        unpack(tmp_path / "bundle.zip", tmp_path / "out", **limits)
    unpack(tmp_path / "bundle.zip", tmp_path / "out", max_entries=3, max_bytes=10)


def test_the_ratio_counts_over_one_mebibyte_only(tmp_path):
    """2**20 zeros pack to about 1 kB and pass; with one byte more they are refused, unless it is allowed."""
    cases = ((2**20, {}, True), (2**20 + 1, {}, False), (2**20 + 1, {"max_ratio": 2e3}, True))
    for size, limits, passes in cases:
        archive = tmp_path / f"{size}-{len(limits)}.zip"
        archive.write_bytes(zipped(("b/zeros", bytes(size)), method=zipfile.ZIP_DEFLATED))
        if passes:
            assert unpack(archive, tmp_path / archive.stem, **limits).is_dir()
        else:
            with pytest.raises(InputError, match="times its size"):
                unpack(archive, tmp_path / archive.stem, **limits)


def test_many_small_zeros_are_a_bomb_too(tmp_path):
    """65 files of 1 MiB, each below the limit of a single one."""
    archive = tmp_path / "bundle.zip"
    zeros = [(f"b/{number}", bytes(2**20)) for number in range(65)]
    archive.write_bytes(zipped(*zeros, method=zipfile.ZIP_DEFLATED))
    with pytest.raises(InputError, match="all together unpack to over 200 times"):
        unpack(archive, tmp_path / "out")
    assert unpack(archive, tmp_path / "out", max_ratio=2e3).is_dir()


def test_a_second_name_of_an_entry_is_refused(tmp_path, monkeypatch):
    """Python 3.12 and later may put the name of a Unicode field in the place of the one that was checked."""

    def contents(opened):
        read(opened)
        opened.filelist[-1].filename = "../../evil.txt"

    read = zipfile.ZipFile._RealGetContents
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", contents)
    (tmp_path / "bundle.zip").write_bytes(zipped())
    with pytest.raises(InputError, match="stands under a second name"):
        unpack(tmp_path / "bundle.zip", tmp_path / "out")


def test_a_link_in_the_folder_is_not_replaced(tmp_path):
    (tmp_path / "bundle.zip").write_bytes(zipped())
    (tmp_path / "b").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="already there"):
        unpack(tmp_path / "bundle.zip", tmp_path)


def test_more_bytes_than_declared_are_not_written(tmp_path, monkeypatch):
    """Should zipfile ever hand out more than an entry declares, the entry is refused all the same."""
    (tmp_path / "bundle.zip").write_bytes(zipped())
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: io.BytesIO(b"much longer than declared"))
    with pytest.raises(InputError, match="b/LICENSE: 25 bytes, 4 declared"):
        unpack(tmp_path / "bundle.zip", tmp_path / "out")
    assert _everything(tmp_path / "out") == set()
