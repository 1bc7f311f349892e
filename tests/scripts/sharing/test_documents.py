# SPDX-License-Identifier: Apache-2.0
"""Documents in a zip: every link leads to something in it."""

import re

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing.documents import pack_documents
from tomobundles.utils import InputError


@pytest.fixture
def bundle(tmp_path):
    """A bundle in a repository with a page, pictures and code."""
    folder = tmp_path / "bundles" / "one"
    for name in ("docs/sub/deep.md", "docs/own.png", "configs/train.json", "notes/x.md", "output/secret.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for name in ("docs/page.md", "docs/other.md", "docs/figures/a.png", "docs/b.GIF", "code/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "packed" / "configs").mkdir(parents=True)
    (tmp_path / "packed" / "configs" / "train.json").touch()
    return folder


def _pack(bundle, text):
    (bundle / "docs" / "README.md").write_text(text)
    root = bundle.parents[1] / "packed"
    pack_documents(bundle, root)
    return root / "docs", (root / "docs" / "README.md").read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("![a](../../../docs/figures/a.png)", "![a](figures/a.png)"),
        ("![a](../../../docs/b.GIF)", "![a](figures/b.GIF)"),
        ("see [`page`](../../../docs/page.md#top).", "see [`page`](page.md#top)."),
        ("[code](../../../code/x.py) [all](../../..)", "code all"),
        ("[m](../configs/train.json), [d](sub/deep.md)", "[m](../configs/train.json), [d](sub/deep.md)"),
        ("[not packed](../notes/x.md)", "[not packed](x.md)"),
        ("[x](https://a.b/c) [y](#top) <a@b>", "[x](https://a.b/c) [y](#top) <a@b>"),
        ("`a[0](none)`\n```\n[x](none)\n```\n", "`a[0](none)`\n```\n[x](none)\n```\n"),
    ],
)
def test_links(bundle, before, after):
    assert _pack(bundle, before)[1] == after


def test_what_is_brought(bundle):
    text = "![a](../../../docs/figures/a.png) ![a](../../../docs/figures/a.png) [p](../../../docs/page.md)"
    (bundle.parents[1] / "docs" / "page.md").write_text("![b](b.GIF) [o](other.md) [r](../bundles)")
    docs, _ = _pack(bundle, text)
    files = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*") if path.is_file())
    assert files == ["README.md", "figures/a.png", "figures/b.GIF", "own.png", "page.md", "sub/deep.md"]
    assert (docs / "page.md").read_text() == "![b](figures/b.GIF) o r"
    assert (docs / "figures" / "a.png").read_text() == "docs/figures/a.png"


def test_documents_in_subfolders(bundle):
    (bundle / "docs" / "sub" / "deep.md").write_text("[r](../README.md) ![a](../../../../docs/figures/a.png)")
    docs, _ = _pack(bundle, "x")
    assert (docs / "sub" / "deep.md").read_text() == "[r](../README.md) ![a](../figures/a.png)"


@pytest.mark.parametrize("link", ["![a](none.png)", "[a](../../../docs/none.md)", "[a](none.md#x)"])
def test_links_that_lead_nowhere(bundle, link):
    with pytest.raises(InputError, match=r"README\.md\nlinks to .*none.*, which does not exist"):
        _pack(bundle, link)


@pytest.mark.parametrize(
    ("link", "name"),
    [("![a](../../../docs/figures/a.png)", "figures/a.png"), ("[a](../../../docs/own.md)", "own.md")],
)
def test_two_files_of_one_name(bundle, link, name):
    (bundle.parents[1] / "docs" / "own.md").touch()
    (bundle / "docs" / name).parent.mkdir(exist_ok=True)
    (bundle / "docs" / name).write_text("other")
    with pytest.raises(InputError, match=f"would be docs/{name}, which is another file"):
        _pack(bundle, link)


def test_links_of_the_file_system_are_refused(bundle):
    (bundle / "docs" / "link.md").symlink_to(bundle / "docs" / "sub" / "deep.md")
    with pytest.raises(InputError, match="symbolic link"):
        _pack(bundle, "x")


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "bundles").iterdir()))
def test_the_bundles_own_documents(name, tmp_path):
    pack_documents(ROOT / "bundles" / name, tmp_path)
    for page in (tmp_path / "docs").rglob("*.md"):
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for to in re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)", text):
            link = "".join(to)
            assert re.match(r"https?:", link) or (page.parent / link).exists(), f"{page.name}: {link}"
            assert not link.startswith("../../")
