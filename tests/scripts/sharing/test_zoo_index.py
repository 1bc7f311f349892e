# SPDX-License-Identifier: Apache-2.0
"""The page of a zoo: what a reader finds on it, and that nothing of a bundle's text becomes markup."""

import re
import shlex
from html import unescape
from html.parser import HTMLParser

import pytest

from tomobundles.scripts.sharing.model_info import find_archives
from tomobundles.scripts.sharing.zoo_index import readable_size, write_index

from .zips import bundle_files, png, write_zip

VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """Tags that were opened, with their attributes, and whether all were closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.tags if name == tag]


def _page(folder, url=None):
    write_index(find_archives(folder), folder, url=url)
    text = (folder / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    return page, text


def test_a_card_a_bundle_newest_first(tmp_path):
    for version in ("0.9.0", "0.10.0"):
        write_zip(tmp_path, version=version)
    write_zip(tmp_path, name="ich")
    page, text = _page(tmp_path)
    assert page.of("article", "id") == ["ich", "oct_edema"]
    assert "<title>Model zoo: 2 bundles</title>" in text
    links = page.of("a", "href")
    zips = ["ich_v0.1.0.zip", "oct_edema_v0.10.0.zip", "oct_edema_v0.9.0.zip"]
    assert links == ["model_info.json", *zips]
    assert all((tmp_path / name).is_file() for name in zips)
    assert text.index("oct_edema_v0.10.0.zip") < text.index("Older versions") < text.index("v0.9.0.zip")
    for archive in find_archives(tmp_path):
        assert archive.sha256 in text


def test_what_a_card_says(tmp_path):
    write_zip(tmp_path)
    page, text = _page(tmp_path)
    said = "".join(page.text)
    assert "1 bundle in MONAI" in said
    for phrase in ("Edema <in> OCT & more", 'Segmentation of "edema"', "Research; not for diagnosis"):
        assert phrase in said
    assert "monai 1.6.1, torch 2.13.0, numpy 2.4.6, fire 0.7.1" in said
    assert re.search(r"\(\d\.\d kB\)", said)
    assert "Older versions" not in text
    assert "<img" not in text


def test_text_of_a_bundle_stays_text(tmp_path):
    """The sample's description is a script."""
    write_zip(tmp_path)
    page, text = _page(tmp_path)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "script-src 'none'" in text
    assert "<script>alert(1)</script>" in "".join(page.text)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_nothing_is_fetched_from_elsewhere(tmp_path):
    write_zip(tmp_path, files=bundle_files() | {"docs/network.png": png()})
    page, text = _page(tmp_path)
    assert "link" not in {tag for tag, _ in page.tags}
    assert not re.search(r"https?://(?!server:8000)|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_the_picture_of_the_newest_version(tmp_path):
    write_zip(tmp_path, files=bundle_files() | {"docs/network.png": png(1)})
    newer = bundle_files(version="0.2.0") | {"docs/network.png": png(2)}
    write_zip(tmp_path, version="0.2.0", files=newer)
    page, _ = _page(tmp_path)
    assert page.of("img", "src") == ["previews/oct_edema.png"]
    assert page.of("img", "alt") == ["Edema <in> OCT & more"]
    assert (tmp_path / "previews" / "oct_edema.png").read_bytes() == png(2)


@pytest.mark.parametrize(
    ("url", "at"),
    [
        (None, "ADDRESS"),
        ("https://server.example/a&b", "https://server.example/a&b"),
        ("file:///z", "file:///z"),
    ],
)
def test_the_two_commands(url, at, tmp_path):
    write_zip(tmp_path)
    page, text = _page(tmp_path, url)
    download, run = unescape(re.search(r"<pre><code>(.*?)</code>", text, re.S)[1]).splitlines()
    words = ["python", "-m", "monai.bundle", "download", "--name", "oct_edema", "--bundle_dir", "."]
    assert shlex.split(download) == [*words, "--url", f"{at}/oct_edema_v0.1.0.zip"]
    assert run.startswith("cd oct_edema && python -m monai.bundle run --config_file configs/inference.json")
    assert ("In the commands, ADDRESS is" in "".join(page.text)) == (url is None)
    link = "oct_edema_v0.1.0.zip" if url is None else f"{at}/oct_edema_v0.1.0.zip"
    assert page.of("a", "href")[1] == link


def test_little_metadata_is_enough(tmp_path):
    write_zip(tmp_path, files={"configs/metadata.json": b'{"version": "0.1.0"}'})
    page, text = _page(tmp_path)
    assert "<h2>oct_edema</h2>" in text
    assert not {"Intended use", "Needs", "Rights"} & set(page.text)
    assert "None" not in text


def test_a_size_in_words():
    assert readable_size(999) == "999 bytes"
    assert readable_size(1000) == "1.0 kB"
    assert readable_size(1_250_000) == "1.2 MB"
    assert readable_size(2_000_000_000) == "2.0 GB"
