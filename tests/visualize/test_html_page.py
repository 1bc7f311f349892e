# SPDX-License-Identifier: Apache-2.0
import base64
import hashlib
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tomobundles.visualize.html_page import element, facts, page, pictures, table

EVIL = "<script>alert('x')</script> & \"co\""


class Parser(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


def test_text_is_escaped_everywhere():
    text = page(
        EVIL, [element("p", EVIL, kind='a"b'), facts([(EVIL, EVIL)]), table([EVIL, "n"], [[EVIL, EVIL]])]
    )
    parsed = Parser(text)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert parsed.texts.count(EVIL) == 7
    assert ("p", {"class": 'a"b'}) in parsed.tags


def policy(text):
    return next(one["content"] for tag, one in Parser(text).tags if tag == "meta" and "content" in one)


def test_nothing_is_loaded_and_nothing_runs():
    assert (
        policy(page("t", ["<p>x</p>"]))
        == "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'"
    )


def test_only_the_given_scripts_run():
    scripts = ["let a = 1 < 2;", "let b;"]
    text = page("t", [], scripts=scripts)
    for script in scripts:
        assert f"<script>{script}</script>" in text
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy(text)
    assert "'unsafe-inline'" not in policy(text).partition("script-src")[2]


def test_table():
    text = table(["band", "dice"], [["thin", "0.5"], ["thick", ""]])
    assert text.count("<tr>") == 3
    assert '<td>thin</td><td class="number">0.5</td>' in text
    with pytest.raises(ValueError, match="shorter"):
        table(["a", "b"], [["1"]])


def test_pictures(tmp_path):
    for name, shape in (("square.png", (10, 10)), ("broad.png", (10, 16))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / name)
    tags = Parser(pictures({EVIL: tmp_path / "square.png", "Broad": tmp_path / "broad.png"})).tags
    images = [one for tag, one in tags if tag == "img"]
    assert [one["alt"] for one in images] == [EVIL, "Broad"]
    content = images[0]["src"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(content) == (tmp_path / "square.png").read_bytes()
    assert [one for tag, one in tags if tag == "figure"] == [{}, {"class": "broad"}]
