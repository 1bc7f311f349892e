# SPDX-License-Identifier: Apache-2.0
import base64
import re
from io import BytesIO

from PIL import Image

from tomobundles.visualize.nodule_page import write_nodule_page

LEAST = {"title": "t", "intended_use": "research", "identity": [], "verdict": "v", "header": [], "rows": []}


def headings(path):
    return re.findall("<h2>(.*?)</h2>", path.read_text())


def test_parts_without_content_are_left_out(tmp_path):
    path = write_nodule_page(tmp_path / "a.html", **LEAST)
    assert headings(path) == []
    assert "<figure" not in path.read_text()
    assert "<footer" not in path.read_text()


def test_all_parts(tmp_path):
    content = LEAST | {
        "identity": [("Scan", "a & b"), ("Study", "")],
        "header": ["Rank", "p"],
        "rows": [["1", "0.5"]],
        "warnings": ["<w>"],
        "overview": {"whole": Image.new("RGB", (8, 4), (1, 2, 3))},
        "cards": {"one": Image.new("RGB", (6, 2)), "two": Image.new("RGB", (6, 2))},
        "quality": [("Threshold", "-400 HU")],
        "limits": ["l"],
        "footer": "end",
        "table_note": "note",
    }
    path = write_nodule_page(tmp_path / "a.html", **content)
    text = path.read_text()
    assert headings(path) == [
        "Warnings",
        "Candidates",
        "Where they lie",
        "Three planes",
        "Lung mask",
        "Limits",
    ]
    for part in ("a &amp; b", "&lt;w&gt;", '<p class="note">note</p>', "<footer>end</footer>", "-400 HU"):
        assert part in text
    assert "Study" not in text
    assert re.findall("<figcaption>(.*?)</figcaption>", text) == ["whole", "one", "two"]
    first = re.search('base64,([^"]+)', text)[1]
    with Image.open(BytesIO(base64.b64decode(first))) as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((8, 4), (1, 2, 3))


def test_it_is_one_file_for_light_and_dark(tmp_path):
    text = write_nodule_page(tmp_path / "a.html", **LEAST).read_text()
    assert text.count("<style>") == text.count("</style>") == 1
    assert "color-scheme: light dark" in text
    assert "default-src 'none'" in text.replace("&#x27;", "'")
    assert "<script" not in text
