# SPDX-License-Identifier: Apache-2.0
import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tomobundles import __version__
from tomobundles.data.study_page import facts, page, table
from tomobundles.data.study_report import LIMITS, write_study_page

from .study_results import make_study, probabilities

VOID = {"meta", "img"}
KNOWN = {"html", "head", "title", "style", "body", "h1", "h2", "p", "table", "thead", "tbody"} | {
    *("tr", "th", "td", "ul", "li", "footer"),
    *VOID,
}


class Checker(HTMLParser):
    """Tags must be known, closed in order, and attributes quoted and unique."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.texts, self.images = [], set(), [], []

    def handle_starttag(self, tag, attributes):
        assert tag in KNOWN, tag
        assert len(dict(attributes)) == len(attributes)
        assert not any(name.startswith("on") or name in ("href", "srcset") for name, _ in attributes)
        self.seen.add(tag)
        if tag == "img":
            self.images.append(dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def check(html):
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def write(tmp_path, **changes):
    html = write_study_page(tmp_path / "a.html", make_study(**changes)).read_text(encoding="utf-8")
    return html, check(html)


def test_page_is_whole_and_loads_nothing(tmp_path):
    html, checker = write(tmp_path)
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    assert "http://" not in html
    assert "https://" not in html
    assert "default-src &#x27;none&#x27;" in html
    assert len(checker.images) == 3
    for image in checker.images:
        assert image["alt"]
        data = re.fullmatch(r"data:image/png;base64,(.+)", image["src"])[1]
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            picture.verify()
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_what_it_says(tmp_path):
    uids = {"study_uid": "1.2", "series_uid": "1.2.3", "slice_files": ()}
    told = {"findings": ["Gantry tilt 18.5 degrees"], "series_reason": "the only soft one", "model": "ich 7"}
    html, checker = write(tmp_path, **uids, **told)
    text = " ".join(checker.texts)
    for part in (
        "1.2.3",
        "Gantry tilt 18.5 degrees",
        "the only soft one",
        f"ich 7; tomobundles {__version__}",
    ):
        assert part in text
    assert "SDH at or above threshold. Any intracranial haemorrhage: 90%." in text
    assert "EDH, slice 4 of 4, z -5.0 mm: 62% alone, 12% with context" in text
    assert "4 slices of 12 x 10" in text
    assert "0.5 x 0.5 x 5 mm" in text
    assert all(limit in text for limit in LIMITS)
    # patient, threshold, decision, highest slice, noisy-OR, slices, key slice
    cells = ["80.0%", "50.0%", "yes", "75.0%", "93.0%", "2 of 4", "3 of 4, z -10.0 mm"]
    row = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    assert f'<tr class="called"><th scope="row">SDH</th>{row}</tr>' in html


def test_negative_study_of_unknown_geometry(tmp_path):
    values = {name: array * 0.1 for name, array in probabilities().items()}
    values["calibrated_raw"] = values["calibrated"]
    label = np.zeros((6, 4), np.float32)
    plain = {"spacing": None, "positions_mm": None, "cam": None, "label": label}
    html, checker = write(tmp_path, probabilities=values, **plain)
    text = " ".join(checker.texts)
    assert "No class at or above threshold." in text
    assert "Called alone" not in text
    assert "Nothing was found to be unusual." in text
    assert "Spacing unknown" in re.sub(r"\s+", " ", text)
    assert "calibrated probabilities of each slice alone" in text
    assert "The reference is marked." in text
    assert 'class="verdict"' in html


def test_nothing_can_break_out_of_its_text(tmp_path):
    evil = '<script>alert("x")</script>&'
    told = {"findings": [evil], "series_reason": evil, "model": evil, "patient": evil, "study_uid": evil}
    html, checker = write(tmp_path, name='a"<b>', **told)
    assert "<script" not in html
    assert checker.texts.count(evil) == 4
    assert "script" not in checker.seen


def test_parts():
    assert facts([("a", "1"), ("b", "")]).count("<tr>") == 1
    assert table(["a", "b"], [["x", "<"]], [False]).count("&lt;") == 1
    with pytest.raises(ValueError, match="zip"):
        table(["a"], [["x"]], [])
    assert "<title>&lt;b&gt;</title>" in page("<b>", [])
