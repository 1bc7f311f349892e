# SPDX-License-Identifier: Apache-2.0
"""A zoo folder behind a plain web server or on a file share: MONAI's own download takes bundles out of it."""

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from monai.bundle import ConfigParser, download

from tomobundles.scripts import zoo
from tomobundles.scripts.package import package_bundle
from tomobundles.scripts.sharing.manifest import file_sums, read_manifest

from .helpers import ROOT
from .scripts.sharing.zips import bundle_files, shown, write_zip

NO_PROXY = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
NAME = "oct_edema_v0.1.0.zip"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name, value in NO_PROXY.items():
        monkeypatch.setenv(name, value)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """An empty folder and its address; what the test puts there is served over loopback."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _zoo(folder, *options):
    parser = argparse.ArgumentParser()
    zoo.add_arguments(parser)
    zoo.run(parser.parse_args([str(folder), *options]))


def _get(url, bundle_dir, *, name="oct_edema"):
    download(name=name, url=url, bundle_dir=str(bundle_dir), progress=False)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_packed_bundle_by_the_command_of_the_page(served, tmp_path, monkeypatch):
    """Pack, list, serve, download as docs/sharing.md shows it: every byte is there, and the configs load."""
    folder, url = served
    (tmp_path / "models").mkdir()
    torch.save({"weight": torch.zeros(1)}, tmp_path / "models" / "model.pt")
    monkeypatch.chdir(ROOT)
    package_bundle("oct_edema", output_dir=folder, model_dir=tmp_path / "models")
    _zoo(folder, "--url", url)
    (entry,) = json.loads((folder / "model_info.json").read_text()).values()
    home = tmp_path / "home"
    home.mkdir()
    words = shown("python -m monai.bundle download --name oct_edema --bundle_dir . --url")
    assert words.pop() == f"http://127.0.0.1:8000/{NAME}"
    done = subprocess.run(
        [sys.executable, *words[1:], entry["source"], "--version", entry["version"]],
        cwd=home,
        env=os.environ | NO_PROXY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert _names(home) == ["oct_edema", "oct_edema.zip"]
    assert file_sums(home / "oct_edema") == read_manifest(home / "oct_edema")
    if shutil.which("sha256sum"):
        check = ["sha256sum", "-c", "--quiet", "SHA256SUMS"]
        assert subprocess.run(check, cwd=home / "oct_edema", check=False).returncode == 0
    assert hashlib.sha256((home / "oct_edema.zip").read_bytes()).hexdigest() == entry["sha256"]
    metadata = json.loads((home / "oct_edema" / "configs" / "metadata.json").read_text())
    assert metadata["version"] == entry["version"]
    for name in ("train", "inference"):
        parser = ConfigParser()
        parser.read_config(str(home / "oct_edema" / "configs" / f"{name}.json"))
        assert "run" in parser.get()


def test_from_a_file_share(tmp_path):
    """The file form of the address needs no server, and no network: sockets are closed here."""
    archive = write_zip(tmp_path / "share")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
        _zoo(tmp_path / "share", "--url", (tmp_path / "share").as_uri())
        (entry,) = json.loads((tmp_path / "share" / "model_info.json").read_text()).values()
        assert entry["source"] == archive.as_uri()
        _get(entry["source"], tmp_path / "home")
    bundle = tmp_path / "home" / "oct_edema"
    assert file_sums(bundle) == read_manifest(bundle)
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    assert parser.get_parsed_content("number") == 3


def test_without_a_name_it_unpacks_and_then_fails(served, tmp_path):
    """MONAI 1.6.1 joins None to the folder's path at the very end; hence --name in every command shown."""
    folder, url = served
    write_zip(folder)
    with pytest.raises(TypeError):
        _get(f"{url}/{NAME}", tmp_path / "home", name=None)
    assert _names(tmp_path / "home") == ["oct_edema", NAME]


def test_the_folder_is_called_by_the_zip_not_by_name(served, tmp_path):
    folder, url = served
    write_zip(folder)
    _get(f"{url}/{NAME}", tmp_path / "home", name="mine")
    assert _names(tmp_path / "home") == ["mine.zip", "oct_edema"]


def test_an_older_download_is_kept_without_a_word(served, tmp_path):
    """The zip of before is not replaced, and neither is the folder: docs/sharing.md says to remove both."""
    folder, url = served
    for version in ("0.1.0", "0.2.0"):
        write_zip(folder, version=version)
    home = tmp_path / "home"
    metadata = home / "oct_edema" / "configs" / "metadata.json"
    seen = []
    for leave in ((), ("oct_edema.zip",), ("oct_edema.zip", "oct_edema")):
        version = "0.2.0" if seen else "0.1.0"
        _get(f"{url}/oct_edema_v{version}.zip", home)
        seen.append(json.loads(metadata.read_text())["version"])
        for name in leave:
            (home / name).unlink() if name.endswith(".zip") else (home / name).rename(tmp_path / "old")
    _get(f"{url}/oct_edema_v0.2.0.zip", home)
    seen.append(json.loads(metadata.read_text())["version"])
    assert seen == ["0.1.0", "0.1.0", "0.1.0", "0.2.0"]


def test_a_page_instead_of_a_zip(served, tmp_path):
    """A server's apology with status 200: an error, and the file that was no zip stays in the way."""
    folder, url = served
    (folder / NAME).write_bytes(b"<html>log in</html>")
    for _ in range(2):
        with pytest.raises(zipfile.BadZipFile):
            _get(f"{url}/{NAME}", tmp_path / "home")
        assert _names(tmp_path / "home") == ["oct_edema.zip"]
        write_zip(folder)
    (tmp_path / "home" / "oct_edema.zip").unlink()
    _get(f"{url}/{NAME}", tmp_path / "home")
    assert _names(tmp_path / "home") == ["oct_edema", "oct_edema.zip"]


def test_half_a_zip(served, tmp_path):
    folder, url = served
    path = write_zip(folder)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(zipfile.BadZipFile):
        _get(f"{url}/{NAME}", tmp_path / "home")


def test_nothing_at_the_address(served, tmp_path):
    _, url = served
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _get(f"{url}/{NAME}", tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_contents_are_not_checked_by_monai(served, tmp_path):
    """Its download compares no checksum: the manifest or the page's SHA-256 shows a swapped file."""
    folder, url = served
    with zipfile.ZipFile(write_zip(tmp_path)) as archive:
        manifest = archive.read("oct_edema/SHA256SUMS")
    swapped = bundle_files() | {"models/model.pt": b"other weights", "SHA256SUMS": manifest}
    write_zip(folder, files=swapped, manifest=False)
    with pytest.warns(UserWarning, match="file integrity is NOT verified"):
        _get(f"{url}/{NAME}", tmp_path / "home")
    bundle = tmp_path / "home" / "oct_edema"
    found, stated = file_sums(bundle), read_manifest(bundle)
    assert [name for name in stated if stated[name] != found[name]] == ["models/model.pt"]
