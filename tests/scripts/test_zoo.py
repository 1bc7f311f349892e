# SPDX-License-Identifier: Apache-2.0
"""``tomobundles zoo``: a folder of zips becomes a zoo, or is refused as a whole."""

import argparse
import json

import pytest

from tests.scripts.sharing.zips import bundle_files, png, write_zip
from tomobundles.scripts import zoo
from tomobundles.utils import InputError


def _zoo(*arguments):
    parser = argparse.ArgumentParser()
    zoo.add_arguments(parser)
    zoo.run(parser.parse_args([str(argument) for argument in arguments]))


def test_both_files_are_written(tmp_path, capsys):
    size = write_zip(tmp_path, files=bundle_files() | {"docs/network.png": png()}).stat().st_size
    _zoo(tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"oct_edema_v0.1.0.zip", "model_info.json", "index.html", "previews/oct_edema.png"}
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"oct_edema_v0.1.0: {size:,} bytes, SHA-256 ")
    assert said[1:] == [f"wrote {tmp_path / 'model_info.json'} and {tmp_path / 'index.html'}"]


def test_again_gives_the_same(tmp_path):
    write_zip(tmp_path)
    _zoo(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    _zoo(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_the_address_is_in_both(tmp_path):
    write_zip(tmp_path)
    _zoo(tmp_path, "--url", "https://server.example/zoo/")
    url = "https://server.example/zoo/oct_edema_v0.1.0.zip"
    assert json.loads((tmp_path / "model_info.json").read_text())["oct_edema_v0.1.0"]["source"] == url
    assert f'href="{url}"' in (tmp_path / "index.html").read_text()


def test_a_name_that_monai_misreads_is_said(tmp_path, capsys):
    for version in ("0.1.0", "0.2.0"):
        write_zip(tmp_path, name="kidney_vasculature", version=version)
    _zoo(tmp_path)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "get_bundle_versions misreads kidney_vasculature" in notes[0]


def test_one_bad_zip_and_nothing_is_written(tmp_path):
    write_zip(tmp_path)
    (tmp_path / "ich_v0.1.0.zip").write_bytes(b"<html>404</html>")
    with pytest.raises(InputError, match=r"ich_v0\.1\.0\.zip"):
        _zoo(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".zip"}


def test_changed_contents_need_a_word(tmp_path):
    write_zip(tmp_path)
    _zoo(tmp_path)
    page = (tmp_path / "index.html").read_bytes()
    write_zip(tmp_path, files=bundle_files(authors="somebody else"))
    with pytest.raises(InputError, match="was listed with other contents"):
        _zoo(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == page
    _zoo(tmp_path, "--replace")
    assert (tmp_path / "index.html").read_bytes() != page
