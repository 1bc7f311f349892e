# SPDX-License-Identifier: Apache-2.0
"""A packed bundle, read without unpacking: what is found, and what is refused."""

import os
import zipfile

import pytest

from tomobundles.scripts.sharing.peek import LARGEST_PICTURE, look_inside
from tomobundles.utils import InputError

from .zips import METADATA, bundle_files, png, write_zip

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><title>depends on = nothing</title></svg>'


def test_name_and_metadata(tmp_path):
    inside = look_inside(write_zip(tmp_path))
    assert (inside.name, inside.metadata, inside.picture) == ("oct_edema", METADATA, None)
    assert [path.name for path in tmp_path.iterdir()] == ["oct_edema_v0.1.0.zip"]


def _with(**changes):
    """Files of a bundle, some replaced, some (None) left out."""
    files = bundle_files() | {name.replace("__", "/"): data for name, data in changes.items()}
    return {name: data for name, data in files.items() if data is not None}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"docs/README.md": b"# nothing else\n"}, "configs/metadata.json is not in it"),
        (_with() | {"configs/metadata.json": b"{"}, "configs/metadata.json in it is not JSON"),
        (_with() | {"configs/metadata.json": b"\xff\xfe"}, "configs/metadata.json in it is not JSON"),
        (_with() | {"configs/metadata.json": b"[]"}, "states no version"),
        (_with() | {"configs/metadata.json": b'{"version": 1}'}, "states no version"),
    ],
    ids=["no metadata", "no JSON", "no text", "a list", "a number"],
)
def test_what_is_no_bundle(files, message, tmp_path):
    path = write_zip(tmp_path, files=files)
    with pytest.raises(InputError, match=message) as caught:
        look_inside(path)
    assert caught.value.path == str(path)
    assert len(str(caught.value).splitlines()) <= 3


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match="SHA256SUMS: the bundle has no manifest"):
        look_inside(write_zip(tmp_path, manifest=False))


@pytest.mark.parametrize(
    ("listed", "held", "message"),
    [
        (_with(LICENSE=b"one"), _with(LICENSE=b"two"), "LICENSE$"),
        (_with(), _with(LICENSE=None), "LICENSE$"),
        (_with(LICENSE=None), _with(), "LICENSE$"),
        (_with(), {"a": b"", "b": b"", "c": b"", "d": b""} | _with(), "a, b, c$"),
    ],
    ids=["changed", "lost", "added", "only three are named"],
)
def test_a_file_that_the_manifest_does_not_know(listed, held, message, tmp_path):
    with zipfile.ZipFile(write_zip(tmp_path / "listed", files=listed)) as archive:
        manifest = archive.read("oct_edema/SHA256SUMS")
    path = write_zip(tmp_path, files=held | {"SHA256SUMS": manifest}, manifest=False)
    with pytest.raises(InputError) as caught:
        look_inside(path)
    assert caught.match("differs from its SHA256SUMS")
    assert caught.value.problem.endswith(message.rstrip("$"))


def test_a_damaged_zip(tmp_path):
    path = write_zip(tmp_path)
    whole = path.read_bytes()
    for data in (b"", b"<html>404</html>", whole[:-40], whole[:200] + b"\x00" * 60 + whole[260:]):
        path.write_bytes(data)
        with pytest.raises(InputError, match="refused"):
            look_inside(path)


def test_more_than_one_folder(tmp_path):
    path = write_zip(tmp_path)
    for stray in ("other/file", "file"):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(stray, b"")
        with pytest.raises(InputError, match="refused: not all entries lie in one folder"):
            look_inside(path)
        path = write_zip(tmp_path)


@pytest.mark.parametrize(
    ("pictures", "found"),
    [
        ({}, None),
        ({"docs/a.png": png(1), "docs/network.png": png(2), "network.png": png(3)}, (".png", png(2))),
        ({"docs/b.png": png(1), "docs/a.svg": SVG}, (".svg", SVG)),
        ({"docs/a.png": b"no picture", "docs/b.png": png()}, (".png", png())),
        ({"docs/a.svg": b"<html></html>"}, None),
        ({"docs/a.svg": b"<svg><script>x</script></svg>"}, None),
        ({"docs/a.svg": b'<svg\nonload = "x"></svg>'}, None),
        ({"docs/a.svg": b'<svg><a href="JavaScript:x"/></svg>'}, None),
        ({"docs/a.svg": b"<x:svg xmlns:x='s'><svg><x:script>x</x:script></svg></x:svg>"}, None),
        ({"docs/a.svg": b'<?xml-stylesheet href="#a"?><svg></svg>'}, None),
        ({"docs/a.svg": b"<!DOCTYPE svg [<!ATTLIST svg onload CDATA 'x'>]><svg></svg>"}, None),
        ({"docs/a.svg": b'<svg><a href="java&#115;cript:x"/></svg>'}, None),
        ({"docs/a.png": png() + os.urandom(LARGEST_PICTURE)}, None),
    ],
    ids=[
        *("none", "network.png", "the first", "no PNG", "no SVG", "script", "event", "link"),
        *("script under a prefix", "style sheet", "default", "link in disguise", "large"),
    ],
)
def test_the_picture(pictures, found, tmp_path):
    assert look_inside(write_zip(tmp_path, files=_with() | pictures)).picture == found


def test_what_is_not_safe_to_unpack(tmp_path):
    """The rules are those of unpack, which has its own tests; here: they are asked, and nothing is left."""
    path = write_zip(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("oct_edema/../../stray", b"")
    with pytest.raises(InputError, match=r"refused: .*leads elsewhere"):
        look_inside(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
