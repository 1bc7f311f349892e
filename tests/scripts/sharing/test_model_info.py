# SPDX-License-Identifier: Apache-2.0
"""The list of a zoo's bundles: what it states, what it refuses, and that MONAI's own functions read it."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest
from monai.bundle import get_all_bundles_list, get_bundle_info, get_bundle_versions
from monai.bundle import scripts as monai_scripts

from tomobundles.scripts.sharing.model_info import (
    check_url,
    find_archives,
    is_misread,
    read_archive,
    source,
    write_model_info,
)
from tomobundles.utils import InputError

from .zips import bundle_files, write_zip


def _write(folder, *, url=None, replace=False):
    write_model_info(find_archives(folder), folder / "model_info.json", url=url, replace=replace)
    return json.loads((folder / "model_info.json").read_text(encoding="utf-8"))


def test_sorted_by_name_and_newest_first(tmp_path):
    for version in ("0.9.0", "0.10.0", "0.1.0"):
        write_zip(tmp_path, version=version)
    write_zip(tmp_path, name="ich", version="2")
    (tmp_path / "notes.txt").touch()
    found = [archive.key for archive in find_archives(tmp_path)]
    assert found == ["ich_v2", "oct_edema_v0.10.0", "oct_edema_v0.9.0", "oct_edema_v0.1.0"]


def test_an_entry_states_both_sums(tmp_path):
    data = write_zip(tmp_path).read_bytes()
    assert _write(tmp_path) == {
        "oct_edema_v0.1.0": {
            "checksum": hashlib.sha1(data).hexdigest(),
            "source": "oct_edema_v0.1.0.zip",
            "version": "0.1.0",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "name": "Edema <in> OCT & more",
            "task": 'Segmentation of "edema"',
            "monai_version": "1.6.1",
        }
    }


def test_the_address_goes_before_the_name(tmp_path):
    write_zip(tmp_path)
    entry = _write(tmp_path, url="https://server.example/zoo/")["oct_edema_v0.1.0"]
    assert entry["source"] == "https://server.example/zoo/oct_edema_v0.1.0.zip"
    assert source(read_archive(tmp_path / "oct_edema_v0.1.0.zip"), None) == "oct_edema_v0.1.0.zip"


@pytest.fixture
def asked(monkeypatch):
    """MONAI's look-ups answered with the file that the test names; nothing is sent."""
    answer = SimpleNamespace(path=None, urls=[])

    def get(url, **_):
        answer.urls.append(url)
        return SimpleNamespace(text=answer.path.read_text(encoding="utf-8"), raise_for_status=lambda: None)

    monkeypatch.setattr(monai_scripts, "requests", SimpleNamespace(get=get))
    monkeypatch.setattr(monai_scripts, "has_requests", True)
    return answer


def test_monai_reads_the_list(tmp_path, asked):
    for version in ("0.1.0", "0.2.0"):
        write_zip(tmp_path, version=version)
    write_zip(tmp_path, name="lung_nodule", version="0.1.0")
    _write(tmp_path, url="https://server.example/zoo")
    asked.path = tmp_path / "model_info.json"
    assert get_all_bundles_list() == [("lung_nodule", "0.1.0"), ("oct_edema", "0.2.0")]
    versions = get_bundle_versions("oct_edema", repo="me/zoo")
    assert versions == {"latest_version": "0.2.0", "all_versions": ["0.1.0", "0.2.0"]}
    for version, found in ((None, "0.2.0"), ("0.1.0", "0.1.0")):
        assert get_bundle_info("oct_edema", version=version) == {
            "name": f"oct_edema_v{found}",
            "browser_download_url": f"https://server.example/zoo/oct_edema_v{found}.zip",
        }
    assert asked.urls[1].endswith("/me/zoo/dev/models/model_info.json")


def test_what_monai_misreads(tmp_path, asked):
    """It cuts at the first "_v" and sorts versions as text; both are MONAI's, and docs/sharing.md says so."""
    for version in ("0.9.0", "0.10.0"):
        write_zip(tmp_path, version=version)
    write_zip(tmp_path, name="kidney_vasculature")
    _write(tmp_path)
    asked.path = tmp_path / "model_info.json"
    assert get_all_bundles_list() == [("kidney", "asculature_v0.1.0"), ("oct_edema", "0.9.0")]
    assert is_misread("kidney_vasculature")
    assert not any(map(is_misread, ("oct_edema", "ich", "lung_nodule", "kidney_hipct")))


def test_a_version_keeps_its_contents(tmp_path):
    write_zip(tmp_path)
    first = _write(tmp_path)
    assert _write(tmp_path) == first
    write_zip(tmp_path, files=bundle_files(authors="somebody else"))
    with pytest.raises(InputError, match=r"oct_edema_v0\.1\.0 was listed with other contents") as caught:
        _write(tmp_path)
    assert "--replace" in caught.value.remedy
    assert json.loads((tmp_path / "model_info.json").read_text()) == first
    assert _write(tmp_path, replace=True) != first


def test_lists_of_others_are_taken_over(tmp_path):
    """The model zoo's own list has no SHA-256: nothing to compare with."""
    write_zip(tmp_path)
    theirs = {"oct_edema_v0.1.0": {"checksum": "", "source": "https://server.example/x"}}
    (tmp_path / "model_info.json").write_text(json.dumps(theirs))
    assert _write(tmp_path)["oct_edema_v0.1.0"]["source"] == "oct_edema_v0.1.0.zip"


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_a_file_that_is_no_list(text, tmp_path):
    write_zip(tmp_path)
    (tmp_path / "model_info.json").write_text(text)
    with pytest.raises(InputError, match="is no list of bundles"):
        _write(tmp_path)
    assert (tmp_path / "model_info.json").read_text() == text


def test_no_folder_and_no_zip(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_archives(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no zip in it"):
        find_archives(tmp_path)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"file_name": "oct_edema.zip"}, "call it oct_edema_v0.1.0.zip"),
        ({"file_name": "oct_edema_v0.2.0.zip"}, "call it oct_edema_v0.1.0.zip"),
        ({"file_name": "edema_v0.1.0.ZIP"}, "call it oct_edema_v0.1.0.zip"),
        ({"name": "ich", "file_name": "oct_edema_v0.1.0.zip"}, "call it ich_v0.1.0.zip"),
        ({"version": "0.1.0rc1"}, "versions are numbers and dots"),
        ({"name": "a b"}, "no blanks"),
    ],
    ids=["no version", "another version", "another name", "the folder's name", "letters", "a blank"],
)
def test_a_zip_is_called_by_what_it_holds(options, remedy, tmp_path):
    path = write_zip(tmp_path, **options)
    with pytest.raises(InputError, match=r"\nholds ") as caught:
        find_archives(tmp_path)
    assert caught.value.path == str(path)
    assert remedy in caught.value.remedy


def test_two_zips_of_one_version(tmp_path):
    shutil.copy(write_zip(tmp_path), tmp_path / "oct_edema_v0.1.0 (1).zip")
    with pytest.raises(InputError, match=r"\(1\).zip also holds oct_edema version 0.1.0"):
        find_archives(tmp_path)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "https://a.example/b%20c/", "file:///share/zoo", "file://host/share"]
)
def test_addresses(url):
    assert check_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "server/zoo",
            "/share/zoo",
            "javascript:alert(1)",
            "http:///x",
            "https://a/b?c",
            "https://a/#b",
        ),
        *("https://a/b c", "https://a/$(b)", "https://a/`b`", "ftp://a/b", "https://[a/b"),
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(InputError, match="is no address of a folder"):
        check_url(url)
